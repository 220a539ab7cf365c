// SPDX-License-Identifier: BSL-1.0
// Every scenario, exhaustively: every interleaving, every value that a load may return, every
// place where somebody may be killed.
#include "scenarios.hpp"

#include "support/counts.hpp"
#include "support/watchdog.hpp"

#include <gtest/gtest.h>

#include <iostream>

namespace partywall::test::explore {
namespace {

class Scenarios : public testing::TestWithParam<named_scenario> {};

TEST_P(Scenarios, HoldInEveryScheduleAndWithEveryStaleValue) {
    watchdog::extend(std::chrono::minutes(10));
    outcome const result = GetParam().run({});
    say(GetParam().name, result);
    EXPECT_TRUE(result.complete);
    EXPECT_EQ(result.violation, "");
}

/// With larger bounds than can be exhausted, by chance. A failure names the seed of its schedule:
/// PARTYWALL_TEST_SEED gives it again.
class LargeScenarios : public testing::TestWithParam<named_scenario> {};

TEST_P(LargeScenarios, HoldInRandomSchedules) {
    watchdog::extend(std::chrono::minutes(10));
    way how;
    how.random = test::count(500, 200'000);
    how.seed = test::run_seed();
    std::cout << "seed " << how.seed << ", ";
    outcome const result = GetParam().run(how);
    say(GetParam().name, result);
    EXPECT_EQ(result.violation, "");
}

INSTANTIATE_TEST_SUITE_P(All, LargeScenarios, testing::ValuesIn(all_scenarios(true)),
                         [](auto const& one) { return one.param.name; });

INSTANTIATE_TEST_SUITE_P(All, Scenarios, testing::ValuesIn(all_scenarios(test::full_counts())),
                         [](auto const& one) { return one.param.name; });

} // namespace
} // namespace partywall::test::explore
