// SPDX-License-Identifier: BSL-1.0
#include "ring_memory.hpp"

#include <gtest/gtest.h>

#include <map>

namespace partywall::test {
namespace {

using detail::cell_state;
using detail::cursor_at;
using detail::judge_stamp;
using detail::ready_stamp;
using detail::writing_stamp;

TEST(Stamps, AreWhatTheLayoutSays) {
    EXPECT_EQ(writing_stamp(0), 1U);
    EXPECT_EQ(ready_stamp(0), 2U);
    EXPECT_EQ(writing_stamp(7), 15U);
    EXPECT_EQ(ready_stamp(7), 16U);
    EXPECT_EQ(ready_stamp(~std::uint64_t{0}), 0U);
    EXPECT_EQ(writing_stamp(~std::uint64_t{0}), ~std::uint64_t{0});
}

TEST(Cursors, AreNeverNone) {
    for (std::uint64_t const position : edge_positions()) {
        EXPECT_NE(cursor_at(position), detail::cursor_none) << position;
        EXPECT_EQ(cursor_at(position) & 1, 1U);
    }
}

/// Every stamp that a writer can leave in the cell of `position`, by what it means there.
std::map<std::uint64_t, cell_state> honest_stamps(std::uint64_t position, std::uint64_t cells) {
    std::map<std::uint64_t, cell_state> all;
    for (std::uint64_t lap = 1; lap <= 6; ++lap) {
        all[ready_stamp(position + lap * cells)] = cell_state::lapped;
        all[writing_stamp(position + lap * cells)] = cell_state::lapped;
    }
    all[ready_stamp(position)] = cell_state::ready;
    all[writing_stamp(position)] = cell_state::not_yet;
    all[ready_stamp(position - cells)] = cell_state::not_yet;
    all[writing_stamp(position - cells)] = cell_state::not_yet;
    return all;
}

TEST(JudgeStamp, KnowsEveryStampThatAWriterLeavesAndNoOther) {
    for (std::uint64_t const cells : {4U, 8U, 64U}) {
        for (std::uint64_t const position : edge_positions()) {
            auto const honest = honest_stamps(position, cells);
            // Two laps back to four laps ahead, one by one.
            std::uint64_t const first = ready_stamp(position - 3 * cells);
            for (std::uint64_t i = 0; i < 14 * cells; ++i) {
                std::uint64_t const stamp = first + i;
                auto const known = honest.find(stamp);
                cell_state const expected =
                    known == honest.end() ? cell_state::corrupt : known->second;
                ASSERT_EQ(judge_stamp(stamp, position, cells), expected)
                    << "stamp " << stamp << " at " << position << " of " << cells;
            }
        }
    }
}

TEST(JudgeStamp, TakesNoHostileNumberForAMessage) {
    for (std::uint64_t const cells : {std::uint64_t{4}, cells_max}) {
        for (std::uint64_t const position : edge_positions()) {
            for (std::uint64_t const stamp : hostile_numbers(ready_stamp(position), cells)) {
                cell_state const state = judge_stamp(stamp, position, cells);
                EXPECT_EQ(state == cell_state::ready, stamp == ready_stamp(position));
                if ((stamp - ready_stamp(position) + (stamp & 1)) % (2 * cells) != 0) {
                    EXPECT_EQ(state, cell_state::corrupt) << stamp << " at " << position;
                }
            }
        }
    }
}

TEST(JudgeStamp, CallsTheFirstCellOfAnUnformattedRingCorrupt) {
    // Zeros are what a cell holds that nobody formatted: the stamp of position 2^64-1, ready.
    EXPECT_EQ(judge_stamp(0, 0, 4), cell_state::corrupt);
    EXPECT_EQ(judge_stamp(0, 100, 4), cell_state::corrupt);
}

} // namespace
} // namespace partywall::test
