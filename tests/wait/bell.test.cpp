// SPDX-License-Identifier: BSL-1.0
#include <partywall/wait/bell.hpp>

#include <gtest/gtest.h>

namespace partywall::test {
namespace {

using ringer = detail::bell_ringer<>;
using sleeper = detail::bell_sleeper<>;

struct words {
    std::uint32_t arm = 0;
    std::uint32_t rung = 0;
};

TEST(Bell, IsSilentWhileNobodySleeps) {
    for (auto const pair : {fence_pair::sleeper, fence_pair::publisher}) {
        words w;
        ringer bell(w.arm, w.rung, pair);
        EXPECT_FALSE(bell.armed());
        EXPECT_FALSE(bell.ring_if_armed());
        EXPECT_EQ(w.rung, 0U);
    }
}

TEST(Bell, RingsOnceForEveryArming) {
    words w;
    ringer bell(w.arm, w.rung, fence_pair::publisher);
    sleeper one(w.arm, w.rung);
    EXPECT_TRUE(one.prepare());
    EXPECT_TRUE(bell.armed());
    EXPECT_TRUE(bell.ring_if_armed());
    EXPECT_EQ(w.rung, 1U);
    EXPECT_FALSE(bell.armed());
    EXPECT_FALSE(bell.ring_if_armed());
}

TEST(Bell, ChangesTheWordThatEverySleeperWaitsOn) {
    words w;
    ringer bell(w.arm, w.rung, fence_pair::publisher);
    sleeper one(w.arm, w.rung);
    sleeper two(w.arm, w.rung);
    one.prepare();
    two.prepare();
    EXPECT_TRUE(bell.ring_if_armed());
    for (sleeper const& s : {one, two}) {
        EXPECT_EQ(s.rung_word().address, &w.rung);
        EXPECT_NE(s.rung_word().expected, w.rung);
        EXPECT_TRUE(s.rung_word().shared);
    }
}

TEST(Bell, StaysArmedWhileASliceBroughtNothing) {
    words w;
    sleeper one(w.arm, w.rung);
    EXPECT_TRUE(one.prepare());
    EXPECT_FALSE(one.prepare()); // the heavy fence was paid for already
    EXPECT_FALSE(one.prepare());
    EXPECT_EQ(w.arm, 1U);
    ringer(w.arm, w.rung, fence_pair::publisher).ring_if_armed();
    EXPECT_TRUE(one.prepare());
    EXPECT_EQ(w.arm, 2U);
}

TEST(Bell, ArmsAnewWhenItRangForSomebodyElse) {
    words w;
    ringer bell(w.arm, w.rung, fence_pair::publisher);
    sleeper one(w.arm, w.rung);
    sleeper two(w.arm, w.rung);
    one.prepare();
    bell.ring_if_armed();
    EXPECT_TRUE(two.prepare());
    EXPECT_EQ(w.arm, 2U);
    EXPECT_TRUE(bell.ring_if_armed());
}

TEST(Bell, FencesForSomeMessagesAfterItRangAndSaysSo) {
    words w;
    std::uint32_t fencing = 0;
    ringer bell(w.arm, w.rung, fence_pair::sleeper, &fencing, 3);
    sleeper one(w.arm, w.rung);
    EXPECT_TRUE(detail::omits_fence<>(fencing));
    one.prepare();
    EXPECT_TRUE(bell.ring_if_armed());
    EXPECT_FALSE(detail::omits_fence<>(fencing));
    EXPECT_FALSE(bell.ring_if_armed());
    EXPECT_FALSE(bell.ring_if_armed());
    EXPECT_FALSE(detail::omits_fence<>(fencing));
    one.prepare();
    EXPECT_TRUE(bell.ring_if_armed()); // from here on again
    for (int message = 0; message < 3; ++message) {
        EXPECT_FALSE(detail::omits_fence<>(fencing));
        EXPECT_FALSE(bell.ring_if_armed());
    }
    EXPECT_TRUE(detail::omits_fence<>(fencing));
}

TEST(Bell, DoesNotSayThatItFencesWhereItAlwaysDoes) {
    words w;
    std::uint32_t fencing = 0;
    ringer bell(w.arm, w.rung, fence_pair::publisher, &fencing, 1);
    sleeper one(w.arm, w.rung);
    one.prepare();
    EXPECT_TRUE(bell.ring_if_armed());
    for (int message = 0; message < 3; ++message) {
        EXPECT_FALSE(bell.ring_if_armed());
    }
    EXPECT_EQ(fencing, 0U);
}

TEST(Bell, RingsAcrossTheEndOfItsNumbers) {
    words w{~std::uint32_t{0}, ~std::uint32_t{0}};
    ringer bell(w.arm, w.rung, fence_pair::publisher);
    bell.ring_if_armed(); // it had not looked yet
    sleeper one(w.arm, w.rung);
    EXPECT_TRUE(one.prepare());
    EXPECT_EQ(w.arm, 0U);
    EXPECT_TRUE(bell.ring_if_armed());
    EXPECT_EQ(w.rung, 0U);
    EXPECT_NE(one.rung_word().expected, w.rung);
}

} // namespace
} // namespace partywall::test
