// SPDX-License-Identifier: BSL-1.0
// Calls whose results are asked for later, in any order, and answers that come later.
#include "support.hpp"

#include <algorithm>
#include <optional>
#include <poll.h>
#include <random>
#include <vector>

namespace partywall::test {
namespace {

struct AsyncTest : testing::Test {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
};
using Async = AsyncTest;
using Deferred = AsyncTest;

auto echo(participant const& who) {
    return who.server<ask, told>("s", [](ask const& a) { return told::of(a.number); }).value();
}
client_options many(std::uint32_t calls) {
    client_options o = calling();
    o.calls_max = calls;
    return o;
}

TEST_F(Async, HundredsAreUnderWayAndEachGetsItsOwnReply) {
    server_options so = serving(512);
    auto s = me.server<ask, told>(
                   "s", [](ask const& a) { return told::of(a.number); }, so)
                 .value();
    auto c = other.client<ask, told>("s", many(500)).value();
    for (int round = 0; round < 3; ++round) {
        std::vector<pending_call<told>> calls;
        for (std::uint64_t i = 0; i < 500; ++i) {
            calls.push_back(c.call_async(ask::of(i)));
        }
        EXPECT_EQ(c.open_calls(), 500u);
        EXPECT_FALSE(calls[0].ready());
        EXPECT_EQ(s.poll(), 500u);
        std::vector<std::uint64_t> order = numbers(0, 500);
        std::shuffle(order.begin(), order.end(), std::mt19937(static_cast<unsigned>(round)));
        for (std::uint64_t const i : order) {
            auto const r = calls[i].get();
            ASSERT_TRUE(r.has_value());
            EXPECT_TRUE((*r)->answers(i));
        }
        EXPECT_EQ(calls[7].get().error(), call_errc::closed) << "once";
    }
    EXPECT_EQ(c.open_calls(), 0u);
}

TEST_F(Async, ResultsAreKeptUntilTheyAreFetchedWhateverElseTheClientDoes) {
    auto s = echo(me);
    auto c = other.client<ask, told>("s", calling()).value();
    auto early = c.call_async(ask::of(1));
    running thread(s);
    for (std::uint64_t i = 2; i < 1000; ++i) {
        ASSERT_TRUE(c.call(ask::of(i)).value()->answers(i));
    }
    EXPECT_TRUE(early.ready());
    auto const r = early.get();
    EXPECT_TRUE((*r)->answers(1));
    EXPECT_EQ(r->server(), s.incarnation());
}

TEST_F(Async, CompletionsRunInsidePollAndMayCallAgain) {
    auto s = echo(me);
    auto c = other.client<ask, told>("s", calling()).value();
    std::vector<std::uint64_t> got;
    struct chain {
        client<ask, told>& c;
        std::vector<std::uint64_t>& got;
        std::uint64_t left;
        void operator()(call_outcome<told> r) {
            ASSERT_TRUE(r.has_value());
            got.push_back((*r)->number);
            if (left != 0) {
                EXPECT_TRUE(c.call_async(ask::of((*r)->number + 1)).then(chain{c, got, left - 1}));
            }
        }
    };
    EXPECT_TRUE(c.call_async(ask::of(0)).then(chain{c, got, 99}));
    EXPECT_TRUE(got.empty());
    while (got.size() < 100) {
        (void)s.poll();
        (void)c.poll();
    }
    EXPECT_EQ(got, numbers(0, 100));
}

TEST_F(Async, CompletionsMayCallAndWaitInsideTheirPoll) {
    auto s = echo(me);
    auto c = other.client<ask, told>("s", calling()).value();
    int done = 0;
    for (std::uint64_t i = 0; i < 10; ++i) {
        EXPECT_TRUE(c.call_async(ask::of(i)).then([&, i](call_outcome<told> r) {
            EXPECT_TRUE((*r)->answers(i));
            EXPECT_TRUE(c.call(ask::of(100 + i)).value()->answers(100 + i));
            done += 1;
        }));
    }
    running thread(s);
    while (done < 10) {
        EXPECT_TRUE(c.poll(1h).has_value());
    }
    EXPECT_EQ(c.open_calls(), 0u);
}

TEST_F(Async, CompletionsRunAtTheDeadlineToo) {
    auto s = echo(me);
    auto c = other.client<ask, told>("s", calling()).value();
    call_error e;
    bool ran = false;
    EXPECT_TRUE(c.call_async(ask::of(0), 2ms).then([&](call_outcome<told> r) {
        e = r.error();
        ran = true;
    }));
    while (!ran) {
        (void)c.poll(1h);
    }
    EXPECT_EQ(e, call_errc::deadline);
    EXPECT_EQ(e.executed, executed::no);
    EXPECT_EQ(s.poll(), 1u);
    EXPECT_EQ(s.executed(), 0u);
}

TEST_F(Async, CompletionsOfAClosedClientRunWithClosed) {
    auto s = echo(me);
    auto c = other.client<ask, told>("s", calling()).value();
    call_errc why{};
    EXPECT_TRUE(
        c.call_async(ask::of(0)).then([&](call_outcome<told> r) { why = r.error().reason; }));
    c.close();
    EXPECT_EQ(why, call_errc::closed);
}

TEST_F(Async, ACompletionMayCloseItsClient) {
    auto s = echo(me);
    auto c = other.client<ask, told>("s", calling()).value();
    auto outlives = c.call_async(ask::of(1));
    auto never = c.call_async(ask::of(2));
    EXPECT_TRUE(never.then([&](call_outcome<told> r) {
        EXPECT_TRUE(r.has_value());
        c.close();
    }));
    EXPECT_EQ(s.poll(), 2u);
    EXPECT_GE(c.poll(), 1u);
    EXPECT_TRUE(outlives.ready());
    EXPECT_TRUE(outlives.get().value()->answers(1)) << "it came before";
    EXPECT_EQ(c.poll(), 0u);
}

TEST_F(Async, ACallMayOutliveItsClient) {
    auto s = echo(me);
    std::vector<pending_call<told>> left;
    {
        auto c = other.client<ask, told>("s", calling()).value();
        left.push_back(c.call_async(ask::of(1)));
        left.push_back(c.call_async(ask::of(2)));
        left.push_back(c.call_async(ask::of(3)));
    }
    EXPECT_TRUE(left[0].ready());
    auto const r = left[0].get();
    EXPECT_EQ(r.error(), call_errc::closed);
    EXPECT_EQ(r.error().executed, executed::maybe);
    call_errc why{};
    EXPECT_TRUE(left[1].then([&](call_outcome<told> o) { why = o.error().reason; }));
    EXPECT_EQ(why, call_errc::closed);
    left.clear();
    EXPECT_EQ(s.poll(), 3u);
    EXPECT_EQ(s.executed(), 0u) << "its client is gone, and there is nobody to answer";
    EXPECT_EQ(s.lost(), 3u);
}

TEST_F(Async, CancellingSaysWhetherItWasExecuted) {
    std::vector<deferred<told>> owed;
    auto s = me.server<ask, told>("s", [&](ask const&, deferred<told> d, call_context&) {
                   owed.push_back(std::move(d));
               }).value();
    auto c = other.client<ask, told>("s", calling()).value();
    auto taken = c.call_async(ask::of(1));
    EXPECT_EQ(s.poll(), 1u);
    auto waiting = c.call_async(ask::of(2));
    taken.cancel();
    waiting.cancel();
    auto const first = taken.get();
    EXPECT_EQ(first.error(), call_errc::cancelled);
    EXPECT_EQ(first.error().executed, executed::maybe);
    auto const second = waiting.get();
    EXPECT_EQ(second.error(), call_errc::cancelled);
    EXPECT_EQ(second.error().executed, executed::no);
    EXPECT_EQ(s.poll(), 1u);
    EXPECT_EQ(s.cancelled(), 1u);
    EXPECT_EQ(s.executed(), 1u);
    EXPECT_TRUE(owed.at(0).answer(told::of(1)));
    EXPECT_EQ(c.poll(), 0u);
    EXPECT_EQ(c.late_replies(), 2u);
    EXPECT_EQ(c.open_calls(), 0u);
}

TEST_F(Async, ACallThatIsLetGoIsLeftOutIfTheServerHasNotBegun) {
    auto s = echo(me);
    auto c = other.client<ask, told>("s", calling()).value();
    (void)c.call_async(ask::of(1));
    EXPECT_EQ(s.poll(), 1u);
    EXPECT_EQ(s.cancelled(), 1u);
    EXPECT_EQ(s.executed(), 0u);
    EXPECT_EQ(c.poll(), 0u);
    EXPECT_EQ(c.open_calls(), 0u);
}

TEST_F(Async, WaitEndsWithTheResultOrItsOwnTime) {
    auto s = echo(me);
    auto c = other.client<ask, told>("s", calling()).value();
    auto call = c.call_async(ask::of(1));
    EXPECT_FALSE(call.wait(1ms));
    c.interrupt();
    EXPECT_FALSE(call.wait(1h));
    EXPECT_EQ(s.poll(), 1u);
    EXPECT_TRUE(call.wait(1h));
    EXPECT_TRUE(call.get().value()->answers(1));
    auto interrupted = c.call_async(ask::of(2));
    c.interrupt();
    EXPECT_EQ(interrupted.get().error(), call_errc::interrupted);
}

TEST_F(Async, AClientWaitsInASetAndThroughADescriptor) {
    auto s = echo(me);
    auto c = other.client<ask, told>("s", calling()).value();
    auto set = other.wait_set();
    ASSERT_TRUE(set.add(c, 7).has_value());
    auto call = c.call_async(ask::of(1));
    auto const nothing = set.wait(0ns);
    EXPECT_EQ(nothing.error(), wait_errc::timed_out);
    {
        running thread(s);
        auto const events = set.wait(1h);
        ASSERT_TRUE(events.has_value());
        EXPECT_EQ((*events)[0].key, 7u);
        EXPECT_EQ(c.poll(), 1u);
        EXPECT_TRUE(call.get().value()->answers(1));
    }
    auto d = other.client<ask, told>("s", calling()).value();
    int const fd = d.fd().value();
    auto by_fd = d.call_async(ask::of(2));
    while (d.poll() != 0) {
    }
    running thread(s);
    while (!by_fd.ready()) {
        pollfd one{fd, POLLIN, 0};
        ASSERT_EQ(::poll(&one, 1, -1), 1);
        (void)d.poll();
    }
    EXPECT_TRUE(by_fd.get().value()->answers(2));
}

TEST_F(Async, AServerWaitsInASetAndThroughADescriptor) {
    auto s = echo(me);
    auto set = me.wait_set();
    ASSERT_TRUE(set.add(s, 9).has_value());
    auto c = other.client<ask, told>("s", calling()).value();
    std::thread calls([&] {
        for (std::uint64_t i = 0; i < 100; ++i) {
            EXPECT_TRUE(c.call(ask::of(i)).value()->answers(i));
        }
    });
    while (s.executed() < 100) {
        auto const events = set.wait(1h);
        ASSERT_TRUE(events.has_value());
        EXPECT_EQ((*events)[0].key, 9u);
        (void)s.poll();
    }
    calls.join();
    EXPECT_TRUE(set.remove((*set.add_timer(std::chrono::steady_clock::now(), 0ns, 1))));
}

TEST_F(Async, ADeadlineIsFoundByWhoWaitsInASet) {
    auto s = echo(me);
    auto c = other.client<ask, told>("s", calling()).value();
    auto set = other.wait_set();
    ASSERT_TRUE(set.add(c, 7).has_value());
    auto call = c.call_async(ask::of(1), 20ms);
    while (!call.ready()) {
        ASSERT_TRUE(set.wait(1h).has_value());
        (void)c.poll();
    }
    EXPECT_EQ(call.get().error(), call_errc::deadline);
}

// ---- answers that come later ------------------------------------------------------------------------

TEST_F(Deferred, AnswersComeInAnyOrderAndFromAnyThread) {
    std::vector<std::pair<std::uint64_t, deferred<told>>> owed;
    auto s = me.server<ask, told>("s", [&](ask const& a, deferred<told> d, call_context&) {
                   owed.emplace_back(a.number, std::move(d));
               }).value();
    auto c = other.client<ask, told>("s", calling()).value();
    std::vector<pending_call<told>> calls;
    for (std::uint64_t i = 0; i < 32; ++i) {
        calls.push_back(c.call_async(ask::of(i)));
    }
    EXPECT_EQ(s.poll(), 32u);
    EXPECT_EQ(s.deferred(), 32u);
    std::reverse(owed.begin(), owed.end());
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (std::size_t i = t; i < owed.size(); i += 4) {
                auto& [number, d] = owed[i];
                EXPECT_TRUE(d.wanted());
                EXPECT_TRUE(number == 5 ? d.fail(55, "five") : d.answer(told::of(number)));
                EXPECT_FALSE(d.answer(told::of(number))) << "once";
            }
        });
    }
    for (std::uint64_t i = 0; i < 32; ++i) {
        auto const r = calls[i].get();
        if (i == 5) {
            EXPECT_EQ(r.error().code, 55);
            EXPECT_EQ(r.error().text(), "five");
        } else {
            ASSERT_TRUE(r.has_value()) << i;
            EXPECT_TRUE((*r)->answers(i));
        }
    }
    for (auto& t : threads) {
        t.join();
    }
    EXPECT_EQ(s.deferred(), 0u);
}

TEST_F(Deferred, AnswersThatAreLetGoFailTheCall) {
    auto s = me.server<ask, told>("s", [](ask const&, deferred<told>, call_context&) {}).value();
    auto c = other.client<ask, told>("s", calling()).value();
    running thread(s);
    auto const r = c.call(ask::of(1));
    EXPECT_EQ(r.error(), call_errc::server_error);
    EXPECT_EQ(r.error().fault, server_fault::unanswered);
}

TEST_F(Deferred, AnswersToAClientThatIsGoneDoNothing) {
    std::vector<deferred<told>> owed;
    auto s = me.server<ask, told>("s", [&](ask const&, deferred<told> d, call_context&) {
                   owed.push_back(std::move(d));
               }).value();
    {
        auto c = other.client<ask, told>("s", calling()).value();
        auto call = c.call_async(ask::of(1));
        EXPECT_EQ(s.poll(), 1u);
    }
    EXPECT_FALSE(owed.at(0).wanted());
    EXPECT_FALSE(owed.at(0).answer(told::of(1)));
    EXPECT_EQ(s.deferred(), 0u);
    auto c = other.client<ask, told>("s", calling()).value();
    auto call = c.call_async(ask::of(2));
    EXPECT_EQ(s.poll(), 1u) << "the lane is another's now";
    EXPECT_TRUE(owed.at(1).answer(told::of(2)));
    EXPECT_TRUE(call.get().value()->answers(2));
}

TEST_F(Deferred, AnswersBeyondTheServersLimitAreNotBegun) {
    std::vector<deferred<told>> owed;
    server_options o = serving();
    o.deferred_max = 2;
    auto s =
        me.server<ask, told>(
              "s",
              [&](ask const&, deferred<told> d, call_context&) { owed.push_back(std::move(d)); }, o)
            .value();
    auto c = other.client<ask, told>("s", calling()).value();
    std::vector<pending_call<told>> calls;
    for (std::uint64_t i = 0; i < 3; ++i) {
        calls.push_back(c.call_async(ask::of(i)));
    }
    EXPECT_EQ(s.poll(), 3u);
    auto const r = calls[2].get();
    EXPECT_EQ(r.error(), call_errc::overloaded);
    EXPECT_EQ(r.error().executed, executed::no);
    EXPECT_FALSE(r.error().refused_here);
    EXPECT_EQ(s.refused(), 1u);
    EXPECT_TRUE(owed[0].answer(told::of(0)));
    auto again = c.call_async(ask::of(3));
    EXPECT_EQ(s.poll(), 1u);
    EXPECT_TRUE(owed[2].answer(told::of(3)));
    EXPECT_TRUE(again.get().value()->answers(3));
}

// ---- handlers that misbehave --------------------------------------------------------------------------

TEST_F(Async, AHandlerMayPollRunAndCloseItsOwnServer) {
    std::optional<server<ask, told>> s;
    s.emplace(me.server<ask, told>("s", [&](ask const& a) {
                    EXPECT_EQ(s->poll(), 0u);
                    EXPECT_EQ(s->run(), wait_errc::closed);
                    if (a.number == 2) {
                        s->close();
                    }
                    return told::of(a.number);
                }).value());
    auto c = other.client<ask, told>("s", calling()).value();
    auto first = c.call_async(ask::of(1));
    auto second = c.call_async(ask::of(2));
    auto third = c.call_async(ask::of(3));
    EXPECT_EQ(s->poll(), 2u);
    EXPECT_TRUE(first.get().value()->answers(1));
    auto const r = second.get();
    EXPECT_EQ(r.error(), call_errc::no_server);
    EXPECT_EQ(r.error().executed, executed::maybe);
    EXPECT_EQ(third.get().error().executed, executed::no);
    EXPECT_EQ(s->poll(), 0u);
}

} // namespace
} // namespace partywall::test
