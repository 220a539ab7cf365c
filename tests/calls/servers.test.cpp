// SPDX-License-Identifier: BSL-1.0
// Several servers of one name, and those that are there and cannot be used; figures that a server
// keeps of what it answers later.
#include "support.hpp"

#include <partywall/oneway/inbox_stats.hpp>
#include <support/sandbox.hpp>

#include <array>
#include <atomic>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

namespace partywall::test {
namespace {

struct ServersTest : testing::Test {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");

    auto echo(participant& who, server_options const& options = serving()) {
        return who
            .server<ask, told>(
                "s", [](ask const& a) { return told::of(a.number); }, options)
            .value();
    }
    static void expect(call_outcome<told> const& r, call_errc reason) {
        ASSERT_FALSE(r.has_value());
        EXPECT_EQ(to_string(r.error().reason), to_string(reason));
        EXPECT_EQ(r.error().executed, executed::no);
    }
};
using Servers = ServersTest;

TEST_F(Servers, ThatAllDrainAreNotAbsentEvenForAClientThatComesThen) {
    auto s = echo(me);
    ASSERT_TRUE(s.drain().has_value());
    auto c = other.client<ask, told>("s", calling()).value();
    EXPECT_EQ(c.servers(), 0u);
    expect(c.call(ask::of(1)), call_errc::draining);
    call_options patient;
    patient.deadline = 1ms;
    patient.wait_for_ready = true;
    expect(c.call(ask::of(1), patient), call_errc::draining);
    EXPECT_EQ(c.wait_for_server(1ms).error(), call_errc::deadline);
    ASSERT_TRUE(s.ready().has_value());
    ASSERT_TRUE(c.wait_for_server(1h).has_value());
    {
        running thread(s);
        EXPECT_TRUE(c.call(ask::of(2)).value()->answers(2));
    }
    ASSERT_TRUE(s.drain().has_value());
    auto call = c.call_async(ask::of(3)); // sent, where it has looked within this millisecond
    (void)s.poll();
    expect(call.get(), call_errc::draining);
    s.close();
    expect(c.call(ask::of(3)), call_errc::no_server);
}

TEST_F(Servers, WithLessToDoForAnybodyGetTheCallsOfAClientThatLooks) {
    server_options so = serving();
    so.clients_max = 4;
    auto first = echo(me, so);
    client_options alone = calling();
    alone.servers_max = 1;
    auto busy = other.client<ask, told>("s", alone).value();
    std::vector<pending_call<told>> theirs;
    for (std::uint64_t i = 0; i < 8; ++i) {
        theirs.push_back(busy.call_async(ask::of(i)));
    }
    participant third = joined(root.path(), "third");
    auto second = echo(third, so);
    client_options looks = calling();
    looks.balance = balance::least_busy;
    participant fourth = joined(root.path(), "fourth");
    auto c = fourth.client<ask, told>("s", looks).value();
    ASSERT_EQ(c.servers(), 2u);
    std::vector<pending_call<told>> ours;
    for (std::uint64_t i = 0; i < 7; ++i) {
        ours.push_back(c.call_async(ask::of(i)));
    }
    EXPECT_EQ(second.poll(), 7u) << "none of ours is with the first, but eight of theirs are";
    EXPECT_EQ(first.poll(), 8u);
    for (auto& each : theirs) {
        EXPECT_TRUE(each.get().has_value());
    }
    for (auto& each : ours) {
        EXPECT_TRUE(each.get().has_value());
    }
    // The other way round, in lanes that have been used.
    auto with_second = third.client<ask, told>("s", looks).value();
    std::uint64_t number = 100;
    std::vector<pending_call<told>> more;
    for (; more.size() < 64; ++number) { // evenly, so that each has as many of them
        more.push_back(with_second.call_async(ask::of(number)));
    }
    std::size_t const at_first = first.poll();
    EXPECT_EQ(at_first, 32u);
    eventually([&] { // what it has seen of the others may be some microseconds old
        auto r = c.call_async(ask::of(number));
        bool const to_first = first.poll() == 1;
        r.cancel();
        return to_first;
    });
    EXPECT_GE(second.poll(), 32u);
}

/// Which of two servers gets the calls of a client that looks.
struct LoadTest : ServersTest {
    participant third = joined(root.path(), "third");
    participant fourth = joined(root.path(), "fourth");
    std::vector<deferred<told>> owed;
    std::vector<deferred<told>> owed_by_second;

    static server_options of_few() {
        server_options o = serving();
        o.clients_max = 4;
        o.start_position = ~std::uint64_t{0} - 3;
        return o;
    }
    auto later(participant& who, std::vector<deferred<told>>& into) {
        return who
            .server<ask, told>(
                "s",
                [&into](ask const&, deferred<told> d, call_context&) {
                    into.push_back(std::move(d));
                },
                of_few())
            .value();
    }
    auto only_of_one(participant& who) {
        client_options o = calling();
        o.servers_max = 1;
        return who.client<ask, told>("s", o).value();
    }
    auto looking() {
        client_options o = calling();
        o.balance = balance::least_busy;
        o.with_breaker = false;
        return fourth.client<ask, told>("s", o).value();
    }
    /// What the lanes of the only server of `who` say: begun with for others later, and over.
    std::array<std::uint64_t, 2> left_to_others(participant const& who) const {
        std::array<std::uint64_t, 2> all{};
        for (auto const& e : me.core()->entries(entry_kind::service, "s")) {
            if (e.owner_ticket == who.ticket()) {
                tampered_inbox const box(me, e);
                for (std::uint32_t i = 0; i < box.lane_count(); ++i) {
                    all[0] += box.lane(i).deferred;
                    all[1] += box.lane(i).answered;
                }
            }
        }
        return all;
    }
};
using Load = LoadTest;

TEST_F(Load, OfAServerIsAlsoWhatItHasBegunWithAndNotAnswered) {
    auto first = later(me, owed);
    auto busy = only_of_one(other);
    std::vector<pending_call<told>> theirs;
    for (std::uint64_t i = 0; i < 8; ++i) {
        theirs.push_back(busy.call_async(ask::of(i)));
    }
    ASSERT_TRUE(busy.post(ask::of(8)).has_value());
    EXPECT_EQ(first.poll(), 9u) << "nothing is left in its lanes";
    auto second = later(third, owed_by_second);
    auto c = looking();
    ASSERT_EQ(c.servers(), 2u);
    std::vector<pending_call<told>> ours;
    for (std::uint64_t i = 0; i < 8; ++i) {
        ours.push_back(c.call_async(ask::of(i)));
    }
    EXPECT_EQ(second.poll(), 8u)
        << "of which it has fewer, each time, than the other nine of theirs";
    EXPECT_EQ(first.poll(), 0u);
    EXPECT_EQ(left_to_others(me), (std::array<std::uint64_t, 2>{9, 0}));
    // When it is through with them, calls go there again.
    EXPECT_TRUE(owed.at(0).answer(told::of(0)));
    std::thread([&] { EXPECT_TRUE(owed.at(1).fail(1)); }).join();
    owed.clear(); // unanswered
    EXPECT_EQ(left_to_others(me), (std::array<std::uint64_t, 2>{9, 9}));
    eventually([&] { // what it has seen of the others may be some microseconds old
        auto r = c.call_async(ask::of(9));
        bool const to_first = first.poll() == 1;
        owed.clear();
        (void)second.poll();
        return to_first;
    });
}

TEST_F(Load, OfAServerIsAlsoTheRequestThatItExecutes) {
    std::atomic<int> state{0};
    auto first = me.server<ask, told>(
                       "s",
                       [&](ask const& a) {
                           state = 1;
                           state.notify_all();
                           state.wait(1);
                           return told::of(a.number);
                       },
                       of_few())
                     .value();
    auto busy = only_of_one(other);
    auto theirs = busy.call_async(ask::of(1));
    std::optional<running<decltype(first)>> thread(std::in_place, first);
    state.wait(0);
    auto second = later(third, owed_by_second);
    auto c = looking();
    ASSERT_EQ(c.servers(), 2u);
    for (std::uint64_t i = 0; i < 64; ++i) { // one at a time, and none to the one that is busy
        auto call = c.call_async(ask::of(i));
        ASSERT_EQ(second.poll(), 1u) << "call " << i;
        ASSERT_TRUE(owed_by_second.back().answer(told::of(i)));
        ASSERT_TRUE(call.get().value()->answers(i));
    }
    state = 2;
    state.notify_all();
    EXPECT_TRUE(theirs.get().value()->answers(1));
    thread.reset();
}

TEST_F(Load, OfAClientThatIsGoneIsNobodys) {
    auto first = later(me, owed);
    {
        auto gone = only_of_one(other);
        for (std::uint64_t i = 0; i < 5; ++i) {
            (void)gone.call_async(ask::of(i)).cancel();
        }
        auto calls = gone.call_async(ask::of(5));
        EXPECT_EQ(first.poll(), 6u);
        ASSERT_EQ(owed.size(), 1u) << "the others were cancelled";
        EXPECT_EQ(left_to_others(me), (std::array<std::uint64_t, 2>{1, 0}));
    }
    EXPECT_EQ(first.poll(), 0u); // it sees the end, and the lane is free
    EXPECT_EQ(left_to_others(me), (std::array<std::uint64_t, 2>{0, 0}));
    auto next = only_of_one(other);
    auto call = next.call_async(ask::of(6));
    EXPECT_EQ(first.poll(), 1u);
    EXPECT_FALSE(owed.at(0).answer(told::of(5))) << "too late, and not the next one's";
    EXPECT_EQ(left_to_others(me), (std::array<std::uint64_t, 2>{1, 0}));
    first.close();
    EXPECT_FALSE(owed.at(1).answer(told::of(6))) << "into memory that is not there any more";
}

TEST_F(Servers, CountWhatFailsLaterAsWhatFailsAtOnce) {
    std::vector<deferred<told>> owed;
    auto s = me.server<ask, told>("s", [&](ask const& a, deferred<told> d, call_context&) {
                   if (a.number == 4) {
                       throw std::runtime_error("out of ink");
                   }
                   owed.push_back(std::move(d));
               }).value();
    auto c = other.client<ask, told>("s", calling()).value();
    std::vector<pending_call<told>> calls;
    for (std::uint64_t i = 0; i < 4; ++i) {
        calls.push_back(c.call_async(ask::of(i)));
    }
    ASSERT_TRUE(c.post(ask::of(5)).has_value());
    EXPECT_EQ(s.poll(), 5u);
    EXPECT_EQ(s.failed(), 0u);
    EXPECT_TRUE(owed.at(0).answer(told::of(0)));
    std::thread([&] { EXPECT_TRUE(owed.at(1).fail(7, "no paper")); }).join();
    owed.at(2) = std::move(owed.at(3)); // the third is let go
    EXPECT_EQ(s.failed(), 2u);
    owed.pop_back(); // that of post(): nobody minds
    EXPECT_EQ(s.failed(), 2u);
    EXPECT_TRUE(owed.at(2).fail(8));
    EXPECT_EQ(s.failed(), 3u);
    EXPECT_EQ(calls[1].get().error().code, 7);
    EXPECT_EQ(calls[2].get().error().fault, server_fault::unanswered);
    EXPECT_EQ(calls[3].get().error().code, 8);
    auto threw = c.call_async(ask::of(4));
    EXPECT_EQ(s.poll(), 1u);
    EXPECT_EQ(threw.get().error().fault, server_fault::threw);
    EXPECT_EQ(s.failed(), 4u);
    auto const entries = me.core()->entries(entry_kind::service, "s");
    ASSERT_EQ(entries.size(), 1u);
    EXPECT_EQ(read_inbox_stats(me.core()->dir(), entries[0]).value().failed, 4u)
        << "others see it too";
    EXPECT_EQ(s.deferred(), 0u);
}

TEST_F(Servers, FindThatARequestInAChunkWasGivenUp) {
    server_options so = serving(8);
    so.inline_bytes_max = 256;
    std::uint64_t last = 0;
    auto s = me.server<page, told>(
                   "s",
                   [&](page const& b) {
                       last = b.words.back();
                       return told::of(b.words[0]);
                   },
                   so)
                 .value();
    client_options o = calling();
    o.with_breaker = false; // however many are given up
    auto c = other.client<page, told>("s", o).value();
    page b{};
    for (std::uint64_t i = 0; i < 20; ++i) { // chunks are used again
        b.words.front() = b.words.back() = 2 * i;
        auto const late = c.call(b, 1us);
        EXPECT_EQ(late.error(), call_errc::deadline);
        EXPECT_EQ(late.error().executed, executed::no);
        auto given_up = c.call_async(b);
        given_up.cancel();
        EXPECT_EQ(given_up.get().error().executed, executed::no);
        b.words.front() = b.words.back() = 2 * i + 1;
        auto wanted = c.call_async(b);
        EXPECT_EQ(s.poll(), 3u);
        EXPECT_EQ(s.cancelled(), 2 * (i + 1));
        EXPECT_EQ(s.executed(), i + 1);
        EXPECT_TRUE(wanted.get().value()->answers(2 * i + 1));
        EXPECT_EQ(last, 2 * i + 1);
    }
    EXPECT_EQ(s.expired(), 0u);
}

/// What is shorter than the type: an error's text, and a reply in whose place there is room for one.
TEST_F(Servers, AnswerThroughChunksWhateverTheLengthOfTheAnswer) {
    client_options o = calling();
    o.inline_bytes_max = 0;
    {
        auto s = me.server<ask, page>("s", [](ask const& a) -> result<page, call_failure> {
                       if (a.number == 1) {
                           return call_failure(5, "no such page");
                       }
                       page p{};
                       p.words.fill(a.number);
                       return p;
                   }).value();
        auto c = other.client<ask, page>("s", o).value();
        for (std::uint64_t i = 0; i < 200; ++i) { // chunks are used again
            auto call = c.call_async(ask::of(i % 3));
            auto given_up = c.call_async(ask::of(i));
            given_up.cancel();
            ASSERT_EQ(s.poll(), 2u);
            auto const r = call.get();
            if (i % 3 == 1) {
                ASSERT_EQ(r.error(), call_errc::server_error);
                ASSERT_EQ(r.error().text(), "no such page");
            } else {
                ASSERT_TRUE(r.has_value()) << to_string(r.error().reason);
                ASSERT_EQ((*r)->words.back(), i % 3);
            }
        }
        EXPECT_EQ(c.poll(), 0u);
        EXPECT_EQ(c.late_replies(), 200u);
    }
    auto s = echo(me);
    auto c = other.client<ask, told>("s", o).value();
    running thread(s);
    for (std::uint64_t i = 0; i < 200; ++i) {
        auto const r = c.call(ask::of(i));
        ASSERT_TRUE(r.has_value()) << to_string(r.error().reason);
        ASSERT_TRUE((*r)->answers(i));
    }
}

} // namespace
} // namespace partywall::test
