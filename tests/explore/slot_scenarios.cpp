// SPDX-License-Identifier: BSL-1.0
// Slots of the registry that change hands while they are read, claimed and recovered, with owners
// and recoverers that are killed at any access.
#include "mistakes.hpp"

#include <partywall/registry/registry_slots.hpp>

namespace partywall::test::explore {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

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
        (copy.record[0] != copy.record[1] || copy.record[0] != seen.ticket() ||
         copy.health != seen.ticket())) {
        run.fail("a record that is torn, or of another owner");
    }
    if (slots::copy_metadata(slot, seen, copy.meta) &&
        (copy.meta.words[0] != copy.meta.words[1] || copy.meta.words[0] < seen.ticket())) {
        run.fail("metadata that is torn, or of another owner");
    }
}

/// Owner 1 leaves, owner 2 takes the slot; or owner 1 rewrites its metadata, several times.
scenario reading(machine& run, small_entry& slot, std::uint64_t rewrites, bool change_hands) {
    // As owner 1 published it.
    slot = {};
    slot.owner = owner::make(1, slot_phase::ready, 5).word;
    slot.health = 1;
    slot.record[0] = slot.record[1] = 1;
    slot.meta[0] = {{1, 1}};
    scenario s;
    s.threads = {[&slot, rewrites, change_hands] {
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
                 [&run, &slot] { read(run, slot); }};
    return s;
}

/// Who sees the new health sees what its owner did before.
scenario health_after_work(machine& run, small_entry& slot, std::uint64_t& work) {
    slot = {};
    work = 0;
    slot.owner = owner::make(1, slot_phase::ready, 5).word;
    scenario s;
    s.threads = {[&slot, &work] {
                     explored_atomics::store(work, std::uint64_t{1}, relaxed);
                     slots::set_health(slot, 2);
                 },
                 [&run, &slot, &work] {
                     slots::raw copy;
                     owner const seen = slots::owners::load(slot.owner);
                     if (slots::copy(slot, seen, copy) && copy.health == 2 &&
                         explored_atomics::load(work, relaxed) == 0) {
                         run.fail("healthy before its work was done");
                     }
                 }};
    return s;
}

/// Killed anywhere, the old metadata stays valid.
scenario rewriter_dies(machine& run, small_entry& slot) {
    scenario s = reading(run, slot, 2, false);
    s.mortals = 1;
    s.deaths_max = 1;
    s.ghost = [] { return std::uint64_t{0}; };
    s.threads[1] = [&run, &slot] {
        read(run, slot);
        if (run.proven_dead(0)) {
            slots::raw copy;
            owner const seen = slots::owners::load(slot.owner);
            if (!slots::copy_metadata(slot, seen, copy.meta)) {
                run.fail("no metadata, although its owner writes no more");
            }
        }
    };
    return s;
}

// ---- death and recovery -------------------------------------------------------------------------

enum class proof_order { after_the_word, before_the_word };
enum class slot_part {
    owns,      ///< claims the slot when it is free, uses it, frees it; recovers it from the dead
    recoverer, ///< only recovers
};

/// Process i is thread i and has ticket i + 1. Nothing can prove a death before the last store of
/// the dead is visible: the kernel drops the lock afterwards.
struct tiny_slot {
    std::uint64_t owner;
    std::uint64_t contents;
};
struct house {
    tiny_slot slot;
    std::uint32_t epoch;
    std::array<bool, threads_max> done;
};

void live(machine& run, house& h, unsigned me, slot_part part, proof_order asked,
          unsigned mortals) {
    constexpr auto acq_rel = std::memory_order_acq_rel;
    std::uint64_t const ticket = me + 1;
    for (;;) {
        run.settle({});
        // The epoch first, then the look: what changes afterwards changes the epoch again.
        std::uint32_t const epoch = explored_atomics::load(h.epoch, std::memory_order_acquire);
        owner seen = slots::owners::load(h.slot.owner);
        if (seen.is_free() && part == slot_part::recoverer) {
            break;
        }
        if (slots::owners::claim(h.slot.owner, seen, ticket)) {
            explored_atomics::store(h.slot.contents, ticket, relaxed);
            bool mine = slots::publish(h.slot.owner, seen);
            // While we live, nobody touches what is ours.
            mine = mine && explored_atomics::load(h.slot.contents, relaxed) == ticket;
            mine = mine && slots::take(h.slot.owner, seen, ticket);
            mine = mine && slots::finish(h.slot, seen);
            if (!mine) {
                run.fail("a living owner was robbed");
            }
            explored_atomics::fetch_add(h.epoch, std::uint32_t{1}, acq_rel);
            break;
        }
        if (seen.is_free()) {
            continue;
        }
        auto const who = static_cast<unsigned>(seen.ticket() - 1);
        bool const dead = run.proven_dead(who);
        if (asked == proof_order::before_the_word) { // the mistake
            seen = slots::owners::load(h.slot.owner);
        }
        if (!dead) {
            run.sleep_while(h.epoch, epoch, mortals & 1U << who);
        } else if (slots::take(h.slot.owner, seen, ticket)) {
            if (!slots::finish(h.slot, seen)) {
                run.fail("a living recoverer was robbed");
            }
            explored_atomics::fetch_add(h.epoch, std::uint32_t{1}, acq_rel);
        }
    }
    h.done[me] = true;
}

scenario deaths(machine& run, house& h, std::vector<slot_part> const& parts, unsigned mortals,
                unsigned deaths_max, proof_order asked) {
    h = {};
    // Across the wrap of the sequence.
    h.slot.owner = owner::make(0, slot_phase::free, owner::sequence_mask - 1).word;
    scenario s;
    for (unsigned i = 0; i < parts.size(); ++i) {
        s.threads.push_back([&run, &h, i, part = parts[i], asked, mortals] {
            live(run, h, i, part, asked, mortals);
        });
    }
    s.mortals = mortals;
    s.deaths_max = deaths_max;
    s.ghost = [&h] {
        std::uint64_t all = 0;
        for (bool const one : h.done) {
            all = all * 2 + (one ? 1 : 0);
        }
        return all;
    };
    s.at_end = [&run, &h, count = parts.size()](bool) -> std::string {
        for (unsigned i = 0; i < count; ++i) {
            if (!run.is_dead(i) && !h.done[i]) {
                return "the slot is lost: a living process waits for it";
            }
        }
        bool const free = owner{run.now(h.slot.owner)}.is_free();
        return free && run.now(h.slot.contents) != 0 ? "something was left behind" : "";
    };
    return s;
}

struct entry_and_work {
    small_entry slot;
    std::uint64_t work;
};

named_scenario deaths_of(std::string name, std::vector<slot_part> const& parts, unsigned mortals,
                         unsigned deaths_max, proof_order asked) {
    return name_scenario<house>(std::move(name), [=](machine& run, house& h) {
        return deaths(run, h, parts, mortals, deaths_max, asked);
    });
}

} // namespace

named_scenario slot_with_the_proof_first() {
    using enum slot_part;
    return deaths_of("", {owns, owns, recoverer}, 1, 1, proof_order::before_the_word);
}

scenarios slot_scenarios(bool large) {
    scenarios list;
    auto const add = [&list](char const* name, std::uint64_t rewrites, bool change_hands) {
        list.push_back(name_scenario<small_entry>(
            name, [rewrites, change_hands](machine& run, small_entry& slot) {
                return reading(run, slot, rewrites, change_hands);
            }));
    };
    add("SlotChangesHands", 0, true);
    add("SlotMetadataRewritten", large ? 4 : 3, false);
    add("SlotMetadataOfTwoOwners", 2, true); // versions begin again with the next owner
    list.push_back(name_scenario<entry_and_work>("SlotHealth", [](machine& run, entry_and_work& e) {
        return health_after_work(run, e.slot, e.work);
    }));
    list.push_back(name_scenario<small_entry>(
        "SlotRewriterDies", [](machine& run, small_entry& e) { return rewriter_dies(run, e); }));
    using enum slot_part;
    constexpr auto right = proof_order::after_the_word;
    list.push_back(deaths_of("SlotTwoShare", {owns, owns}, 3, 2, right));
    list.push_back(deaths_of("SlotKilledRecovery", {owns, recoverer, recoverer}, 3, 2, right));
    if (large) {
        list.push_back(deaths_of("SlotTwoShareAndRecovery", {owns, owns, recoverer}, 3, 2, right));
    }
    return list;
}

scenarios all_scenarios(bool large) {
    scenarios list;
    for (auto const& part : {ring_scenarios(large), gate_scenarios(large), bell_scenarios(large),
                             lane_scenarios(large), slot_scenarios(large), pool_scenarios(large),
                             call_scenarios(large)}) {
        list.insert(list.end(), part.begin(), part.end());
    }
    return list;
}

} // namespace partywall::test::explore
