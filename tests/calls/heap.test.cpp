// SPDX-License-Identifier: BSL-1.0
// Calls and their answers do not use the heap.
#include "support.hpp"

#include <support/counting_new.hpp>
#if PARTYWALL_TEST_COUNTS_NEW
#include <support/counts.hpp>

#include <atomic>
#include <vector>

namespace partywall::test {
namespace {

/// What the handler has seen of its thread: allocations up to its last request.
class counting_service {
  public:
    explicit counting_service(participant& me, bool wasteful = false)
        : server_(me.server<ask, told>(
                        "s",
                        [this, wasteful](ask const& a) {
                            seen_.store(allocations);
                            if (wasteful) {
                                memory_.emplace_back(a.number);
                                memory_.shrink_to_fit();
                            }
                            return told::of(a.number);
                        },
                        serving())
                      .value()) {}
    server<ask, told>& serves() { return server_; }
    std::uint64_t seen() const { return seen_.load(); }

  private:
    std::atomic<std::uint64_t> seen_{0};
    std::vector<std::uint64_t> memory_;
    server<ask, told> server_;
};

std::uint64_t calls_gone_wrong(client<ask, told>& c, std::uint64_t calls) {
    std::uint64_t wrong = 0;
    for (std::uint64_t i = 0; i < calls; ++i) {
        auto const r = c.call(ask::of(i));
        wrong += r && (*r)->answers(i) ? 0 : 1;
    }
    return wrong;
}

TEST(CallHeap, IsNotUsedByEitherSideOfACall) {
    scratch_root root;
    participant me = joined(root.path(), "both");
    counting_service s(me);
    auto c = me.client<ask, told>("s", calling()).value();
    running const beside(s.serves());
    EXPECT_EQ(calls_gone_wrong(c, 20), 0U);
    std::uint64_t const here = allocations;
    std::uint64_t const there = s.seen();
    EXPECT_EQ(calls_gone_wrong(c, count(2000, 1'000'000)), 0U);
    EXPECT_EQ(allocations, here);
    EXPECT_EQ(s.seen(), there);
}

TEST(CallHeap, IsSeenBeingUsed) { // or the test above could not fail
    scratch_root root;
    participant me = joined(root.path(), "both");
    counting_service s(me, true);
    auto c = me.client<ask, told>("s", calling()).value();
    running const beside(s.serves());
    EXPECT_EQ(calls_gone_wrong(c, 20), 0U);
    std::uint64_t const there = s.seen();
    EXPECT_EQ(calls_gone_wrong(c, 20), 0U);
    EXPECT_GE(s.seen(), there + 19);
}

TEST(StreamHeap, IsNotUsedByTheRepliesThatAreWaitedFor) {
    scratch_root root;
    participant me = joined(root.path(), "both");
    server_options o = serving();
    o.workers = 1;
    auto s = me.server<ask, told>(
                   "s",
                   [](ask const& a, stream_writer<told> out, call_context&) {
                       std::uint64_t i = 0;
                       while (i < a.number && out.send(told::of(i), 1h)) {
                           i += 1;
                       }
                       (void)out.finish();
                   },
                   o)
                 .value();
    auto c = me.client<ask, told>("s", calling()).value();
    running const beside(s);
    std::uint64_t const replies = count(2000, 100'000);
    auto in = c.stream(ask::of(replies));
    EXPECT_TRUE(in.next().has_value());
    std::uint64_t const here = allocations;
    std::uint64_t right = 1;
    while (auto const r = in.next()) {
        right += (*r)->answers(right) ? 1 : 0;
        if (right == replies) {
            EXPECT_EQ(allocations, here);
        }
    }
    EXPECT_EQ(right, replies);
}

} // namespace
} // namespace partywall::test

#endif
