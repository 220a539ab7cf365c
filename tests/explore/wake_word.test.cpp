// SPDX-License-Identifier: BSL-1.0
// Waiting through a descriptor, under every interleaving and every stale value: no waiter's pipe
// stays empty while there is something for it to do, whoever else is killed meanwhile.
#include "machine.hpp"

#include "support/counts.hpp"

#include <partywall/wait/bell.hpp>
#include <partywall/wait/wake_word.hpp>

#include <gtest/gtest.h>

#include <iostream>

namespace partywall::test::explore {
namespace {

using ringer = detail::bell_ringer<explored_atomics>;
using sleeper = detail::bell_sleeper<explored_atomics>;
using sign = detail::wake_sign<explored_atomics>;
using memory = detail::wake_memory<explored_atomics>;

struct all_words {
    std::uint64_t data = 0;
    std::uint32_t arm = 0;
    std::uint32_t rung = 0;
    std::uint32_t wake_arm = 0;
    std::uint64_t wake[2] = {0, 0};
    std::uint32_t pipe[2] = {0, 0}; ///< bytes that were written; the kernel's, so never stale
};

/// As publisher_core::wake_descriptors().
void publish(all_words& words, std::uint64_t messages, unsigned waiters) {
    ringer bell(words.arm, words.rung, fence_pair::sleeper);
    std::uint32_t seen = 0;
    memory told[2];
    for (std::uint64_t i = 1; i <= messages; ++i) {
        explored_atomics::store(words.data, i, std::memory_order_release);
        if (!bell.ring_if_armed()) {
            continue;
        }
        explored_atomics::fence(std::memory_order_acquire);
        std::uint32_t const armed =
            explored_atomics::load(words.wake_arm, std::memory_order_acquire);
        if (armed == seen) {
            continue;
        }
        seen = armed;
        for (unsigned w = 0; w < waiters; ++w) {
            if (told[w].due(1 + w, words.wake[w]) != 0) {
                explored_atomics::fetch_add(words.pipe[w], std::uint32_t{1},
                                            std::memory_order_seq_cst);
            }
        }
    }
}

enum class mistake { none, said_late, said_alike, drained_late, said_to_ringers_only };

/// As wait_descriptor::rearm(). `mortal`: may be killed once it is armed.
void poll(machine& run, all_words& words, unsigned me, std::uint64_t messages, bool mortal,
          mistake made) {
    sleeper bell(words.arm, words.rung);
    sign mine(words.wake[me], &words.wake_arm);
    std::uint64_t taken = 0;
    std::uint64_t generation = 0;
    std::uint32_t heard_before = 0;
    auto const there = [&] {
        std::uint64_t const now = explored_atomics::load(words.data, std::memory_order_acquire);
        bool const more = now != taken;
        taken = now;
        return more;
    };
    while (taken != messages) {
        if (there()) {
            continue;
        }
        auto const drain = [&] {
            return explored_atomics::fetch_add(words.pipe[me], std::uint32_t{0},
                                               std::memory_order_seq_cst);
        };
        auto const say = [&] { mine.raise(detail::make_wake_word(generation, 1)); };
        std::uint32_t drained = drain();
        // A word may be used up by the ring that it answers, whose byte is then still to come.
        bool const heard = drained != heard_before && made != mistake::said_to_ringers_only;
        heard_before = drained;
        bool const anew = generation == 0 || heard || !bell.waits();
        if (anew) {
            generation += made == mistake::said_alike && generation != 0 ? 0 : 1;
            if (made != mistake::said_late) {
                say();
            }
            bell.disarm();
        }
        bell.prepare();
        if (mortal && run.pick(2) == 1) {
            return;
        }
        run.heavy_fence();
        if (there()) {
            continue;
        }
        if (anew && made == mistake::said_late) {
            say();
        }
        if (made == mistake::drained_late) {
            drained = drain();
        }
        run.sleep_while(words.pipe[me], drained);
    }
}

outcome explore_wakes(std::uint64_t messages, unsigned waiters,
                      std::function<void(access&)> const& mutate = {},
                      mistake made = mistake::none) {
    machine run;
    all_words words;
    auto const result = run.explore(
        [&] {
            scenario s;
            s.threads = {[&, waiters] { publish(words, messages, waiters); }};
            for (unsigned i = 0; i < waiters; ++i) {
                s.threads.push_back([&, i] { poll(run, words, i, messages, i == 1, made); });
            }
            s.at_end = [](bool stuck) { return stuck ? "polls beside its data" : ""; };
            return s;
        },
        mutate);
    std::cout << "executions " << result.executions << ", states " << result.states << "\n";
    return result;
}

TEST(WakeWord, LosesNoWakeUpOfOneWaiter) {
    auto const result = explore_wakes(test::count(2, 3), 1);
    EXPECT_TRUE(result.complete);
    EXPECT_EQ(result.violation, "");
}

TEST(WakeWord, LosesNoWakeUpOfTwoWaitersOneOfWhichMayBeKilled) {
    auto const result = explore_wakes(1, 2);
    EXPECT_TRUE(result.complete);
    EXPECT_EQ(result.violation, "");
}

TEST(WakeWord, LosesOneWithoutTheFenceOfTheWaiter) {
    auto const result =
        explore_wakes(1, 1, [](access& a) { a.skip = a.kind == access_kind::heavy_fence; });
    EXPECT_NE(result.violation, "");
}

TEST(WakeWord, LosesOneIfItIsSaidAfterTheFence) {
    EXPECT_NE(explore_wakes(1, 1, {}, mistake::said_late).violation, "");
}

TEST(WakeWord, LosesOneIfTwoArmingsSayTheSame) {
    EXPECT_NE(explore_wakes(2, 1, {}, mistake::said_alike).violation, "");
}

TEST(WakeWord, LosesOneIfOnlyWhoRangIsToldAnew) {
    EXPECT_NE(explore_wakes(2, 1, {}, mistake::said_to_ringers_only).violation, "");
}

TEST(WakeWord, LosesOneIfThePipeIsDrainedLast) {
    EXPECT_NE(explore_wakes(1, 1, {}, mistake::drained_late).violation, "");
}

} // namespace
} // namespace partywall::test::explore
