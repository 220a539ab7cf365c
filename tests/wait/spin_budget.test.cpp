// SPDX-License-Identifier: BSL-1.0
// What a spin budget makes of waits whose lengths and costs are made up.
#include <partywall/wait/spin_budget.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <random>

namespace partywall {
namespace {

constexpr std::uint64_t us = 1000;
constexpr std::uint64_t ms = 1000 * us;
constexpr std::uint64_t cap = 20 * us;
constexpr std::uint64_t for_ever = ~std::uint64_t{0};

/// An endpoint that waits, on a clock that moves only when it does.
class SpinBudget : public testing::Test {
  protected:
    /// One wait; `length` of a wait that has spun for so long, `overhead` of sleeping.
    void wait(std::function<std::uint64_t(std::uint64_t)> const& length, std::uint64_t overhead) {
        std::uint64_t const spins = budget.spin_until(now, for_ever) - now;
        ASSERT_LE(spins, cap);
        std::uint64_t const needs = length(spins);
        waits += 1;
        if (needs <= spins && spins != 0) {
            budget.came(needs);
            hits += 1;
            spun += needs;
            now += needs;
            return;
        }
        in_vain += spins != 0 ? 1 : 0;
        budget.in_vain();
        std::uint64_t const rest = std::max(needs, spins) - spins + overhead;
        budget.slept(rest);
        spun += spins;
        now += spins + rest;
    }
    void wait(std::uint64_t length, std::uint64_t overhead, int times) {
        waits = hits = in_vain = spun = 0;
        for (int i = 0; i < times; ++i) {
            wait([&](std::uint64_t) { return length; }, overhead);
        }
    }

    detail::spin_budget budget{waiting::spin_then_park, cap};
    std::uint64_t now = 1'000'000'000;
    std::uint64_t waits = 0;
    std::uint64_t hits = 0;
    std::uint64_t in_vain = 0;
    std::uint64_t spun = 0;
};

TEST_F(SpinBudget, SpinsForWhatAlwaysComesSoon) {
    wait(500, 10 * us, 1000);
    EXPECT_EQ(hits, 1000u);
    EXPECT_GE(budget.budget_ns(), 500u);
    wait(5 * ms, 10 * us, 1);
    wait(500, 10 * us, 100);
    EXPECT_EQ(hits, 100u) << "one that took long changes nothing";
}

TEST_F(SpinBudget, LetsAnIdleEndpointSleepAndProbesRarely) {
    wait(5 * ms, 10 * us, 10);
    EXPECT_EQ(budget.budget_ns(), 0u);
    wait(5 * ms, 10 * us, 10'000);
    EXPECT_LE(in_vain, 10'000u / 64);
    EXPECT_GE(in_vain, 10'000u / 65 - 1) << "it would not notice that traffic is dense again";
}

TEST_F(SpinBudget, ComesBackWhenTrafficIsDenseAgain) {
    wait(5 * ms, 10 * us, 10'000);
    wait(500, 10 * us, 80);
    EXPECT_GE(hits, 15u) << "one round of sleeps between probes, at most";
    wait(500, 10 * us, 1000);
    EXPECT_EQ(hits, 1000u);
}

TEST_F(SpinBudget, FollowsWaitsThatGrowUpToItsCap) {
    for (std::uint64_t length = 100; length < cap; length += length / 3) {
        wait(length, 30 * us, 60);
        wait(length, 30 * us, 60);
        EXPECT_GE(hits, 59u) << length;
    }
    wait(cap + us, 30 * us, 200);
    wait(cap + us, 30 * us, 1000);
    EXPECT_EQ(hits, 0u);
    EXPECT_LE(in_vain, 16u);
}

// Events that come at random: having waited says nothing about how long it will still take.
TEST_F(SpinBudget, SpinsForRandomEventsOnlyIfTheyAreCloserThanASleepCosts) {
    std::mt19937_64 random(1);
    for (std::uint64_t const apart : {us, 15 * us}) {
        budget = detail::spin_budget(waiting::spin_then_park, cap);
        for (int i = 0; i < 3000; ++i) {
            waits = i == 1000 ? (hits = in_vain = 0) : waits;
            double const uniform = (static_cast<double>(random() >> 11) + 1) / 9007199254740993.0;
            auto const length =
                static_cast<std::uint64_t>(-std::log(uniform) * static_cast<double>(apart));
            wait([&](std::uint64_t) { return length; }, 4 * us);
        }
        if (apart == us) {
            EXPECT_GE(hits, 1800u);
        } else {
            EXPECT_GE(budget.sleep_cost_ns(), 4 * us);
            EXPECT_LE(budget.sleep_cost_ns(), 8 * us) << "learned from the shortest sleeps";
            EXPECT_LE(hits + in_vain, 200u);
        }
    }
}

// Whoever is to answer cannot run while we spin, and answers as soon as we sleep.
TEST_F(SpinBudget, SleepsWhereSpinningKeepsTheOtherSideFromRunning) {
    auto const answer = [](std::uint64_t spins) { return spins + us; };
    for (int i = 0; i < 100; ++i) {
        wait(answer, 5 * us);
    }
    in_vain = 0;
    for (int i = 0; i < 6500; ++i) {
        wait(answer, 5 * us);
    }
    EXPECT_EQ(hits, 0u);
    EXPECT_LE(in_vain, 101u) << "soon over is no evidence for spinning";
}

/// Two that wait for each other's answers, and of which one may be asleep when the other one sends.
class two_that_talk {
  public:
    explicit two_that_talk(std::uint64_t longest_spin)
        : sides_{{{waiting::spin_then_park, longest_spin}, 0},
                 {{waiting::spin_then_park, longest_spin}, 0}} {
        for (int i = 0; i < 1000; ++i) { // nothing happens, for a long time
            now_ += 5 * ms;
            for (side& one : sides_) {
                one.waits_since = receive(one, now_);
            }
        }
        now_ += ms;
    }
    /// Nanoseconds of a round trip, of so many.
    std::uint64_t round_trip(std::uint64_t think, std::uint64_t count) {
        std::uint64_t const start = now_;
        for (std::uint64_t i = 0; i < 2 * count; ++i) {
            side& one = sides_[i % 2];
            now_ = receive(one, now_ + 100) + think;
            one.waits_since = now_; // it has sent its answer
        }
        return (now_ - start) / count;
    }

  private:
    struct side {
        detail::spin_budget budget;
        std::uint64_t waits_since = 1'000'000'000;
    };
    static constexpr std::uint64_t falls_asleep = 2 * us;
    static constexpr std::uint64_t wakes_up = 50 * us;

    /// When `one` goes on with what comes at `at`.
    static std::uint64_t receive(side& one, std::uint64_t at) {
        std::uint64_t const since = one.waits_since;
        std::uint64_t const spins_until = one.budget.spin_until(since, for_ever);
        if (at <= spins_until) {
            one.budget.came(at - since);
            return at;
        }
        one.budget.in_vain();
        if (at <= spins_until + falls_asleep) {
            return spins_until + falls_asleep; // found by the last look before sleeping
        }
        one.budget.slept(at + wakes_up - spins_until);
        return at + wakes_up;
    }

    std::uint64_t now_ = 1'000'000'000;
    side sides_[2];
};

TEST(SpinBudgetOfTwo, FindsOutThatAnswersComeSoonAlthoughBothSleep) {
    for (std::uint64_t const think : {std::uint64_t{0}, 5 * us, 20 * us}) {
        two_that_talk both(100 * us);
        (void)both.round_trip(think, 300);
        EXPECT_LE(both.round_trip(think, 1000), 2 * (think + us)) << think;
    }
}

TEST_F(SpinBudget, WeighsWhatIsCaughtAgainstWhatIsNot) {
    auto const mixed = [&](std::uint64_t of_ten, std::uint64_t length) {
        waits = hits = in_vain = 0;
        for (int i = 0; i < 1000; ++i) {
            wait(
                [&](std::uint64_t) {
                    return static_cast<std::uint64_t>(i % 10) < of_ten ? length : 3 * ms;
                },
                20 * us);
        }
    };
    mixed(8, 300);
    EXPECT_GE(hits, 700u) << "most come at once: a short spin costs the others little";
    mixed(1, 15 * us);
    EXPECT_LE(hits + in_vain, 300u) << "few come, and late";
}

TEST_F(SpinBudget, IsAsLongAsTheWaitWhereTheUserWantsToSpinAndNothingWhereHeDoesNot) {
    detail::spin_budget spins(waiting::spin, cap);
    detail::spin_budget parks(waiting::park, cap);
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(spins.spin_until(5, 5 * ms), 5 * ms);
        spins.in_vain();
        spins.slept(ms);
        EXPECT_EQ(parks.spin_until(5, 5 * ms), 5u);
        parks.came(0);
    }
}

TEST_F(SpinBudget, EndsWithTheWaitAndAtNoImpossibleTime) {
    EXPECT_EQ(budget.spin_until(100, 200), 200u);
    EXPECT_EQ(budget.spin_until(for_ever - 5, for_ever), for_ever);
    detail::spin_budget endless(waiting::spin_then_park, for_ever);
    EXPECT_EQ(endless.spin_until(100, 200), 200u);
    endless.came(for_ever);
    EXPECT_EQ(endless.spin_until(100, 200), 200u);
    endless.in_vain();
    endless.slept(for_ever);
    endless.slept(0);
    endless.slept(0);
    for (int i = 0; i < 1000; ++i) {
        std::uint64_t const until = endless.spin_until(100, for_ever);
        EXPECT_GE(until, 100u);
        i % 2 == 0 ? endless.came(for_ever) : endless.in_vain();
    }
    detail::spin_budget none(waiting::spin_then_park, 0);
    EXPECT_EQ(none.spin_until(100, 200), 100u);
}

} // namespace
} // namespace partywall
