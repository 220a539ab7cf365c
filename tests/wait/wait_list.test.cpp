// SPDX-License-Identifier: BSL-1.0
#include <partywall/wait/waiting.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace partywall::test {
namespace {

using detail::wait_list;
using os::futex_result;

constexpr std::uint64_t far = ~std::uint64_t{0};

/// A kernel with and without futex_waitv.
class WaitList : public testing::TestWithParam<bool> {
  protected:
    WaitList() { os::for_test::disable_futex_waitv(GetParam()); }
    ~WaitList() override { os::for_test::disable_futex_waitv(false); }

    std::uint32_t interrupts_ = 0;
    std::uint32_t data_ = 0;
};

TEST_P(WaitList, ReturnsAtOnceWhenItsDataWordHasChanged) {
    wait_list words;
    words.add({&interrupts_, 0, false});
    words.add_data({&data_, 1, true}); // it is 0
    EXPECT_EQ(words.park(far), futex_result::changed);
}

TEST_P(WaitList, FindsTheDataWordBehindOtherWords) {
    std::vector<std::uint32_t> lives(5);
    wait_list words;
    words.add({&interrupts_, 0, false});
    for (auto const& life : lives) {
        words.add({&life, 0, true});
    }
    words.add_data({&data_, 1, true});
    EXPECT_EQ(words.park(far), futex_result::changed);
}

TEST_P(WaitList, EndsAtItsDeadline) {
    wait_list words;
    words.add({&interrupts_, 0, false});
    words.add_data({&data_, 0, true});
    std::uint64_t const until = os::monotonic_ns() + 2'000'000;
    // Spurious ends are allowed; a deadline that passed is not slept past for ever.
    while (os::monotonic_ns() < until) {
        EXPECT_NE(words.park(until), futex_result::changed);
    }
    EXPECT_EQ(words.park(until), futex_result::timed_out);
}

TEST_P(WaitList, EndsEverySleepWithItsSlice) {
    wait_list words;
    words.add({&interrupts_, 0, false});
    words.add_data({&data_, 0, true});
    words.peer_death_matters();
    EXPECT_NE(words.park(far), futex_result::changed); // else the watchdog speaks
    words.cannot_rely_on_wakes();
    EXPECT_NE(words.park(far), futex_result::changed);
}

TEST_P(WaitList, HasShortSlicesOnlyForDeathsThatNothingTellsOf) {
    wait_list words = wait_list::of_descriptor();
    EXPECT_EQ(words.tick_ns(), detail::slice::idle_ns);
    words.peer_death_is_told();
    EXPECT_EQ(words.tick_ns(), detail::slice::told_ns);
    words.peer_death_matters(); // of another
    EXPECT_EQ(words.tick_ns(), detail::slice::peer_ns);
    words.peer_death_is_told();
    EXPECT_EQ(words.tick_ns(), detail::slice::peer_ns);
    words.cannot_rely_on_wakes();
    EXPECT_EQ(words.tick_ns(), detail::slice::polling_ns);
}

TEST_P(WaitList, TakesNoMoreWordsThanTheKernelDoes) {
    std::vector<std::uint32_t> lives(wait_words_max + 9);
    wait_list words;
    words.add({&interrupts_, 0, false});
    std::size_t added = 1;
    for (auto const& life : lives) {
        added += words.add({&life, 0, true}) ? 1 : 0;
    }
    EXPECT_EQ(added, wait_words_max);
    // The only data word did not fit: its slices have to do, and no word is slept on by mistake.
    EXPECT_FALSE(words.add_data({&data_, 0, true}));
    EXPECT_NE(words.park(far), futex_result::changed);
}

TEST_P(WaitList, SeesAnInterruptThatCameBeforeTheSleep) {
    wait_list words;
    words.add({&interrupts_, 0, false});
    interrupts_ = 1;
    EXPECT_EQ(words.park(far), futex_result::changed);
}

INSTANTIATE_TEST_SUITE_P(Kernels, WaitList, testing::Values(false, true), [](auto const& param) {
    return param.param ? "WithoutFutexWaitv" : "WithFutexWaitv";
});

} // namespace
} // namespace partywall::test
