// SPDX-License-Identifier: BSL-1.0
// How calls end that get no reply, with a server that lives.
#include "support.hpp"

#include <partywall/breaker/breaker.hpp>

#include <atomic>
#include <latch>
#include <vector>

namespace partywall::test {
namespace {

struct OutcomeTest : testing::Test {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    std::vector<std::uint64_t> executed_requests;

    auto make_server(server_options const& options = serving(), std::string const& name = "s") {
        return me
            .server<ask, told>(
                name,
                [this](ask const& a) {
                    executed_requests.push_back(a.number);
                    return told::of(a.number);
                },
                options)
            .value();
    }
};
using Outcome = OutcomeTest;

void expect(call_outcome<told> const& r, call_errc reason, executed was, char const* what = "") {
    ASSERT_FALSE(r.has_value()) << what;
    EXPECT_EQ(to_string(r.error().reason), to_string(reason)) << what;
    EXPECT_EQ(r.error().executed == executed::no, was == executed::no) << what;
}

TEST_F(Outcome, WithoutAServerACallFailsAtOnceAndWaitsForOneOnlyIfAsked) {
    auto c = other.client<ask, told>("s", calling()).value();
    expect(c.call(ask::of(1)), call_errc::no_server, executed::no);
    call_options patient;
    patient.deadline = 1ms;
    patient.wait_for_ready = true;
    expect(c.call(ask::of(1), patient), call_errc::no_server, executed::no);
    EXPECT_EQ(c.wait_for_server(1ms).error(), call_errc::deadline);
    EXPECT_EQ(c.servers(), 0u);
    auto s = make_server();
    EXPECT_TRUE(c.wait_for_server(1h).has_value());
    EXPECT_EQ(c.servers(), 1u);
    running thread(s);
    EXPECT_TRUE(c.call(ask::of(1)).value()->answers(1));
}

TEST_F(Outcome, OfACallThatWaitsForAServerIsTheReplyOfTheOneThatComes) {
    auto c = other.client<ask, told>("s", calling()).value();
    std::latch calls(1);
    std::thread later([&] {
        calls.wait();
        auto s = make_server();
        while (s.executed() == 0) {
            (void)s.run_for(1ms);
        }
    });
    call_options patient;
    patient.wait_for_ready = true;
    calls.count_down();
    EXPECT_TRUE(c.call(ask::of(1), patient).value()->answers(1));
    later.join();
}

TEST_F(Outcome, IsNoIfTheDeadlinePassesBeforeTheServerTakesTheRequest) {
    auto s = make_server();
    auto c = other.client<ask, told>("s", calling()).value();
    expect(c.call(ask::of(1), 1ms), call_errc::deadline, executed::no);
    EXPECT_EQ(c.open_calls(), 1u) << "the server may still answer";
    EXPECT_EQ(s.poll(), 1u);
    EXPECT_EQ(s.executed(), 0u);
    EXPECT_EQ(s.cancelled(), 1u);
    EXPECT_TRUE(executed_requests.empty());
    EXPECT_EQ(c.poll(), 0u);
    EXPECT_EQ(c.open_calls(), 0u);
    EXPECT_EQ(c.late_replies(), 1u);
    expect(c.call(ask::of(2), 0ns), call_errc::deadline, executed::no, "no time at all");
    expect(c.call(ask::of(2), -1ns), call_errc::deadline, executed::no, "less than that");
}

TEST_F(Outcome, IsMaybeIfItPassesWhileTheServerExecutesAndTheLateReplyIsNobodys) {
    std::atomic<int> state{0};
    auto s = me.server<ask, told>("s", [&](ask const& a, call_context& context) {
                   if (a.number == 1) {
                       state = 1;
                       state.notify_all();
                       state.wait(1);
                       EXPECT_TRUE(context.cancelled());
                       EXPECT_LT(context.left(), 0ns);
                   }
                   return told::of(a.number);
               }).value();
    client_options o = calling();
    o.with_breaker = false; // however often it takes
    auto c = other.client<ask, told>("s", o).value();
    std::thread serve([&] { EXPECT_EQ(s.run(), wait_errc::interrupted); });
    std::uint64_t late = 0;
    int begun = 0;
    for (; state == 0; ++late) { // until the server begins with one before it is too late
        auto slow = c.call_async(ask::of(1), 50ms);
        auto const r = slow.get();
        ASSERT_FALSE(r.has_value());
        EXPECT_EQ(r.error(), call_errc::deadline);
        begun += r.error().executed == executed::maybe ? 1 : 0;
    }
    EXPECT_EQ(begun, 1) << "the server began with one, and is still with it";
    state = 2;
    state.notify_all();
    for (std::uint64_t i = 2; i < 300; ++i) { // slots are used again, and again
        ASSERT_TRUE(c.call(ask::of(i)).value()->answers(i));
    }
    EXPECT_EQ(c.late_replies(), late);
    s.stop();
    serve.join();
}

TEST_F(Outcome, OfExpiredRequestsIsNoWhateverTheServerWasDoing) {
    auto s = make_server();
    auto c = other.client<ask, told>("s", calling()).value();
    // Posted: nobody gives up, so that only the deadline speaks.
    call_options soon;
    soon.deadline = 1ns;
    ASSERT_TRUE(c.post(ask::of(1), soon).has_value());
    ASSERT_TRUE(c.post(ask::of(2)).has_value());
    EXPECT_EQ(s.poll(), 2u);
    EXPECT_EQ(s.expired(), 1u);
    EXPECT_EQ(executed_requests, (std::vector<std::uint64_t>{2}));
}

TEST_F(Outcome, AtFullLanesAndTablesIsOverloadedAndNo) {
    auto s = make_server(serving(4));
    client_options o = calling();
    o.calls_max = 16;
    auto c = other.client<ask, told>("s", o).value();
    std::vector<pending_call<told>> calls;
    for (std::uint64_t i = 0; i < 4; ++i) {
        calls.push_back(c.call_async(ask::of(i)));
    }
    expect(c.call(ask::of(4)), call_errc::overloaded, executed::no, "the server's lane");
    call_options waits;
    waits.deadline = 1ms;
    waits.wait_for_room = true;
    expect(c.call(ask::of(4), waits), call_errc::overloaded, executed::no, "all the time");
    EXPECT_EQ(s.poll(), 4u);
    for (std::uint64_t i = 4; i < 16; i += 4) {
        for (std::uint64_t k = 0; k < 4; ++k) {
            calls.push_back(c.call_async(ask::of(i + k)));
        }
        EXPECT_EQ(s.poll(), 4u);
    }
    EXPECT_TRUE(calls.back().get().value()->answers(15)) << "which makes room";
    calls.pop_back();
    calls.push_back(c.call_async(ask::of(16)));
    expect(c.call(ask::of(17)), call_errc::overloaded, executed::no,
           "as many as there are results to be fetched");
    EXPECT_EQ(s.poll(), 1u);
    for (std::uint64_t i = 0; i < 15; ++i) {
        EXPECT_TRUE(calls[i].get().value()->answers(i));
    }
    EXPECT_TRUE(calls[15].get().value()->answers(16));
    EXPECT_EQ(executed_requests.size(), 17u);
}

TEST_F(Outcome, OfCallsThatWereGivenUpIsThatTheyCountUntilTheServerDealsWithThem) {
    auto s = make_server();
    client_options o = calling(1ms);
    o.calls_max = 4;
    auto c = other.client<ask, told>("s", o).value();
    for (std::uint64_t i = 0; i < 4; ++i) {
        expect(c.call(ask::of(i)), call_errc::deadline, executed::no);
    }
    expect(c.call(ask::of(4)), call_errc::overloaded, executed::no);
    EXPECT_EQ(s.poll(), 4u);
    EXPECT_EQ(s.cancelled(), 4u);
    running thread(s);
    EXPECT_TRUE(c.call(ask::of(5), 1h).value()->answers(5));
    EXPECT_EQ(c.late_replies(), 4u);
}

TEST_F(Outcome, OfAServerThatClosesIsNoForWhatItHadNotTaken) {
    auto c = other.client<ask, told>("s", calling()).value();
    {
        auto s = make_server();
        ASSERT_TRUE(c.wait_for_server(1h).has_value());
        auto call = c.call_async(ask::of(1));
        auto answered = c.call_async(ask::of(2));
        s.close();
        expect(call.get(), call_errc::no_server, executed::no);
    }
    {
        auto s = make_server();
        ASSERT_TRUE(c.wait_for_server(1h).has_value());
        auto answered = c.call_async(ask::of(3));
        EXPECT_EQ(s.poll(), 1u);
        s.close();
        EXPECT_TRUE(answered.get().value()->answers(3)) << "the last look finds it";
    }
    expect(c.call(ask::of(4)), call_errc::no_server, executed::no);
    EXPECT_EQ(executed_requests, (std::vector<std::uint64_t>{3}));
    EXPECT_EQ(c.open_calls(), 0u);
}

TEST_F(Outcome, OfASleepingCallWhoseServerClosesComesAtOnce) {
    no_slices const endless;
    auto s = me.server<ask, told>("s", [](ask const&, deferred<told>, call_context&) {}).value();
    client_options o = calling();
    o.waiting = waiting::park;
    auto c = other.client<ask, told>("s", o).value();
    auto closing = me.server<ask, told>("t", [&](ask const& a) {
                         s.close();
                         return told::of(a.number);
                     }).value();
    std::thread closer([&] {
        while (closing.executed() == 0) {
            (void)closing.poll();
        }
    });
    auto pending = c.call_async(ask::of(1));
    auto t = other.client<ask, told>("t", o).value();
    EXPECT_TRUE(t.call(ask::of(2)).value()->answers(2));
    expect(pending.get(), call_errc::no_server, executed::no);
    closer.join();
}

TEST_F(Outcome, OfADrainingServerIsNoAndOthersAreUsedInstead) {
    auto s = make_server();
    client_options o = calling();
    auto c = other.client<ask, told>("s", o).value();
    auto call = c.call_async(ask::of(1));
    ASSERT_TRUE(s.drain().has_value());
    EXPECT_EQ(s.state(), health::draining);
    EXPECT_EQ(s.poll(), 1u);
    expect(call.get(), call_errc::draining, executed::no);
    expect(c.call(ask::of(2)), call_errc::draining, executed::no);
    EXPECT_EQ(s.refused(), 1u) << "the second was not even sent";
    participant third = joined(root.path(), "third");
    auto ready =
        third.server<ask, told>("s", [](ask const& a) { return told::of(a.number); }).value();
    ASSERT_TRUE(c.wait_for_server(1h).has_value());
    {
        running thread(ready);
        EXPECT_TRUE(c.call(ask::of(3)).value()->answers(3));
    }
    ASSERT_TRUE(s.ready().has_value());
    ready.close();
    running thread(s);
    EXPECT_TRUE(c.call(ask::of(4)).value()->answers(4)) << "it is back";
    (void)thread.stop();
    EXPECT_EQ(executed_requests, (std::vector<std::uint64_t>{4}));
}

TEST_F(Outcome, OfAServerThatStartsLaterIsNoServerUntilItIsReady) {
    server_options o = serving();
    o.starts_ready = false;
    auto s = make_server(o);
    EXPECT_EQ(s.state(), health::starting);
    auto c = other.client<ask, told>("s", calling()).value();
    expect(c.call(ask::of(1)), call_errc::no_server, executed::no);
    ASSERT_TRUE(s.ready().has_value());
    running thread(s);
    ASSERT_TRUE(c.wait_for_server(1h).has_value());
    EXPECT_TRUE(c.call(ask::of(2)).value()->answers(2));
}

TEST_F(Outcome, OfAShutdownIsThatWhatWasBegunIsAnsweredAndTheRestRefused) {
    std::vector<deferred<told>> owed;
    auto s = me.server<ask, told>("s", [&](ask const&, deferred<told> d, call_context&) {
                   owed.push_back(std::move(d));
               }).value();
    auto c = other.client<ask, told>("s", calling()).value();
    auto begun = c.call_async(ask::of(1));
    EXPECT_EQ(s.poll(), 1u);
    auto waiting = c.call_async(ask::of(2));
    EXPECT_EQ(s.deferred(), 1u);
    std::thread elsewhere([&] {
        auto const is_draining = [&] {
            auto const all = other.core()->entries(entry_kind::service, "s");
            return all.size() == 1 && all[0].state == health::draining;
        };
        while (!is_draining()) {
            std::this_thread::yield();
        }
        EXPECT_TRUE(owed.at(0).answer(told::of(1)));
    });
    EXPECT_TRUE(s.shutdown(1h));
    elsewhere.join();
    EXPECT_TRUE(begun.get().value()->answers(1));
    expect(waiting.get(), call_errc::draining, executed::no);
    EXPECT_EQ(s.state(), health::closed);
}

TEST_F(Outcome, OfAShutdownWhoseAnswersNeverComeIsTheDeadline) {
    std::vector<deferred<told>> owed;
    auto s = me.server<ask, told>("s", [&](ask const&, deferred<told> d, call_context&) {
                   owed.push_back(std::move(d));
               }).value();
    auto c = other.client<ask, told>("s", calling()).value();
    auto begun = c.call_async(ask::of(1));
    EXPECT_EQ(s.poll(), 1u);
    EXPECT_FALSE(s.shutdown(1ms));
    expect(begun.get(), call_errc::no_server, executed::maybe);
    EXPECT_FALSE(owed.at(0).answer(told::of(1))) << "nobody hears it";
}

TEST_F(Outcome, OfAnInterruptIsMaybeOrNo) {
    auto s = make_server();
    auto c = other.client<ask, told>("s", calling()).value();
    c.interrupt();
    expect(c.call(ask::of(1)), call_errc::interrupted, executed::no);
    EXPECT_EQ(s.poll(), 1u);
    EXPECT_EQ(s.cancelled(), 1u);
    std::thread later([&] { c.interrupt(); });
    expect(c.call(ask::of(2)), call_errc::interrupted, executed::no);
    later.join();
    auto e = other.client<ask, told>("nobody", calling()).value();
    e.interrupt();
    EXPECT_EQ(e.wait_for_server(1h).error(), call_errc::interrupted);
}

TEST_F(Outcome, OfAClosedClientIsClosed) {
    auto c = other.client<ask, told>("s", calling()).value();
    c.close();
    expect(c.call(ask::of(1)), call_errc::closed, executed::no);
    EXPECT_EQ(c.post(ask::of(1)).error(), call_errc::closed);
    EXPECT_EQ(c.poll(), 0u);
    EXPECT_EQ(c.wait_for_server(1h).error(), call_errc::closed);
}

TEST_F(Outcome, IsNeverAnothersReplyHoweverOftenGenerationsWrap) {
    auto s = make_server();
    client_options o = calling();
    o.calls_max = 2;
    o.with_breaker = false; // half of the calls are given up
    o.first_generation = ~std::uint32_t{0} - 3;
    auto c = other.client<ask, told>("s", o).value();
    for (std::uint64_t i = 0; i < 40; ++i) {
        // One that is given up, and one whose reply must not be the other's.
        expect(c.call(ask::of(1000 + i), 1us), call_errc::deadline, executed::no);
        auto call = c.call_async(ask::of(i));
        EXPECT_EQ(s.poll(), 2u);
        ASSERT_TRUE(call.get().value()->answers(i));
    }
    EXPECT_EQ(c.late_replies(), 40u);
    EXPECT_EQ(executed_requests, numbers(0, 40));
}

TEST_F(Outcome, OfANewServerOfTheNameIsItsReply) {
    auto c = other.client<ask, told>("s", calling()).value();
    std::uint64_t last = 0;
    for (std::uint64_t i = 0; i < 20; ++i) {
        auto s = make_server();
        ASSERT_TRUE(c.wait_for_server(1h).has_value());
        running thread(s);
        auto const r = c.call(ask::of(i));
        ASSERT_TRUE(r.has_value()) << to_string(r.error().reason);
        EXPECT_TRUE((*r)->answers(i));
        EXPECT_NE(r->server(), last);
        last = r->server();
    }
}

TEST(CallFacts, SayThatAnErrorOfTheHandlersOwnIsAnAnswerAndOtherFaultsAreNot) {
    call_error e(call_errc::server_error, executed::maybe);
    for (auto const fault :
         {server_fault::threw, server_fault::unanswered, server_fault::too_large}) {
        e.fault = fault;
        EXPECT_EQ(error_traits<call_error>::facts(e).what, partywall::outcome::failure);
    }
    e.fault = server_fault::failed;
    EXPECT_EQ(error_traits<call_error>::facts(e).what, partywall::outcome::success);
    auto circuit = breaker::make({.window = breaker_window::consecutive(1)}).value();
    (void)circuit.run([&] { return result<int, call_error>(e); });
    EXPECT_EQ(circuit.state(), breaker_state::closed);
    EXPECT_EQ(circuit.stats().total.failures, 0U);
    EXPECT_EQ(circuit.stats().total.calls, 1U);
}

} // namespace
} // namespace partywall::test
