// SPDX-License-Identifier: BSL-1.0
// Slots of the registry under every interleaving, every stale value, and with owners and
// recoverers that are killed at any access.
#include "machine.hpp"

#include "support/counts.hpp"

#include <partywall/registry/registry_slots.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>

namespace partywall::test::explore {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

void say(outcome const& result) {
    std::cout << "executions " << result.executions << ", states " << result.states << "\n";
}

void expect_proof(outcome const& result) {
    EXPECT_TRUE(result.complete);
    EXPECT_EQ(result.violation, "");
}

// ---- reading while the owner writes -------------------------------------------------------------

/// An entry of as few words as possible.
struct small_entry {
    std::uint64_t owner;
    std::uint32_t health;
    std::uint32_t reserved;
    std::uint64_t metadata_version;
    std::uint64_t record[2];
    struct area {
        std::uint64_t words[2];
    } meta[2];
};
using slots = detail::registry_slots<explored_atomics, small_entry>;

slots::raw entry_of(std::uint64_t value) {
    return {{value, value}, static_cast<std::uint32_t>(value), {{value, value}}};
}

void read(machine& run, small_entry const& slot) {
    owner const seen = slots::owners::load(slot.owner);
    if (seen.phase() != slot_phase::ready) {
        return;
    }
    slots::raw copy;
    if (slots::copy(slot, seen, copy) &&
        (copy.record[0] != copy.record[1] || copy.record[0] != seen.ticket())) {
        run.fail("a record that is torn, or of another owner");
    }
    if (slots::copy_metadata(slot, seen, copy.meta) &&
        (copy.meta.words[0] != copy.meta.words[1] || copy.meta.words[0] < seen.ticket())) {
        run.fail("metadata that is torn, or of another owner");
    }
}

/// Owner 1 leaves, owner 2 takes the slot; or owner 1 rewrites its metadata, several times.
outcome explore_reading(std::uint64_t rewrites, bool change_hands,
                        std::function<void(access&)> const& mutate = {}) {
    machine run;
    small_entry slot;
    auto const result = run.explore(
        [&] {
            // As owner 1 published it.
            slot = {};
            slot.owner = owner::make(1, slot_phase::ready, 5).word;
            slot.health = 1;
            slot.record[0] = slot.record[1] = 1;
            slot.meta[0] = {{1, 1}};
            scenario s;
            s.threads = {[&] {
                             owner mine = slots::owners::load(slot.owner);
                             for (std::uint64_t i = 0; i < rewrites; ++i) {
                                 slots::set_metadata(slot, {{2 + i, 2 + i}});
                             }
                             if (change_hands) {
                                 slots::take(slot.owner, mine, 1);
                                 slots::finish(slot, mine);
                                 slots::owners::claim(slot.owner, mine, 2);
                                 slots::fill(slot, entry_of(2));
                                 slots::publish(slot.owner, mine);
                             }
                         },
                         [&] { read(run, slot); }};
            return s;
        },
        mutate);
    say(result);
    return result;
}

TEST(RegistrySlotOrders, GiveWholeEntriesWhileTheSlotChangesHands) {
    expect_proof(explore_reading(0, true));
}

TEST(RegistrySlotOrders, GiveWholeMetadataWhileItIsRewritten) {
    expect_proof(explore_reading(test::count(3, 4), false));
}

TEST(RegistrySlotOrders, GiveWholeMetadataAlthoughVersionsBeginAgainWithTheNextOwner) {
    expect_proof(explore_reading(2, true));
}

constexpr unsigned writer = 0;
constexpr unsigned reader = 1;

bool is_fence(access const& a, unsigned thread) {
    return a.thread == thread && a.kind == access_kind::fence;
}

TEST(RegistrySlotOrders, NeedTheFenceAfterTheSlotIsTaken) {
    EXPECT_NE(explore_reading(0, true, [](access& a) { a.skip = is_fence(a, writer); }).violation,
              "");
}

TEST(RegistrySlotOrders, NeedTheFenceBeforeMetadataIsRewritten) {
    EXPECT_NE(explore_reading(3, false, [](access& a) { a.skip = is_fence(a, writer); }).violation,
              "");
}

TEST(RegistrySlotOrders, NeedTheFenceBeforeTheSecondLook) {
    for (bool const change_hands : {false, true}) {
        auto const result = explore_reading(change_hands ? 0 : 3, change_hands,
                                            [](access& a) { a.skip = is_fence(a, reader); });
        EXPECT_NE(result.violation, "");
    }
}

TEST(RegistrySlotOrders, NeedTheReleaseOfTheMetadataVersion) {
    auto const result = explore_reading(3, false, [](access& a) {
        if (a.kind == access_kind::store && a.order == std::memory_order_release) {
            a.order = relaxed;
        }
    });
    EXPECT_NE(result.violation, "");
}

TEST(RegistrySlotOrders, NeedAFenceBeforeEachOfTheTwoLastLooksAtMetadata) {
    // The reader's fences: 0 after the record, 1 before the version, 2 before the owner word.
    for (unsigned const fence : {1U, 2U}) {
        auto const result = explore_reading(
            2, true, [fence](access& a) { a.skip = is_fence(a, reader) && a.nth == fence; });
        EXPECT_NE(result.violation, "") << "without fence " << fence;
    }
}

TEST(RegistrySlotOrders, NeedTheAcquireOfTheMetadataVersion) {
    auto const result = explore_reading(3, false, [](access& a) {
        if (a.thread == reader && a.kind == access_kind::load &&
            a.order == std::memory_order_acquire) {
            a.order = relaxed;
        }
    });
    EXPECT_NE(result.violation, "");
}

// ---- death and recovery -------------------------------------------------------------------------

struct tiny_slot {
    std::uint64_t owner;
    std::uint64_t contents;
};

constexpr unsigned processes = 3;

/// A slot, the epoch, and for each process whether it is dead. Process i has ticket i + 1. Nothing
/// can prove the death of a process before its last store is visible: the kernel drops the lock
/// afterwards. A death wakes who waits, as the kernel's mark on a life word does.
struct house {
    tiny_slot slot;
    std::uint32_t epoch;
    std::uint64_t died[processes];
    std::uint32_t grave; ///< the dead sleep here
    // For the test alone.
    unsigned mortals; ///< the first so many processes may be killed
    bool is_dead[processes];
    bool is_done[processes];
    bool entered; ///< somebody has seen the owner word
    bool written; ///< somebody has written the contents
};
house* home = nullptr;

/// Before each access the process may be killed.
template <unsigned Process>
struct mortal {
    static void live_or_die() {
        if (Process < home->mortals && machine::current().pick(2) == 1) {
            home->is_dead[Process] = true;
            explored_atomics::store(home->died[Process], std::uint64_t{1},
                                    std::memory_order_release);
            explored_atomics::fetch_add(home->epoch, std::uint32_t{1}, std::memory_order_acq_rel);
            machine::current().sleep_while(home->grave, 0); // for ever
        }
    }
    template <class Word>
    static Word load(Word const& word, std::memory_order order) {
        live_or_die();
        return explored_atomics::load(word, order);
    }
    template <class Word>
    static void store(Word& word, Word value, std::memory_order order) {
        live_or_die();
        explored_atomics::store(word, value, order);
    }
    template <class Word>
    static bool compare_exchange(Word& word, Word& expected, Word desired) {
        live_or_die();
        return explored_atomics::compare_exchange(word, expected, desired);
    }
    static void fence(std::memory_order order) { explored_atomics::fence(order); }
    static void bump_epoch() {
        live_or_die();
        explored_atomics::fetch_add(home->epoch, std::uint32_t{1}, std::memory_order_acq_rel);
    }
};

enum class proof_order { after_the_word, before_the_word };
enum class part {
    owner,     ///< claims the slot when it is free, uses it, frees it; recovers it from the dead
    recoverer, ///< only recovers
};

template <unsigned Process>
void live(machine& run, house& h, part played, proof_order asked) {
    using own_slots = detail::registry_slots<mortal<Process>, small_entry>;
    using owners = typename own_slots::owners;
    constexpr std::uint64_t me = Process + 1;
    for (;;) {
        // The epoch first, then the look: what changes afterwards changes the epoch again.
        std::uint32_t const epoch = explored_atomics::load(h.epoch, std::memory_order_acquire);
        owner seen = owners::load(h.slot.owner);
        h.entered = true;
        if (seen.is_free() && played == part::recoverer) {
            break;
        }
        if (owners::claim(h.slot.owner, seen, me)) {
            h.written = true;
            mortal<Process>::store(h.slot.contents, me, relaxed);
            bool mine = own_slots::publish(h.slot.owner, seen);
            // While we live, nobody touches what is ours.
            mine = mine && mortal<Process>::load(h.slot.contents, relaxed) == me;
            mine = mine && own_slots::take(h.slot.owner, seen, me);
            mine = mine && own_slots::finish(h.slot, seen);
            if (!mine) {
                run.fail("a living owner was robbed");
            }
            mortal<Process>::bump_epoch();
            break;
        }
        if (seen.is_free()) {
            continue;
        }
        bool const dead =
            explored_atomics::load(h.died[seen.ticket() - 1], std::memory_order_acquire) == 1;
        if (asked == proof_order::before_the_word) { // the mistake
            seen = owners::load(h.slot.owner);
        }
        if (dead) {
            if (own_slots::take(h.slot.owner, seen, me)) {
                if (!own_slots::finish(h.slot, seen)) {
                    run.fail("a living recoverer was robbed");
                }
                mortal<Process>::bump_epoch();
            }
        } else {
            run.sleep_while(h.epoch, epoch);
        }
    }
    h.is_done[Process] = true;
}

/// The first `mortals` processes may be killed before any of their accesses.
outcome explore_deaths(std::vector<part> const& parts, unsigned mortals, proof_order asked) {
    machine run;
    house h;
    home = &h;
    auto const result = run.explore([&] {
        h = {};
        h.mortals = mortals;
        // Across the wrap of the sequence.
        h.slot.owner = owner::make(0, slot_phase::free, owner::sequence_mask - 1).word;
        scenario s;
        s.threads = {[&] { live<0>(run, h, parts[0], asked); },
                     [&] { live<1>(run, h, parts[1], asked); }};
        if (parts.size() == 3) {
            s.threads.push_back([&] { live<2>(run, h, parts[2], asked); });
        }
        s.at_end = [&](bool) -> std::string {
            for (unsigned i = 0; i < parts.size(); ++i) {
                if (!h.is_dead[i] && !h.is_done[i]) {
                    return "the slot is lost: a living process waits for it";
                }
            }
            bool const free = h.entered && owner{run.newest(&h.slot.owner)}.is_free();
            bool const dirty = free && h.written && run.newest(&h.slot.contents) != 0;
            return dirty ? "something was left behind" : "";
        };
        return s;
    });
    say(result);
    return result;
}

TEST(RegistrySlotOrders, LetTwoProcessesShareASlotWhenOneOrBothAreKilledAnywhere) {
    for (unsigned const mortals : {0U, 1U, 2U}) {
        expect_proof(
            explore_deaths({part::owner, part::owner}, mortals, proof_order::after_the_word));
    }
}

TEST(RegistrySlotOrders, LetASlotBeRecoveredWhenOwnerAndRecovererAreKilledAnywhere) {
    expect_proof(explore_deaths({part::owner, part::recoverer, part::recoverer}, 2,
                                proof_order::after_the_word));
}

TEST(RegistrySlotOrders, NeedTheWordFirstAndThenTheProof) {
    // The owner is killed, one recovers and claims, the other robs it.
    auto const result = explore_deaths({part::owner, part::owner, part::recoverer}, 1,
                                       proof_order::before_the_word);
    EXPECT_NE(result.violation, "");
}

} // namespace
} // namespace partywall::test::explore
