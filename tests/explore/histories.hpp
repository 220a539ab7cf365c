// SPDX-License-Identifier: BSL-1.0
// Random histories of processes that may be killed.
#pragma once

#include "linearize.hpp"
#include "machine.hpp"

#include "support/counts.hpp"
#include "support/watchdog.hpp"

#include <partywall/segment/owner_word.hpp>

#include <gtest/gtest.h>

#include <iostream>
#include <random>

namespace partywall::test::explore {

constexpr std::uint64_t ticket_of(unsigned thread) { return thread + 1; }
constexpr unsigned thread_of(owner seen) { return static_cast<unsigned>(seen.ticket() - 1); }

/// Runs so many histories; `make` gets a machine and dice.
template <class Make>
void expect_linearizable(char const* what, Make make) {
    watchdog::extend(std::chrono::minutes(10));
    machine run;
    bounds limits;
    limits.strong = true;
    std::uint64_t const histories = test::count(400, 5000);
    std::uint64_t const first = test::run_seed();
    std::uint64_t killed = 0;
    for (std::uint64_t i = 0; i < histories; ++i) {
        std::mt19937_64 dice(first + i);
        outcome const result =
            run.sample([&] { return make(run, dice); }, first + i, 1, {}, limits);
        killed += result.crash_points;
        ASSERT_EQ(result.violation, "") << "seed " << first + i;
    }
    std::cout << what << ": " << histories << " histories from seed " << first << ", " << killed
              << " kills\n";
    EXPECT_GT(killed, histories / 10);
}

} // namespace partywall::test::explore
