// SPDX-License-Identifier: BSL-1.0
#include <partywall/os/clock.hpp>

#include <gtest/gtest.h>

#include <cstdint>

namespace partywall::os {
namespace {

TEST(Clock, IsTheMonotonicOne) {
    timespec before{};
    ::clock_gettime(CLOCK_MONOTONIC, &before);
    std::uint64_t const now = monotonic_ns();
    timespec after{};
    ::clock_gettime(CLOCK_MONOTONIC, &after);
    auto const ns = [](timespec const& t) {
        return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000U +
               static_cast<std::uint64_t>(t.tv_nsec);
    };
    EXPECT_LE(ns(before), now);
    EXPECT_LE(now, ns(after));
}

TEST(Clock, TimesKeepEveryNanosecondUpToTheLargest) {
    for (std::uint64_t const ns :
         {std::uint64_t{0}, std::uint64_t{999'999'999}, std::uint64_t{1'000'000'000}, UINT64_MAX}) {
        timespec const time = to_timespec(ns);
        EXPECT_EQ(static_cast<std::uint64_t>(time.tv_sec), ns / 1'000'000'000U);
        EXPECT_EQ(static_cast<std::uint64_t>(time.tv_nsec), ns % 1'000'000'000U);
    }
}

} // namespace
} // namespace partywall::os
