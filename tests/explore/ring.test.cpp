// SPDX-License-Identifier: BSL-1.0
// Stamps, fences and payload under every interleaving and every stale value: a reader that may
// be lapped at any instruction takes whole messages or none.
#include "machine.hpp"

#include "support/counts.hpp"

#include <partywall/ring/ring_reader.hpp>
#include <partywall/ring/ring_writer.hpp>

#include <gtest/gtest.h>

#include <iostream>

namespace partywall::test::explore {
namespace {

using ring_reader = detail::ring_reader<explored_atomics>;
using ring_writer = detail::ring_writer<explored_atomics>;

struct message {
    std::uint64_t first;
    std::uint64_t second;
};
message message_of(std::uint64_t position) { return {position * 4 + 1, position * 4 + 2}; }

constexpr std::uint64_t cells = 2;

/// Two cells of stamp and message.
struct memory {
    alignas(64) std::array<std::uint64_t, cells * 3> words;

    detail::ring_geometry geometry(std::uint64_t start) {
        detail::ring_geometry g;
        g.cells = reinterpret_cast<std::byte*>(words.data());
        g.cell_count = cells;
        g.stride = 24;
        g.payload_bytes_max = sizeof(message);
        g.payload_offset = 8;
        g.start_position = start;
        return g;
    }
    /// What ring_writer::format() leaves, without a simulated thread to run it.
    void format(std::uint64_t start) {
        words = {};
        for (std::uint64_t i = 0; i < cells; ++i) {
            words[((start + i) & (cells - 1)) * 3] = detail::writing_stamp(start + i - cells);
        }
    }
};

void write(detail::ring_geometry const& geometry, std::uint64_t messages) {
    ring_writer out(geometry);
    for (std::uint64_t i = 0; i < messages; ++i) {
        out.put(message_of(geometry.start_position + i));
    }
}

/// Takes up to `takes` messages and whatever lapped cells lie between.
void read(machine& run, detail::ring_geometry const& geometry, std::uint64_t takes) {
    ring_reader in(geometry, geometry.start_position);
    for (std::uint64_t taken = 0; taken < takes;) {
        switch (in.look()) {
        case detail::cell_state::not_yet:
            if (!run.wait_for_change()) {
                return;
            }
            break;
        case detail::cell_state::ready: {
            message got{};
            if (in.copy(reinterpret_cast<std::byte*>(&got), sizeof(got))) {
                message const sent = message_of(in.position());
                if (got.first != sent.first || got.second != sent.second) {
                    run.fail("a torn or foreign message");
                }
                taken += 1;
            }
            in.advance();
            break;
        }
        case detail::cell_state::lapped: in.advance(); break;
        case detail::cell_state::corrupt: run.fail("corrupt");
        }
    }
}

outcome explore_ring(std::uint64_t messages, std::uint64_t takes, std::uint64_t start = 0,
                     std::function<void(access&)> const& mutate = {}) {
    machine run;
    memory shared;
    auto const result = run.explore(
        [&] {
            shared.format(start);
            scenario s;
            s.threads = {[&] { write(shared.geometry(start), messages); },
                         [&] { read(run, shared.geometry(start), takes); }};
            return s;
        },
        mutate);
    std::cout << "executions " << result.executions << ", states " << result.states << "\n";
    return result;
}

constexpr unsigned writer = 0;
constexpr unsigned reader = 1;

bool is_fence(access const& a, unsigned thread) {
    return a.thread == thread && a.kind == access_kind::fence;
}

TEST(RingOrders, GiveWholeMessagesToAReaderThatIsLappedAnywhere) {
    for (std::uint64_t const start : {std::uint64_t{0}, std::uint64_t{0} - 3}) {
        outcome const result = explore_ring(3, test::count(1, 2), start);
        EXPECT_TRUE(result.complete);
        EXPECT_EQ(result.violation, "");
    }
}

TEST(RingOrders, NeedTheReleaseFenceAfterTheMark) {
    auto const result = explore_ring(3, 2, 0, [](access& a) { a.skip = is_fence(a, writer); });
    EXPECT_NE(result.violation, "");
}

TEST(RingOrders, NeedTheReleaseOfTheReadyStamp) {
    auto const result = explore_ring(3, 2, 0, [](access& a) {
        if (a.order == std::memory_order_release && a.kind == access_kind::store) {
            a.order = std::memory_order_relaxed;
        }
    });
    EXPECT_NE(result.violation, "");
}

TEST(RingOrders, NeedTheAcquireOfTheStamp) {
    auto const result = explore_ring(3, 2, 0, [](access& a) {
        if (a.order == std::memory_order_acquire && a.kind == access_kind::load) {
            a.order = std::memory_order_relaxed;
        }
    });
    EXPECT_NE(result.violation, "");
}

TEST(RingOrders, NeedTheAcquireFenceBeforeTheSecondLook) {
    auto const result = explore_ring(3, 2, 0, [](access& a) { a.skip = is_fence(a, reader); });
    EXPECT_NE(result.violation, "");
}

TEST(RingOrders, AreNotGivenByAReleaseStoreAsTheMark) {
    // The tempting shortcut: mark with a release store instead of a relaxed one and a fence.
    auto const result = explore_ring(3, 2, 0, [](access& a) {
        a.skip = is_fence(a, writer);
        if (a.thread == writer && a.kind == access_kind::store && (a.nth % 2) == 0) {
            a.order = std::memory_order_release; // of a stamp: the marks are its even stores
        }
    });
    EXPECT_NE(result.violation, "");
}

/// A late reader looks for the end while the writer goes on: never past it, never corrupt.
TEST(RingOrders, LetALateReaderFindAnEndThatExists) {
    machine run;
    memory shared;
    std::uint64_t begun = 0;
    auto const result = run.explore([&] {
        shared.format(0);
        begun = 0;
        scenario s;
        s.threads = {[&] {
                         ring_writer out(shared.geometry(0));
                         for (std::uint64_t i = 0; i < 3; ++i) {
                             begun = i + 1;
                             out.put(message_of(i));
                         }
                     },
                     [&] {
                         ring_reader in(shared.geometry(0), 0);
                         std::uint64_t const end = in.find_end(99);
                         if (end > begun) {
                             run.fail("an end that is not there yet");
                         }
                     }};
        return s;
    });
    std::cout << "executions " << result.executions << ", states " << result.states << "\n";
    EXPECT_TRUE(result.complete);
    EXPECT_EQ(result.violation, "");
}

} // namespace
} // namespace partywall::test::explore
