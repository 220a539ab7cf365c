// SPDX-License-Identifier: BSL-1.0
// What a pacer makes of writers that are made up, on a clock that moves only when they do.
#include <partywall/wait/look_pacer.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>

namespace partywall {
namespace {

using detail::look_pacer;

class LookPacer : public testing::Test {
  protected:
    struct run {
        std::uint64_t messages;
        std::uint64_t ns; ///< from the look that found nothing to the next such look
    };
    /// `runs` runs of a writer; returns the mean pause of the last eighth of them.
    std::uint64_t mean_pause(std::function<run(std::uint64_t pause)> const& writer, int runs) {
        std::uint64_t sum = 0;
        int counted = 0;
        for (int i = 0; i < runs; ++i) {
            run const next = writer(pause);
            now += next.ns;
            pause = pacer.pause_ns(next.messages, now);
            EXPECT_LE(pause, look_pacer::lengths_ns.back());
            if (i >= runs - runs / 8) {
                sum += pause;
                counted += 1;
            }
        }
        return sum / static_cast<std::uint64_t>(counted);
    }

    look_pacer pacer;
    std::uint64_t now = 1'000'000'000;
    std::uint64_t pause = 0;
};

TEST_F(LookPacer, LeavesAWriterAloneForAsLongAsMessagesComeFasterThen) {
    // They fight for lines unless the reader stays away for 200 ns.
    auto const writer = [](std::uint64_t length) {
        std::uint64_t const each = length < 200 ? 80 : 45;
        std::uint64_t const messages = 5 + length / each;
        return run{messages, messages * each};
    };
    EXPECT_EQ(mean_pause(writer, 20'000) / 10, 20u) << "the shortest that gains, but for tries";
}

TEST_F(LookPacer, DoesNotPauseForAWriterThatIsNoFasterThen) {
    auto const writer = [](std::uint64_t length) {
        std::uint64_t const messages = 5 + length / 50;
        return run{messages, messages * 50};
    };
    EXPECT_LT(mean_pause(writer, 100'000), 10u);
}

TEST_F(LookPacer, DoesNotPauseForAWriterThatWaitsForAnswers) {
    auto const window_of_8 = [](std::uint64_t length) { return run{8, 600 + length}; };
    EXPECT_LT(mean_pause(window_of_8, 100'000), 10u);
}

TEST_F(LookPacer, NeverPausesAfterFewMessages) {
    for (std::uint64_t messages = 0; messages < look_pacer::burst; ++messages) {
        auto const writer = [&](std::uint64_t) { return run{messages, 100}; };
        EXPECT_EQ(mean_pause(writer, 10'000), 0u) << messages;
    }
}

TEST_F(LookPacer, NoticesThatLinesHaveBecomeSlow) {
    std::uint64_t alone = 50;
    std::uint64_t left_alone = 50;
    auto const writer = [&](std::uint64_t length) {
        std::uint64_t const each = length < 400 ? alone : left_alone;
        std::uint64_t const messages = 5 + length / each;
        return run{messages, messages * each};
    };
    EXPECT_LT(mean_pause(writer, 100'000), 10u);
    alone = 100;
    EXPECT_GT(mean_pause(writer, 100'000), 350u);
    left_alone = 100;
    EXPECT_LT(mean_pause(writer, 200'000), 50u);
}

// A millisecond of nothing falls into the measurements of not pausing, which would make anything
// else look better.
TEST_F(LookPacer, DoesNotCountTimeInWhichNothingCame) {
    std::uint64_t runs = 0;
    auto const writer = [&](std::uint64_t length) {
        std::uint64_t const messages = 5 + length / 50;
        bool const idle = ++runs % 7 == 0 && length == 0;
        return run{messages, messages * 50 + (idle ? 1'000'000 : 0)};
    };
    EXPECT_LT(mean_pause(writer, 100'000), 10u);
}

} // namespace
} // namespace partywall
