// SPDX-License-Identifier: BSL-1.0
// Replies that come late, again and again; and handlers that misbehave.
#include "support.hpp"

#include <support/counts.hpp>
#include <support/sandbox.hpp>
#include <support/watchdog.hpp>

#include <atomic>
#include <optional>
#include <stdexcept>
#include <vector>

namespace partywall::test {
namespace {

struct LateTest : testing::Test {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
};
using Late = LateTest;

/// A client times out and sends the next request; the server answers the old one, late, before or
/// after the new one. Slots are few, and their generations wrap on the way.
TEST_F(Late, RepliesAreNeverThoseOfTheNextRequestHoweverOften) {
    watchdog::extend(10min);
    std::vector<std::pair<std::uint64_t, deferred<told>>> owed;
    owed.reserve(4);
    auto s = me.server<ask, told>("s", [&](ask const& a, deferred<told> d, call_context&) {
                   owed.emplace_back(a.number, std::move(d));
               }).value();
    std::uint64_t const tries = count(20'000, 1'000'000);
    client_options o = calling();
    o.calls_max = 3;
    o.with_breaker = false;
    o.first_generation = ~std::uint32_t{0} - static_cast<std::uint32_t>(tries / 6);
    auto c = other.client<ask, told>("s", o).value();
    for (std::uint64_t i = 0; i < tries; ++i) {
        auto old = c.call_async(ask::of(2 * i));
        ASSERT_EQ(s.poll(), 1u);
        old.cancel(); // as its deadline does
        ASSERT_EQ(old.get().error().executed, executed::maybe);
        auto next = c.call_async(ask::of(2 * i + 1));
        ASSERT_EQ(s.poll(), 1u);
        ASSERT_EQ(owed.size(), 2u);
        bool const old_first = i % 3 != 0;
        for (std::size_t const at : {old_first ? 0u : 1u, old_first ? 1u : 0u}) {
            ASSERT_TRUE(owed[at].second.answer(told::of(owed[at].first)));
        }
        owed.clear();
        auto const r = next.get();
        ASSERT_TRUE(r.has_value()) << to_string(r.error().reason);
        ASSERT_TRUE((*r)->answers(2 * i + 1));
        (void)c.poll();
    }
    EXPECT_EQ(c.late_replies(), tries);
    EXPECT_EQ(c.open_calls(), 0u);
    EXPECT_EQ(s.lost(), 0u);
}

/// The server finds the cancel word of a call that was interrupted, and its answer is there before the
/// client has looked once more.
TEST_F(Late, AnInterruptIsSaidToBeOneAlsoWhereTheServerWasFasterToLeaveTheRequestOut) {
    auto s = me.server<ask, told>("s", [](ask const& a) { return told::of(a.number); }).value();
    client_options o = calling();
    o.with_breaker = false;
    auto c = other.client<ask, told>("s", o).value();
    std::atomic<std::uint64_t> asked{0};
    std::atomic<bool> over{false};
    std::jthread const serve([&] {
        std::uint64_t served = 0;
        while (!over) {
            if (asked != served) {
                served += 1;
                for (std::uint64_t i = 0; i < served % 64 * 256; ++i) { // sooner or later
                    std::atomic_signal_fence(std::memory_order_seq_cst);
                }
                while (s.poll() == 0 && !over) {
                }
            }
        }
    });
    std::uint64_t left_out_in_time = 0;
    for (std::uint64_t i = 0; left_out_in_time < 3 && !HasFailure(); ++i) {
        c.interrupt();
        asked += 1;
        auto const r = c.call(ask::of(i));
        if (r.has_value()) {
            EXPECT_TRUE((*r)->answers(i));
        } else {
            EXPECT_EQ(to_string(r.error().reason), to_string(call_errc::interrupted));
            left_out_in_time += r.error().executed == executed::no && c.open_calls() == 0 ? 1 : 0;
        }
        while (c.open_calls() != 0) {
            (void)c.poll();
        }
    }
    over = true;
}

TEST_F(Late, AWaitForNoTimeSeesTheDeadlineOfItsCall) {
    auto s = me.server<ask, told>("s", [](ask const& a) { return told::of(a.number); }).value();
    auto c = other.client<ask, told>("s", calling()).value();
    auto late = c.call_async(ask::of(1), 1ms);
    auto stream = c.stream(ask::of(2), {.deadline = 1ms});
    eventually([&] { return late.wait(0ns); }); // and nobody polls
    EXPECT_EQ(late.get().error(), call_errc::deadline);
    eventually([&] { return !stream.has_ended() && !stream.next(0ns) && stream.has_ended(); });
    EXPECT_EQ(stream.error(), call_errc::deadline);
    EXPECT_EQ(s.poll(), 3u) << "and it is told that nobody reads the stream";
    EXPECT_EQ(s.cancelled(), 2u);
}

/// Calls that it serves itself, polls itself, closes itself, throws: no slot, no cell and no reply
/// is kept by any of it.
TEST_F(Late, HandlersThatCallThrowPollAndCloseKeepNothing) {
    std::optional<server<ask, told>> s;
    client_options of_handler = calling(1ms);
    of_handler.with_breaker = false;
    auto inner = me.client<ask, told>("s", of_handler).value();
    s.emplace(me.server<ask, told>("s", [&](ask const& a) {
                    switch (a.number % 4) {
                    case 0: throw std::runtime_error("no");
                    case 1: EXPECT_EQ(s->poll(), 0u); break;
                    case 2: EXPECT_EQ(s->run(), wait_errc::closed); break;
                    default: // of itself, which is busy
                        if (a.number < 1000) {
                            auto const r = inner.call(ask::of(a.number + 1000));
                            EXPECT_EQ(r.error(), call_errc::deadline);
                            EXPECT_EQ(r.error().executed, executed::no);
                        }
                        break;
                    }
                    return told::of(a.number);
                }).value());
    client_options o = calling();
    o.with_breaker = false;
    auto c = other.client<ask, told>("s", o).value();
    for (std::uint64_t i = 0; i < 400; ++i) { // more than there are slots and cells
        auto call = c.call_async(ask::of(i));
        std::size_t const dealt = s->poll();
        ASSERT_EQ(dealt, i % 4 == 3 ? 2u : 1u) << "what it called is left out behind it";
        auto const r = call.get();
        if (i % 4 == 0) {
            ASSERT_EQ(r.error().fault, server_fault::threw);
        } else {
            ASSERT_TRUE((*r)->answers(i));
        }
        (void)inner.poll();
    }
    EXPECT_EQ(s->cancelled(), 100u);
    EXPECT_EQ(s->failed(), 100u);
    EXPECT_EQ(c.open_calls(), 0u);
    EXPECT_EQ(inner.open_calls(), 0u);
}

} // namespace
} // namespace partywall::test
