// SPDX-License-Identifier: BSL-1.0
// Which orders the machine can tell apart: the classic litmus tests, with every outcome that the
// orders allow and no other. A machine that shows too little would prove nothing. The one weak
// outcome that it does not show is load buffering.
#include "machine.hpp"

#include <gtest/gtest.h>

#include <set>

namespace partywall::test::explore {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto acq_rel = std::memory_order_acq_rel;
constexpr auto seq_cst = std::memory_order_seq_cst;

using memory = explored_atomics;

/// Two words, and what the threads read: r[0] is the first digit of an outcome.
struct litmus {
    std::uint64_t x = 0;
    std::uint64_t y = 0;
    std::array<std::uint64_t, 4> r{};

    void set_x(std::uint64_t value, std::memory_order order = relaxed) {
        memory::store(x, value, order);
    }
    void set_y(std::uint64_t value, std::memory_order order = relaxed) {
        memory::store(y, value, order);
    }
    std::uint64_t get_x(std::memory_order order = relaxed) { return memory::load(x, order); }
    std::uint64_t get_y(std::memory_order order = relaxed) { return memory::load(y, order); }
};

using outcomes = std::set<std::uint64_t>;
using body = std::function<void(machine&, litmus&)>;
enum class ends { what_was_read, what_is_there };

/// Every outcome, as the digits of r, or of the last values of x and y.
outcomes all_of(std::vector<body> const& threads, unsigned digits,
                ends show = ends::what_was_read) {
    machine run;
    litmus l;
    outcomes seen;
    outcome const result = run.explore([&] {
        l = {};
        scenario s;
        for (body const& one : threads) {
            s.threads.push_back([&run, &l, &one] { one(run, l); });
        }
        s.at_end = [&](bool) {
            std::uint64_t number = 0;
            for (unsigned i = 0; i < digits; ++i) {
                number = 10 * number + (show == ends::what_was_read ? l.r[i]
                                        : i == 0                    ? run.now(l.x)
                                                                    : run.now(l.y));
            }
            seen.insert(number);
            return std::string();
        };
        return s;
    });
    EXPECT_TRUE(result.complete);
    EXPECT_EQ(result.violation, "");
    return seen;
}

/// Between two accesses: nothing, or one of the fences.
enum class between { nothing, compiler, release_fence, acquire_fence, acq_rel_fence, full, heavy };
void put(machine& run, between what) {
    switch (what) {
    case between::nothing: break;
    case between::compiler: memory::compiler_fence(); break;
    case between::release_fence: memory::fence(release); break;
    case between::acquire_fence: memory::fence(acquire); break;
    case between::acq_rel_fence: memory::fence(acq_rel); break;
    case between::full: memory::fence(seq_cst); break;
    case between::heavy: run.heavy_fence(); break;
    }
}

outcomes store_buffering(between first, between second, std::memory_order store_order = relaxed,
                         std::memory_order load_order = relaxed) {
    return all_of({[=](machine& run, litmus& l) {
                       l.set_x(1, store_order);
                       put(run, first);
                       l.r[0] = l.get_y(load_order);
                   },
                   [=](machine& run, litmus& l) {
                       l.set_y(1, store_order);
                       put(run, second);
                       l.r[1] = l.get_x(load_order);
                   }},
                  2);
}

TEST(Litmus, StoreBufferingNeedsFullFencesInBothThreads) {
    outcomes const weak{0, 1, 10, 11};
    outcomes const strong{1, 10, 11};
    EXPECT_EQ(store_buffering(between::nothing, between::nothing), weak);
    EXPECT_EQ(store_buffering(between::nothing, between::nothing, release, acquire), weak);
    EXPECT_EQ(store_buffering(between::acq_rel_fence, between::acq_rel_fence), weak);
    EXPECT_EQ(store_buffering(between::full, between::nothing), weak);
    EXPECT_EQ(store_buffering(between::full, between::full), strong);
}

TEST(Litmus, LightAndHeavyFenceAreAPairAndNeitherIsOneAlone) {
    outcomes const weak{0, 1, 10, 11};
    EXPECT_EQ(store_buffering(between::compiler, between::heavy), (outcomes{1, 10, 11}));
    EXPECT_EQ(store_buffering(between::heavy, between::compiler), (outcomes{1, 10, 11}));
    EXPECT_EQ(store_buffering(between::compiler, between::compiler), weak);
    EXPECT_EQ(store_buffering(between::compiler, between::full), weak);
}

outcomes message_passing(std::memory_order store_order, between writers,
                         std::memory_order load_order, between readers) {
    return all_of({[=](machine& run, litmus& l) {
                       l.set_x(1);
                       put(run, writers);
                       l.set_y(1, store_order);
                   },
                   [=](machine& run, litmus& l) {
                       l.r[0] = l.get_y(load_order);
                       put(run, readers);
                       l.r[1] = l.get_x();
                   }},
                  2);
}

TEST(Litmus, MessagePassingNeedsReleaseAndAcquire) {
    outcomes const weak{0, 1, 10, 11};
    outcomes const strong{0, 1, 11};
    constexpr auto none = between::nothing;
    EXPECT_EQ(message_passing(relaxed, none, relaxed, none), weak);
    EXPECT_EQ(message_passing(release, none, relaxed, none), weak);
    EXPECT_EQ(message_passing(relaxed, none, acquire, none), weak);
    EXPECT_EQ(message_passing(release, none, acquire, none), strong);
}

TEST(Litmus, FencesReleaseAndAcquireToo) {
    outcomes const weak{0, 1, 10, 11};
    outcomes const strong{0, 1, 11};
    constexpr auto none = between::nothing;
    EXPECT_EQ(message_passing(relaxed, between::release_fence, relaxed, none), weak);
    EXPECT_EQ(message_passing(relaxed, none, relaxed, between::acquire_fence), weak);
    EXPECT_EQ(message_passing(relaxed, between::acquire_fence, relaxed, between::release_fence),
              weak);
    for (between const w : {between::release_fence, between::acq_rel_fence, between::full}) {
        EXPECT_EQ(message_passing(relaxed, w, acquire, none), strong);
        for (between const r : {between::acquire_fence, between::acq_rel_fence, between::full}) {
            EXPECT_EQ(message_passing(relaxed, w, relaxed, r), strong);
            EXPECT_EQ(message_passing(release, none, relaxed, r), strong);
        }
    }
}

TEST(Litmus, LoadBufferingIsNotShown) {
    // C++ allows both threads to read 1. Every other outcome is there.
    EXPECT_EQ(all_of({[](machine&, litmus& l) {
                          l.r[0] = l.get_x();
                          l.set_y(1);
                      },
                      [](machine&, litmus& l) {
                          l.r[1] = l.get_y();
                          l.set_x(1);
                      }},
                     2),
              (outcomes{0, 1, 10}));
}

TEST(Litmus, OneWordIsNeverReadBackwards) { // CoRR
    EXPECT_EQ(all_of({[](machine&, litmus& l) {
                          l.set_x(1);
                          l.set_x(2);
                      },
                      [](machine&, litmus& l) {
                          l.r[0] = l.get_x();
                          l.r[1] = l.get_x();
                      }},
                     2),
              (outcomes{0, 1, 2, 11, 12, 22}));
}

TEST(Litmus, TwoReadersAgreeOnTheOrderOfOneWord) {
    outcomes const seen =
        all_of({[](machine&, litmus& l) { l.set_x(1); }, [](machine&, litmus& l) { l.set_x(2); },
                [](machine&, litmus& l) {
                    l.r[0] = l.get_x();
                    l.r[1] = l.get_x();
                },
                [](machine&, litmus& l) {
                    l.r[2] = l.get_x();
                    l.r[3] = l.get_x();
                }},
               4);
    EXPECT_TRUE(seen.contains(1212));
    EXPECT_TRUE(seen.contains(2121));
    EXPECT_FALSE(seen.contains(1221));
    EXPECT_FALSE(seen.contains(2112));
}

TEST(Litmus, AThreadReadsItsOwnStoreOrALaterOne) { // CoWR
    EXPECT_EQ(all_of({[](machine&, litmus& l) {
                          l.set_x(1);
                          l.r[0] = l.get_x();
                      },
                      [](machine&, litmus& l) { l.set_x(2); }},
                     1),
              (outcomes{1, 2}));
}

TEST(Litmus, AThreadsStoresToOneWordStayInOrder) { // CoWW
    EXPECT_EQ(all_of({[](machine&, litmus& l) {
                         l.set_x(1);
                         l.set_x(2);
                     }},
                     1, ends::what_is_there),
              (outcomes{2}));
}

TEST(Litmus, AStoreComesBehindWhatItsThreadHasRead) { // CoRW
    // r = 2 and the other's 2 as the last value would be a store before what was read.
    machine run;
    litmus l;
    outcome const result = run.explore([&] {
        l = {};
        scenario s;
        s.threads = {[&] {
                         l.r[0] = l.get_x();
                         l.set_x(1);
                     },
                     [&] { l.set_x(2); }};
        s.at_end = [&](bool) { return l.r[0] == 2 && run.now(l.x) == 2 ? "backwards" : ""; };
        return s;
    });
    EXPECT_TRUE(result.complete);
    EXPECT_EQ(result.violation, "");
}

outcomes two_plus_two_writes(between what, std::memory_order order = relaxed) {
    return all_of({[=](machine& run, litmus& l) {
                       l.set_x(1, order);
                       put(run, what);
                       l.set_y(2, order);
                   },
                   [=](machine& run, litmus& l) {
                       l.set_y(1, order);
                       put(run, what);
                       l.set_x(2, order);
                   }},
                  2, ends::what_is_there);
}

TEST(Litmus, StoresOfTwoThreadsLandInAnyOrderUnlessBothFence) { // 2+2W
    outcomes const weak{11, 12, 21, 22};
    EXPECT_EQ(two_plus_two_writes(between::nothing), weak);
    EXPECT_EQ(two_plus_two_writes(between::nothing, release), weak);
    EXPECT_EQ(two_plus_two_writes(between::acq_rel_fence), weak);
    EXPECT_EQ(two_plus_two_writes(between::full), (outcomes{12, 21, 22}));
}

outcomes independent_reads(between readers, std::memory_order order) {
    return all_of({[](machine&, litmus& l) { l.set_x(1, release); },
                   [](machine&, litmus& l) { l.set_y(1, release); },
                   [=](machine& run, litmus& l) {
                       l.r[0] = l.get_x(order);
                       put(run, readers);
                       l.r[1] = l.get_y(order);
                   },
                   [=](machine& run, litmus& l) {
                       l.r[2] = l.get_y(order);
                       put(run, readers);
                       l.r[3] = l.get_x(order);
                   }},
                  4);
}

TEST(Litmus, TwoReadersDisagreeOnTwoWritersUnlessBothFence) { // IRIW
    EXPECT_TRUE(independent_reads(between::nothing, relaxed).contains(1010));
    EXPECT_TRUE(independent_reads(between::nothing, acquire).contains(1010));
    EXPECT_TRUE(independent_reads(between::acq_rel_fence, acquire).contains(1010));
    outcomes const strong = independent_reads(between::full, relaxed);
    EXPECT_FALSE(strong.contains(1010));
    EXPECT_EQ(strong.size(), 15U);
}

TEST(Litmus, WhatIsPassedOnTwiceIsKnownToTheLast) { // WRC: release is cumulative
    auto const passed_on = [](std::memory_order stores, std::memory_order loads) {
        return all_of({[](machine&, litmus& l) { l.set_x(1); },
                       [=](machine&, litmus& l) {
                           l.r[0] = l.get_x(loads);
                           l.set_y(1, stores);
                       },
                       [=](machine&, litmus& l) {
                           l.r[1] = l.get_y(loads);
                           l.r[2] = l.get_x();
                       }},
                      3)
            .contains(110);
    };
    EXPECT_TRUE(passed_on(relaxed, relaxed));
    EXPECT_TRUE(passed_on(relaxed, acquire));
    EXPECT_FALSE(passed_on(release, acquire));
}

TEST(Litmus, ReadModifyWritesCountEveryIncrementOnce) {
    auto const add = [](machine&, litmus& l) { memory::fetch_add(l.x, std::uint64_t{1}, relaxed); };
    EXPECT_EQ(all_of({add, add, add}, 1, ends::what_is_there), (outcomes{3}));
}

TEST(Litmus, ExchangesHaveOneWinner) {
    auto const take = [](unsigned me) {
        return [me](machine&, litmus& l) {
            std::uint64_t expected = 0;
            l.r[me] = memory::compare_exchange(l.x, expected, std::uint64_t{me + 1}) ? 1 : 0;
        };
    };
    EXPECT_EQ(all_of({take(0), take(1)}, 2), (outcomes{1, 10}));
}

TEST(Litmus, AFailedExchangeMayHaveReadAnOlderValue) {
    outcomes const seen = all_of({[](machine&, litmus& l) {
                                      l.set_x(1);
                                      l.set_x(2);
                                  },
                                  [](machine&, litmus& l) {
                                      std::uint64_t expected = 7;
                                      memory::compare_exchange(l.x, expected, std::uint64_t{9});
                                      l.r[0] = expected;
                                  }},
                                 1);
    EXPECT_EQ(seen, (outcomes{0, 1, 2}));
}

outcomes release_sequence(bool through_an_exchange) {
    return all_of({[](machine&, litmus& l) {
                       l.set_x(1);
                       l.set_y(1, release);
                   },
                   [=](machine&, litmus& l) {
                       if (through_an_exchange) {
                           memory::fetch_add(l.y, std::uint64_t{1}, relaxed);
                       } else if (l.get_y() == 1) {
                           l.set_y(2);
                       }
                   },
                   [](machine&, litmus& l) {
                       l.r[0] = l.get_y(acquire);
                       l.r[1] = l.get_x();
                   }},
                  2);
}

TEST(Litmus, AReleaseIsPassedOnByReadModifyWritesAndNotByStores) {
    EXPECT_FALSE(release_sequence(true).contains(20));
    EXPECT_TRUE(release_sequence(false).contains(20));
}

TEST(Litmus, ReadsInPlaceMustBeOrderedOnBothSides) {
    auto const race = [](std::memory_order given, std::memory_order taken, std::memory_order back,
                         std::memory_order seen) {
        machine run;
        litmus l;
        return run
            .explore([&] {
                l = {};
                scenario s;
                s.threads = {[&] {
                                 l.set_x(1);
                                 l.set_y(1, given);
                                 if (l.get_y(seen) == 2) {
                                     l.set_x(2);
                                 }
                             },
                             [&] {
                                 if (l.get_y(taken) == 1) {
                                     (void)run.read_in_place(l.x);
                                     l.set_y(2, back);
                                 }
                             }};
                return s;
            })
            .violation;
    };
    EXPECT_EQ(race(release, acquire, release, acquire), "");
    EXPECT_NE(race(relaxed, acquire, release, acquire), "");
    EXPECT_NE(race(release, relaxed, release, acquire), "");
    EXPECT_NE(race(release, acquire, relaxed, acquire), "");
    EXPECT_NE(race(release, acquire, release, relaxed), "");
}

} // namespace
} // namespace partywall::test::explore
