// SPDX-License-Identifier: BSL-1.0
// Sending and receiving, killed after any number of instructions.
#include "stage.hpp"

#include <support/counts.hpp>
#include <support/watchdog.hpp>

#include <random>

namespace partywall::test {
namespace {

class EveryInstruction : public testing::TestWithParam<char const*> {};

TEST_P(EveryInstruction, MayBeTheLastOfAProcess) {
    if (char const* const why = store_trap::unsupported()) {
        GTEST_SKIP() << why;
    }
    watchdog::extend(1h);
    stage s(operation_named(GetParam()));
    while (s.round_stepped(1'000'000)) {
        ASSERT_LT(s.figures().violations, 3u);
    }
    std::uint64_t const total = s.instructions();
    std::uint64_t const tries = count(8, total);
    unsigned const seed = run_seed();
    std::mt19937_64 random(seed);
    for (std::uint64_t i = 1; i <= tries && s.figures().violations < 10; ++i) {
        (void)s.round_stepped(tries == total ? i : 1 + random() % total);
    }
    std::printf("%llu instructions, %llu tried, seed %u\n", static_cast<unsigned long long>(total),
                static_cast<unsigned long long>(tries), seed);
    s.figures().report(std::string(GetParam()) + ", instructions");
    EXPECT_EQ(s.figures().violations, 0u);
}

INSTANTIATE_TEST_SUITE_P(Operation, EveryInstruction,
                         testing::Values("send", "send_after_a_lap", "send_dropping_at_the_wrap",
                                         "send_wakes_a_sleeper", "loan_and_send",
                                         "receive_and_give_back", "receive_copy",
                                         "receive_overtaken", "post", "post_after_a_lap",
                                         "post_dropping_at_the_wrap", "post_wakes_a_sleeper",
                                         "loan_and_post", "take_and_give_back", "take_copy",
                                         "take_overtaken", "take_of_two"),
                         [](auto const& one) { return std::string(one.param); });

} // namespace
} // namespace partywall::test
