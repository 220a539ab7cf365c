// SPDX-License-Identifier: BSL-1.0
// A reader joins while the writer looks for room: every interleaving and every stale value, with
// the gate and the seat as they are, and with each part of the protocol taken out in turn.
#include "machine.hpp"

#include "support/counts.hpp"

#include <partywall/ring/gate.hpp>
#include <partywall/ring/reader_seat.hpp>

#include <gtest/gtest.h>

#include <iostream>

namespace partywall::test::explore {
namespace {

using gate = detail::gate<explored_atomics>;
using seat = detail::reader_seat<explored_atomics>;

constexpr std::uint64_t cells = 2;
constexpr std::uint64_t nothing = ~std::uint64_t{0};

/// One writer with a gate, one reader slot, and what both believe.
struct room {
    detail::ring_control control;
    detail::reader_slot slot;
    std::uint64_t start;
    std::uint64_t written;   ///< positions that the writer has begun
    std::uint64_t safe_from; ///< the reader relies on every cell from here on

    void clear(std::uint64_t first) {
        control = {};
        slot = {};
        control.position = first;
        start = written = first;
        safe_from = nothing;
    }
    bool overwritten() const {
        return safe_from != nothing && static_cast<std::int64_t>(written - (safe_from + cells)) > 0;
    }
};

void write(machine& run, room& shared, std::uint64_t messages) {
    gate room_ahead(shared.control, &shared.slot, 1, cells, shared.start);
    for (std::uint64_t p = shared.start; p != shared.start + messages; ++p) {
        gate::laggard held_by;
        while (!room_ahead.open(p) && !room_ahead.scan(p, held_by)) {
            if (!run.wait_for_change()) {
                return; // the reader stays where it is: held back for good, as it should be
            }
        }
        shared.written = p + 1;
        if (shared.overwritten()) {
            run.fail("overwrote a cell that the reader relies on");
        }
    }
}

/// Joins as production code does; the slot is its own when it returns.
seat take_seat(machine& run, room& shared) {
    owner mine;
    if (seat::claim(&shared.slot, 1, 7, detail::reader_role::lossless, mine) == nullptr) {
        run.fail("no slot");
    }
    return seat(shared.slot, shared.control, mine, fence_pair::publisher);
}

void join(machine& run, room& shared, bool go_on) {
    seat mine = take_seat(run, shared);
    std::uint64_t const from = mine.join();
    shared.safe_from = from;
    if (shared.overwritten()) {
        run.fail("joined at a cell that is already overwritten");
    }
    mine.set_ready();
    if (go_on) {
        shared.safe_from = from + 1;
        mine.publish_cursor(from + 1);
        shared.safe_from = nothing;
        mine.leave();
    }
}

outcome explore_join(std::uint64_t messages, bool go_on, std::uint64_t start = 0,
                     std::function<void(access&)> const& mutate = {}) {
    machine run;
    room shared;
    auto const result = run.explore(
        [&] {
            shared.clear(start);
            scenario s;
            s.threads = {[&] { write(run, shared, messages); }, [&] { join(run, shared, go_on); }};
            return s;
        },
        mutate);
    std::cout << "executions " << result.executions << ", states " << result.states << "\n";
    return result;
}

constexpr unsigned writer = 0;
constexpr unsigned joiner = 1;

void expect_proof(outcome const& result) {
    EXPECT_TRUE(result.complete);
    EXPECT_EQ(result.violation, "");
}

TEST(JoinAndScan, NeverLetsTheWriterOverwriteWhatAJoinerReliesOn) {
    expect_proof(explore_join(7, false));
}

TEST(JoinAndScan, HoldsAcrossTheEndOfThePositions) {
    expect_proof(explore_join(7, false, std::uint64_t{0} - 3));
    expect_proof(explore_join(7, false, (std::uint64_t{1} << 63) - 3));
}

TEST(JoinAndScan, HoldsWhileTheJoinerGoesOnAndLeaves) {
    expect_proof(explore_join(test::count(3, 5), true));
}

TEST(JoinAndScan, FailsWithoutTheFenceOfTheScan) {
    outcome const result = explore_join(7, false, 0, [](access& a) {
        a.skip = a.thread == writer && a.order == std::memory_order_seq_cst;
    });
    EXPECT_NE(result.violation, "");
}

TEST(JoinAndScan, FailsWithoutTheFenceOfTheJoiner) {
    outcome const result = explore_join(7, false, 0, [](access& a) {
        a.skip = a.thread == joiner && a.order == std::memory_order_seq_cst;
    });
    EXPECT_NE(result.violation, "");
}

TEST(JoinAndScan, FailsWithoutTheSecondReadingOfThePosition) {
    // The only word that the joiner loads twice.
    outcome const result = explore_join(7, false, 0, [](access& a) {
        a.repeat = a.thread == joiner && a.kind == access_kind::load && a.nth == 1;
    });
    EXPECT_NE(result.violation, "");
}

} // namespace
} // namespace partywall::test::explore
