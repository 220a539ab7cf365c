// SPDX-License-Identifier: BSL-1.0
// The machine itself: it must show every weak outcome of the classic litmus tests, and none that
// the orders forbid. A machine that shows too little would prove nothing.
#include "machine.hpp"

#include <gtest/gtest.h>

#include <set>

namespace partywall::test::explore {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto seq_cst = std::memory_order_seq_cst;

using memory = explored_atomics;

struct words {
    std::uint64_t x = 0;
    std::uint64_t y = 0;
    std::uint32_t bell = 0;
};

/// Everything that (a, b) was at the end, as 10 * a + b.
class results {
  public:
    std::uint64_t a = 0;
    std::uint64_t b = 0;
    std::set<std::uint64_t> all;

    std::function<std::string(bool)> collect() {
        return [this](bool) {
            all.insert(10 * a + b);
            return std::string();
        };
    }
};

std::set<std::uint64_t> store_buffering(bool fences) {
    machine run;
    words w;
    results r;
    auto const result = run.explore([&] {
        scenario s;
        s.threads = {[&] {
                         memory::store(w.x, std::uint64_t{1}, relaxed);
                         if (fences) {
                             memory::fence(seq_cst);
                         }
                         r.a = memory::load(w.y, relaxed);
                     },
                     [&] {
                         memory::store(w.y, std::uint64_t{1}, relaxed);
                         if (fences) {
                             memory::fence(seq_cst);
                         }
                         r.b = memory::load(w.x, relaxed);
                     }};
        s.at_end = r.collect();
        return s;
    });
    EXPECT_TRUE(result.complete);
    return r.all;
}

TEST(Machine, ShowsBothStoresBufferedUnlessBothThreadsFence) {
    EXPECT_EQ(store_buffering(false), (std::set<std::uint64_t>{0, 1, 10, 11}));
    EXPECT_EQ(store_buffering(true), (std::set<std::uint64_t>{1, 10, 11}));
}

std::set<std::uint64_t> message_passing(std::memory_order store_order,
                                        std::memory_order load_order) {
    machine run;
    words w;
    results r;
    auto const result = run.explore([&] {
        scenario s;
        s.threads = {[&] {
                         memory::store(w.x, std::uint64_t{1}, relaxed);
                         memory::store(w.y, std::uint64_t{1}, store_order);
                     },
                     [&] {
                         r.a = memory::load(w.y, load_order);
                         r.b = memory::load(w.x, relaxed);
                     }};
        s.at_end = r.collect();
        return s;
    });
    EXPECT_TRUE(result.complete);
    return r.all;
}

TEST(Machine, ShowsAFlagAheadOfItsDataUnlessReleasedAndAcquired) {
    std::set<std::uint64_t> const weak{0, 1, 10, 11};
    EXPECT_EQ(message_passing(relaxed, relaxed), weak);
    EXPECT_EQ(message_passing(release, relaxed), weak);
    EXPECT_EQ(message_passing(relaxed, acquire), weak);
    EXPECT_EQ(message_passing(release, acquire), (std::set<std::uint64_t>{0, 1, 11}));
}

std::set<std::uint64_t> fenced_message_passing(bool writer, bool reader) {
    machine run;
    words w;
    results r;
    auto const result = run.explore([&] {
        scenario s;
        s.threads = {[&] {
                         memory::store(w.x, std::uint64_t{1}, relaxed);
                         if (writer) {
                             memory::fence(release);
                         }
                         memory::store(w.y, std::uint64_t{1}, relaxed);
                     },
                     [&] {
                         r.a = memory::load(w.y, relaxed);
                         if (reader) {
                             memory::fence(acquire);
                         }
                         r.b = memory::load(w.x, relaxed);
                     }};
        s.at_end = r.collect();
        return s;
    });
    EXPECT_TRUE(result.complete);
    return r.all;
}

TEST(Machine, TakesFencesForReleaseAndAcquire) {
    EXPECT_TRUE(fenced_message_passing(false, false).contains(10));
    EXPECT_TRUE(fenced_message_passing(true, false).contains(10));
    EXPECT_TRUE(fenced_message_passing(false, true).contains(10));
    EXPECT_FALSE(fenced_message_passing(true, true).contains(10));
}

TEST(Machine, NeverReadsBackwardsFromOneWord) {
    machine run;
    words w;
    auto const result = run.explore([&] {
        scenario s;
        s.threads = {[&] {
                         memory::store(w.x, std::uint64_t{1}, relaxed);
                         memory::store(w.x, std::uint64_t{2}, relaxed);
                     },
                     [&] {
                         auto const first = memory::load(w.x, relaxed);
                         if (memory::load(w.x, relaxed) < first) {
                             run.fail("backwards");
                         }
                     }};
        return s;
    });
    EXPECT_TRUE(result.complete);
    EXPECT_EQ(result.violation, "");
}

TEST(Machine, CountsEveryReadModifyWriteOnce) {
    machine run;
    words w;
    auto const add = [&] { memory::fetch_add(w.x, std::uint64_t{1}, relaxed); };
    auto const result = run.explore([&] {
        scenario s;
        s.threads = {add, add, add};
        s.at_end = [&](bool) { return run.newest(&w.x) == 3 ? "" : "lost"; };
        return s;
    });
    EXPECT_TRUE(result.complete);
    EXPECT_EQ(result.violation, "");
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
    EXPECT_EQ(result.violation.substr(0, 16), "asleep for ever\n");
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

} // namespace
} // namespace partywall::test::explore
