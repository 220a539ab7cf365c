// SPDX-License-Identifier: BSL-1.0
// Shared records: whoever asks for a name at the same time, and whoever leaves meanwhile, all users
// of a name use one record, nobody's record is taken away, and nobody waits for a maker who stopped.
#include "machine.hpp"

#include <partywall/registry/shared_records.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace partywall::test::explore {
namespace {

using namespace detail;

constexpr std::uint32_t slots = 3; // one for each, and one that is being cleaned
constexpr std::uint64_t wanted = 5;

struct shelf {
    std::array<std::uint64_t, slots> owners;
    std::array<std::uint64_t, slots> names;
    std::array<std::uint64_t, 3> marks; ///< one word per process
};

/// What one process sees of it.
struct table {
    shelf& s;
    std::uint32_t self;

    static constexpr std::uint32_t count() noexcept { return slots; }
    std::uint64_t ticket() const noexcept { return self + 1; }
    std::uint64_t& word(std::uint32_t k) const noexcept { return s.owners[k]; }
    bool is_wanted(std::uint32_t k) const noexcept {
        return explored_atomics::load(s.names[k], std::memory_order_relaxed) == wanted;
    }
    void fill(std::uint32_t k) const noexcept {
        explored_atomics::store(s.names[k], wanted, std::memory_order_relaxed);
    }
    void wipe(std::uint32_t k) const noexcept {
        explored_atomics::store(s.names[k], std::uint64_t{0}, std::memory_order_relaxed);
    }
    void mark(std::uint32_t k, bool used) const noexcept {
        std::uint64_t const now = explored_atomics::load(s.marks[self], std::memory_order_relaxed);
        std::uint64_t const bit = std::uint64_t{1} << k;
        explored_atomics::store(s.marks[self], used ? now | bit : now & ~bit,
                                std::memory_order_relaxed);
    }
    bool is_used(std::uint32_t k) const noexcept {
        for (std::uint64_t const& each : s.marks) {
            if (((explored_atomics::load(each, std::memory_order_relaxed) >> k) & 1) != 0) {
                return true;
            }
        }
        return false;
    }
};
using steps = shared_records<explored_atomics, table>;

/// Each process asks for the name; those that `leaves` says leave again. The first one has the
/// record already if `one_is_there`, and may be killed anywhere.
outcome explore_shelf(bool one_is_there, std::vector<bool> const& leaves, bool dies = false,
                      machine::mutation const& mutate = {}) {
    machine run;
    static shelf s;
    static std::array<std::uint32_t, 3> got;
    return run.explore(
        [&] {
            s = {};
            got.fill(steps::none);
            if (one_is_there) { // and its only user is the first process
                s.owners[0] = owner::make(0, slot_phase::ready, 3).word;
                s.names[0] = wanted;
                s.marks[0] = 1;
                got[0] = 0;
            }
            scenario all;
            all.mortals = dies ? 1 : 0;
            all.deaths_max = 1;
            for (std::uint32_t i = 0; i < leaves.size(); ++i) {
                all.threads.push_back([&, i] {
                    table mine{s, i};
                    if (got[i] == steps::none) {
                        bool made = false;
                        std::uint32_t const k = steps::join(mine, made);
                        if (k == steps::none) {
                            run.fail("no place");
                            return;
                        }
                        for (std::uint32_t const other : got) {
                            if (other != steps::none && other != k) {
                                run.fail("two records of one name");
                            }
                        }
                        got[i] = k;
                    }
                    if (leaves[i]) {
                        std::uint32_t const k = std::exchange(got[i], steps::none);
                        steps::leave(mine, k);
                    }
                });
            }
            all.at_end = [&](bool) -> std::string {
                for (std::uint32_t i = 0; i < leaves.size(); ++i) {
                    std::uint32_t const k = got[i];
                    if (k == steps::none) {
                        if (!leaves[i] && !run.is_dead(i)) {
                            return "one waits for ever";
                        }
                        continue;
                    }
                    if (!steps::is_in_use({run.newest(&s.owners[k])})) {
                        return "a record that is used is gone";
                    }
                    if (run.newest(&s.names[k]) != wanted) {
                        return "a record that is used was wiped";
                    }
                }
                return "";
            };
            return all;
        },
        mutate);
}

void expect_proof(outcome const& result) {
    say("shared records", result);
    EXPECT_TRUE(result.complete);
    EXPECT_EQ(result.violation, "");
}

TEST(SharedRecordSteps, MakeOneRecordWhenTwoAskAtOnce) {
    expect_proof(explore_shelf(false, {false, false}));
}

TEST(SharedRecordSteps, MakeOneRecordWhoeverOfThemIsKilled) {
    outcome const result = explore_shelf(false, {false, false}, true);
    expect_proof(result);
    EXPECT_GT(result.crash_points, 0U);
}

TEST(SharedRecordSteps, DoNotTakeARecordFromOneWhoComesWhileItsLastUserLeaves) {
    expect_proof(explore_shelf(true, {true, false}));
}

TEST(SharedRecordSteps, NeedTheFenceBetweenACandidateAndTheLookForOthers) {
    auto const result = explore_shelf(false, {false, false}, false, [](access& a) {
        a.skip = a.kind == access_kind::fence && a.order == std::memory_order_seq_cst;
    });
    EXPECT_NE(result.violation, "");
}

} // namespace
} // namespace partywall::test::explore
