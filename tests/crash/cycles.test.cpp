// SPDX-License-Identifier: BSL-1.0
// Lives that end at any moment, again and again; and one that stands still for long.
#include "stage.hpp"

#include <partywall/os/clock.hpp>
#include <support/counts.hpp>
#include <support/watchdog.hpp>

#include <array>
#include <random>

namespace partywall::test {
namespace {

/// Of the heap and in pages: what may come and go in the same process with nobody's death.
constexpr std::uint64_t heap_slack_bytes = 8 * 1024;
constexpr std::uint64_t slack_pages = 256;

/// Nothing of the dead stays in the memory of those who outlive them.
void expect_no_growth(std::array<footprint, 2> const& before,
                      std::array<footprint, 2> const& after) {
    for (std::size_t i = 0; i < before.size(); ++i) {
        std::printf("survivor %zu: heap %llu bytes, then %llu, of them %llu entries of its books; "
                    "pages %llu, then %llu\n",
                    i + 1, static_cast<unsigned long long>(before[i].heap_bytes),
                    static_cast<unsigned long long>(after[i].heap_bytes),
                    static_cast<unsigned long long>(after[i].entries - before[i].entries),
                    static_cast<unsigned long long>(before[i].private_pages),
                    static_cast<unsigned long long>(after[i].private_pages));
        EXPECT_LE(after[i].heap_without_books(), before[i].heap_without_books() + heap_slack_bytes);
        std::uint64_t const of_books =
            (after[i].entries - before[i].entries) * footprint::entry_bytes / 4096;
        EXPECT_LE(after[i].private_pages, before[i].private_pages + slack_pages + of_books);
    }
}

class CrashCycles : public testing::TestWithParam<char const*> {};

// Files, slots, descriptors and mappings are compared in every round. How long rounds take is printed;
// that nothing gets longer with the number of deaths is judged by what a newcomer has to do, in
// stores and system calls, which no other process on the machine can change.
TEST_P(CrashCycles, LeaveSurvivorsWithWhatTheyHadBefore) {
    watchdog::extend(4h);
    unsigned const seed = run_seed();
    std::mt19937_64 random(seed);
    stage s(operation_named(GetParam()));
    std::uint64_t const rounds = count(20, 10'000);
    std::uint64_t const tenth = rounds / 10;
    std::uint64_t took_ns[10] = {};
    bool const traps = store_trap::unsupported() == nullptr;
    operation const& newcomer =
        operation_named(s.where().lossless() ? "come_and_go" : "come_and_go_dropping");
    std::uint64_t const work_before = traps ? s.work_of(newcomer) : 0;
    auto memory_before = s.footprints();
    for (std::uint64_t i = 0; i < rounds && s.figures().violations < 10; ++i) {
        if (i == tenth) {
            memory_before = s.footprints(); // what is allocated once is there by now
        }
        std::uint64_t const begun_ns = os::monotonic_ns();
        s.round_timed(std::chrono::microseconds(random() % 5000));
        took_ns[std::min<std::uint64_t>(i / tenth, 9)] += os::monotonic_ns() - begun_ns;
    }
    s.figures().report(std::string(GetParam()) + ", cycles");
    std::uint64_t const work_after = traps ? s.work_of(newcomer) : 0;
    std::printf(
        "seed %u; first tenth %.1f ms a round, last tenth %.1f ms; a newcomer makes %llu stores "
        "and system calls, then %llu\n",
        seed, static_cast<double>(took_ns[0]) / static_cast<double>(tenth) / 1e6,
        static_cast<double>(took_ns[9]) / static_cast<double>(tenth) / 1e6,
        static_cast<unsigned long long>(work_before), static_cast<unsigned long long>(work_after));
    EXPECT_LE(work_after, work_before + work_before / 2);
    expect_no_growth(memory_before, s.footprints());
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
