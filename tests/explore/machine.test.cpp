// SPDX-License-Identifier: BSL-1.0
// The machine besides its memory: who goes on, who sleeps, who dies, what is bounded, what is
// random, and what mutations do. The memory has the litmus tests.
#include "machine.hpp"

#include <gtest/gtest.h>

#include <set>

namespace partywall::test::explore {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto release = std::memory_order_release;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto seq_cst = std::memory_order_seq_cst;

using memory = explored_atomics;

struct words {
    std::uint64_t x = 0;
    std::uint64_t y = 0;
    std::uint32_t bell = 0;
};

TEST(Machine, LetsEveryThreadGoFirst) {
    machine run;
    words w;
    std::set<std::uint64_t> seen;
    auto const result = run.explore([&] {
        scenario s;
        s.threads = {[&] { seen.insert(memory::load(w.x, relaxed)); },
                     [&] { memory::store(w.x, std::uint64_t{1}, relaxed); },
                     [&] { memory::store(w.x, std::uint64_t{2}, relaxed); }};
        return s;
    });
    EXPECT_TRUE(result.complete);
    EXPECT_EQ(seen, (std::set<std::uint64_t>{0, 1, 2}));
}

TEST(Machine, ReportsASleeperThatNobodyWakes) {
    machine run;
    words w;
    auto const result = run.explore([&] {
        scenario s;
        s.threads = {[&] { run.sleep_while(w.bell, 0); },
                     [&] {
                         if (memory::load(w.x, relaxed) == 1) { // never
                             memory::store(w.bell, std::uint32_t{1}, relaxed);
                         }
                     }};
        s.at_end = [](bool stuck) { return stuck ? "asleep for ever" : ""; };
        return s;
    });
    EXPECT_EQ(first_line(result.violation), "asleep for ever");
}

TEST(Machine, WakesASleeperWhenItsWordChanges) {
    machine run;
    words w;
    auto const result = run.explore([&] {
        scenario s;
        s.threads = {[&] { run.sleep_while(w.bell, 0); },
                     [&] { memory::store(w.bell, std::uint32_t{1}, relaxed); }};
        s.at_end = [](bool stuck) { return stuck ? "asleep for ever" : ""; };
        return s;
    });
    EXPECT_TRUE(result.complete);
    EXPECT_EQ(result.violation, "");
}

TEST(Machine, EndsThePollingOfWhoeverIsLeftAlone) {
    machine run;
    words w;
    std::set<bool> ends;
    auto const result = run.explore([&] {
        scenario s;
        s.threads = {[&] {
                         while (memory::load(w.x, relaxed) != 2) {
                             bool const newer = run.wait_for_newer({w.x});
                             ends.insert(newer);
                             if (!newer) {
                                 return;
                             }
                         }
                     },
                     [&] { memory::store(w.x, std::uint64_t{1}, relaxed); }};
        return s;
    });
    EXPECT_TRUE(result.complete);
    EXPECT_EQ(ends, (std::set<bool>{false, true}));
}

// ---- death --------------------------------------------------------------------------------------

TEST(Machine, KillsAMortalThreadBeforeEachOfItsAccesses) {
    machine run;
    words w;
    std::set<std::uint64_t> left;
    auto const result = run.explore([&] {
        scenario s;
        s.threads = {[&] {
                         memory::store(w.x, std::uint64_t{1}, relaxed);
                         memory::store(w.y, std::uint64_t{1}, relaxed);
                     },
                     [&] {
                         // Everything that the dead did is there.
                         if (run.proven_dead(0)) {
                             left.insert(memory::load(w.x, relaxed) * 10 +
                                         memory::load(w.y, relaxed));
                         }
                     }};
        s.mortals = 1;
        s.deaths_max = 1;
        return s;
    });
    EXPECT_TRUE(result.complete);
    EXPECT_EQ(left, (std::set<std::uint64_t>{0, 10}));
    EXPECT_GT(result.crash_points, 2U);
}

TEST(Machine, KillsNoMoreThanItMay) {
    machine run;
    words w;
    unsigned most = 0;
    auto const result = run.explore([&] {
        auto const once = [&] { memory::fetch_add(w.x, std::uint64_t{1}, relaxed); };
        scenario s;
        s.threads = {once, once, once};
        s.mortals = 6;
        s.deaths_max = 1;
        s.at_end = [&](bool) -> std::string {
            unsigned const dead = (run.is_dead(1) ? 1U : 0U) + (run.is_dead(2) ? 1U : 0U);
            most = std::max(most, dead);
            return run.is_dead(0) ? "an immortal died" : "";
        };
        return s;
    });
    EXPECT_TRUE(result.complete);
    EXPECT_EQ(result.violation, "");
    EXPECT_EQ(most, 1U);
}

TEST(Machine, WakesWhoeverSleepsForADeath) {
    machine run;
    words w;
    auto const result = run.explore([&] {
        scenario s;
        s.threads = {[&] { run.sleep_while(w.bell, 0); }, // for ever, unless it is killed
                     [&] {
                         while (!run.proven_dead(0)) {
                             run.sleep_while(w.bell, 0, 1);
                         }
                     }};
        s.mortals = 1;
        s.deaths_max = 1;
        s.at_end = [&](bool stuck) { return run.is_dead(0) && stuck ? "nobody noticed" : ""; };
        return s;
    });
    EXPECT_TRUE(result.complete);
    EXPECT_EQ(result.violation, "");
}

// ---- bounds and chance --------------------------------------------------------------------------

/// Only a thread that is interrupted twice sees 1 and then, after its own store, 2.
outcome interrupted(machine& run, bounds const& limits, std::uint64_t random = 0,
                    std::uint64_t seed = 0) {
    static words w; // in one place, so that a schedule can be given again
    auto const make = [&run] {
        w = {};
        scenario s;
        s.threads = {[&run] {
                         bool const one = memory::load(w.x, acquire) == 1;
                         memory::store(w.y, std::uint64_t{1}, release);
                         if (one && memory::load(w.x, acquire) == 2) {
                             run.fail("interrupted twice");
                         }
                     },
                     [] {
                         memory::store(w.x, std::uint64_t{1}, release);
                         if (memory::load(w.y, acquire) == 1) {
                             memory::store(w.x, std::uint64_t{2}, release);
                         }
                     }};
        return s;
    };
    return random == 0 ? run.explore(make, {}, limits) : run.sample(make, seed, random, {}, limits);
}

TEST(Machine, InterruptsNoMoreOftenThanItMay) {
    machine run;
    bounds limits;
    limits.preemptions_max = 0;
    outcome const none = interrupted(run, limits);
    EXPECT_TRUE(none.complete);
    EXPECT_EQ(none.violation, "");
    limits.preemptions_max = 2;
    outcome const two = interrupted(run, limits);
    EXPECT_NE(two.violation, "");
    EXPECT_NE(interrupted(run, {}).violation, "");
}

TEST(Machine, GivesARandomScheduleAgainFromItsSeed) {
    machine run;
    outcome const found = interrupted(run, {}, 100'000, 1);
    ASSERT_NE(found.violation, "");
    EXPECT_NE(found.violation.find("seed " + std::to_string(found.seed)), std::string::npos);
    outcome const again = interrupted(run, {}, 1, found.seed);
    EXPECT_EQ(again.violation, found.violation);
    EXPECT_EQ(again.executions, 1U);
}

TEST(Machine, RefusesAThreadThatNeverEnds) {
    machine run;
    words w;
    auto const result = run.explore([&] {
        scenario s;
        s.threads = {[&] {
            for (;;) {
                memory::load(w.x, relaxed);
            }
        }};
        return s;
    });
    EXPECT_EQ(first_line(result.violation), "goes on for ever");
}

// ---- mutations ----------------------------------------------------------------------------------

/// What the other thread reads of y and then x, as 10 * y + x.
std::set<std::uint64_t> with(machine::mutation const& mutate, std::memory_order order = release,
                             bool fence = false) {
    machine run;
    words w;
    std::uint64_t a = 0;
    std::uint64_t b = 0;
    std::set<std::uint64_t> seen;
    auto const result = run.explore(
        [&, order, fence] {
            scenario s;
            s.threads = {[&, order, fence] {
                             memory::store(w.x, std::uint64_t{1}, relaxed);
                             if (fence) {
                                 memory::fence(release);
                             }
                             memory::store(w.y, std::uint64_t{1}, order);
                         },
                         [&] {
                             a = memory::load(w.y, acquire);
                             b = memory::load(w.x, relaxed);
                         }};
            s.at_end = [&](bool) {
                seen.insert(10 * a + b);
                return std::string();
            };
            return s;
        },
        mutate);
    EXPECT_TRUE(result.complete);
    return seen;
}

TEST(Machine, WeakensSkipsAndMovesWhatAMutationNames) {
    EXPECT_FALSE(with({}).contains(10));
    EXPECT_FALSE(with({}, relaxed, true).contains(10));
    EXPECT_TRUE(with([](access& a) { a.order = relaxed; }).contains(10));
    EXPECT_TRUE(with([](access& a) { a.skip = true; }, relaxed, true).contains(10));
    auto const later = [](access& a) {
        if (a.kind == access_kind::store && a.order == relaxed && a.nth == 0 && a.thread == 0) {
            a.held = hold_back::until_published;
        }
    };
    EXPECT_TRUE(with(later).contains(10));
}

TEST(Machine, KeepsAStoreBackBehindAFenceAndWhatFollowsIt) {
    machine run;
    words w;
    // With both fences one of two sees the other, unless a store is moved behind its fence.
    auto const both_blind = [&](machine::mutation const& mutate) {
        bool blind = false;
        std::uint64_t a = 0;
        std::uint64_t b = 0;
        (void)run.explore(
            [&] {
                scenario s;
                s.threads = {[&] {
                                 memory::store(w.x, std::uint64_t{1}, relaxed);
                                 memory::fence(seq_cst);
                                 a = memory::load(w.y, relaxed);
                             },
                             [&] {
                                 memory::store(w.y, std::uint64_t{1}, relaxed);
                                 memory::fence(seq_cst);
                                 b = memory::load(w.x, relaxed);
                             }};
                s.at_end = [&](bool) {
                    blind = blind || (a == 0 && b == 0);
                    return std::string();
                };
                return s;
            },
            mutate);
        return blind;
    };
    EXPECT_FALSE(both_blind({}));
    EXPECT_TRUE(both_blind([](access& a) {
        if (a.kind == access_kind::store && a.thread == 0) {
            a.held = hold_back::until_published;
        }
    }));
}

TEST(Machine, TakesReadModifyWritesApart) {
    machine run;
    words w;
    auto const add = [&] { memory::fetch_add(w.x, std::uint64_t{1}, relaxed); };
    auto const result = run.explore(
        [&] {
            scenario s;
            s.threads = {add, add};
            s.at_end = [&](bool) { return run.newest(&w.x) == 2 ? "" : "lost"; };
            return s;
        },
        [](access& a) { a.split = true; });
    EXPECT_EQ(first_line(result.violation), "lost");
}

} // namespace
} // namespace partywall::test::explore
