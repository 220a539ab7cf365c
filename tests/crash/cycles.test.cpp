// SPDX-License-Identifier: BSL-1.0
// Lives that end at any moment, again and again; and one that stands still for long.
#include "stage.hpp"

#include <partywall/os/clock.hpp>
#include <support/counts.hpp>
#include <support/watchdog.hpp>

#include <fstream>
#include <random>

namespace partywall::test {
namespace {

/// Pages of this process in memory.
std::uint64_t resident_pages() {
    std::ifstream file("/proc/self/statm");
    std::uint64_t size = 0;
    std::uint64_t resident = 0;
    file >> size >> resident;
    return resident;
}

class CrashCycles : public testing::TestWithParam<char const*> {};

// Files, slots, descriptors and mappings are compared in every round.
TEST_P(CrashCycles, LeaveSurvivorsWithWhatTheyHadBefore) {
    watchdog::extend(4h);
    unsigned const seed = run_seed();
    std::mt19937_64 random(seed);
    stage s(operation_named(GetParam()));
    std::uint64_t const rounds = count(20, 10'000);
    std::uint64_t const tenth = rounds / 10;
    std::uint64_t took_ns[10] = {};
    std::uint64_t const pages_before = resident_pages();
    for (std::uint64_t i = 0; i < rounds && s.figures().violations < 10; ++i) {
        std::uint64_t const begun_ns = os::monotonic_ns();
        s.round_timed(std::chrono::microseconds(random() % 5000));
        took_ns[std::min<std::uint64_t>(i / tenth, 9)] += os::monotonic_ns() - begun_ns;
    }
    s.figures().report(std::string(GetParam()) + ", cycles");
    std::printf("seed %u; first tenth %.1f ms a round, last tenth %.1f ms; pages %llu, then %llu\n",
                seed, static_cast<double>(took_ns[0]) / static_cast<double>(tenth) / 1e6,
                static_cast<double>(took_ns[9]) / static_cast<double>(tenth) / 1e6,
                static_cast<unsigned long long>(pages_before),
                static_cast<unsigned long long>(resident_pages()));
    EXPECT_EQ(s.figures().violations, 0u);
}

INSTANTIATE_TEST_SUITE_P(Of, CrashCycles,
                         testing::Values("life_of_a_publisher", "life_of_a_dropping_publisher",
                                         "life_of_a_lossless_subscriber",
                                         "life_of_a_lossy_subscriber", "life_of_a_looker",
                                         "life_of_a_sender", "life_of_a_dropping_sender",
                                         "life_of_a_receiver", "life_of_a_dropping_receiver"),
                         [](auto const& one) { return std::string(one.param); });

class StoppedWithALoan : public testing::TestWithParam<char const*> {};

TEST_P(StoppedWithALoan, IsNotDeclaredDeadAndSendsItWhenItGoesOn) {
    if (char const* const why = store_trap::unsupported()) {
        GTEST_SKIP() << why;
    }
    watchdog::extend(10min);
    stage s(operation_named(GetParam()));
    for (std::uint64_t i = count(3, 10); i != 0; --i) {
        s.stay_stopped_for(count(0, 30) * std::chrono::milliseconds(1000));
        (void)s.round(trap_action::stop, 0);
    }
    s.figures().report(GetParam());
    EXPECT_EQ(s.figures().freezes, count(3, 10));
    EXPECT_EQ(s.figures().violations, 0u);
}

INSTANTIATE_TEST_SUITE_P(Of, StoppedWithALoan,
                         testing::Values("stop_with_a_loan", "stop_with_a_loan_of_a_lane"),
                         [](auto const& one) { return std::string(one.param); });

} // namespace
} // namespace partywall::test
