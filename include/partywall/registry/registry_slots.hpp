// SPDX-License-Identifier: BSL-1.0
// What is done to the slots of the registry, one function per step of a slot's life, on an
// atomics policy. Who may do it, and when, is decided in participant_core; here is only how.
//
//            claim                publish                      (owner)
//   free ------------> filling ------------> ready
//     ^                   |                    |
//     |   finish          |   take             |   take        (owner, or who proved its death)
//     +---------------- cleaning <-------------+
//                         |  ^
//                         +--+ take, by who proved the cleaner's death
//
// Callers   claim, publish, set_*: the owner. take: the owner, or whoever holds proof that the
//           ticket in `seen` is dead, asked for after `seen` was loaded. copy: anybody.
// Progress  every function is wait-free, bounded by the size of a slot.
// Peer dies in `filling`: nobody has used the contents; take them. In `ready`: contents are whole,
//           the metadata included. In `cleaning`: the slot had been given up; go on from there.
#pragma once

#include <partywall/detail/mutant.hpp>
#include <partywall/registry/registry_layout.hpp>
#include <partywall/segment/atomics.hpp>
#include <partywall/segment/copy_words.hpp>
#include <partywall/segment/owner_word.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace partywall::inline v0::detail {

/// A private copy of an entry's bytes: consistent, but not checked.
template <class Entry>
struct raw_copy {
    decltype(Entry::record) record;
    std::uint32_t health;
    std::remove_extent_t<decltype(Entry::meta)> meta;
};
using raw_entry = raw_copy<entry_slot>;

/// `Entry` is a parameter for the sake of the tests that try every interleaving: they cannot do
/// it with slots of 160 words.
template <class Atomics = std_atomics, class Entry = entry_slot>
struct registry_slots {
    using words = copy_words<Atomics>;
    using owners = owner_word<Atomics>;
    using raw = raw_copy<Entry>;
    using metadata_bytes = decltype(raw::meta);

    /// The slot's contents become visible to others. The caller owns the slot in `filling`.
    static bool publish(std::uint64_t& word, owner& seen) noexcept {
        return owners::exchange(word, seen, seen.ticket(), slot_phase::ready);
    }

    /// {anybody, any phase but free} -> {me, cleaning}. Of any number of callers that saw the
    /// same word, one succeeds.
    static bool take(std::uint64_t& word, owner& seen, std::uint64_t me) noexcept {
        if (PARTYWALL_MUTANT(recovery_not_repeatable) && seen.phase() == slot_phase::cleaning) {
            return false;
        }
        return !seen.is_free() && owners::exchange(word, seen, me, slot_phase::cleaning);
    }

    /// Wipes the slot's contents and frees it: nothing of this owner is left to be read by the
    /// next. The caller owns the slot in `cleaning`.
    template <class Slot>
    static bool finish(Slot& slot, owner& seen) noexcept {
        static_assert(offsetof(Slot, owner) == 0 && sizeof(Slot) % 8 == 0);
        auto* const slot_words = &slot.owner;
        for (std::size_t i = 1; i < sizeof(Slot) / 8; ++i) {
            Atomics::store(slot_words[i], std::uint64_t{0}, std::memory_order_relaxed);
        }
        return owners::exchange(slot.owner, seen, 0, slot_phase::free);
    }

    /// The caller owns the slot in `filling`.
    static void fill(participant_slot& slot, participant_record const& record) noexcept {
        words::store(bytes_of(slot.record), bytes_of(record), sizeof record);
    }

    /// The caller owns the slot in `filling`.
    static void fill(Entry& slot, raw const& entry) noexcept {
        words::store(bytes_of(slot.record), bytes_of(entry.record), sizeof entry.record);
        words::store(bytes_of(slot.meta[0]), bytes_of(entry.meta), sizeof entry.meta);
        Atomics::store(slot.metadata_version, std::uint64_t{0}, std::memory_order_relaxed);
        Atomics::store(slot.health, entry.health, std::memory_order_relaxed);
    }

    /// The caller owns the slot, and nobody else of its process is in a set_ of the same slot.
    /// Release: who sees the new health sees what its owner did before.
    static void set_health(Entry& slot, std::uint32_t value) noexcept {
        Atomics::store(slot.health, value, std::memory_order_release);
    }

    /// As set_health. Killed anywhere inside, the old metadata stays valid.
    static void set_metadata(Entry& slot, metadata_bytes const& meta) noexcept {
        std::uint64_t const version =
            Atomics::load(slot.metadata_version, std::memory_order_relaxed); // our own word
        // A reader that still copies the area of version - 1, which is rewritten now, and sees
        // any of it, must then see `version`: pairs with the acquire fence in copy_metadata().
        Atomics::fence(std::memory_order_release);
        std::uint64_t const other = PARTYWALL_MUTANT(metadata_in_place) ? version : version + 1;
        words::store(bytes_of(slot.meta[other % 2]), bytes_of(meta), sizeof meta);
        // Pairs with the acquire load in copy_metadata().
        Atomics::store(slot.metadata_version, version + 1, std::memory_order_release);
    }

    /// These copy the contents that belong to `seen`, an acquire-loaded word, and return whether
    /// the copy is whole; nothing in it is checked.
    static bool copy(participant_slot const& slot, owner seen, participant_record& out) noexcept {
        words::load(bytes_of(out), bytes_of(slot.record), sizeof out);
        return owners::unchanged(slot.owner, seen);
    }

    /// The record and the health: whether it succeeds depends on the owner word alone.
    static bool copy(Entry const& slot, owner seen, raw& out) noexcept {
        words::load(bytes_of(out.record), bytes_of(slot.record), sizeof out.record);
        // Acquire: pairs with the release in set_health().
        out.health = Atomics::load(slot.health, std::memory_order_acquire);
        return owners::unchanged(slot.owner, seen);
    }

    /// The metadata. Fails also when the owner replaced it meanwhile: try again.
    static bool copy_metadata(Entry const& slot, owner seen, metadata_bytes& out) noexcept {
        // Acquire: pairs with the release in set_metadata().
        std::uint64_t const version =
            Atomics::load(slot.metadata_version, std::memory_order_acquire);
        words::load(bytes_of(out), bytes_of(slot.meta[version % 2]), sizeof out);
        // Keeps the copy before the re-load; pairs with the release fence in set_metadata().
        Atomics::fence(std::memory_order_acquire);
        bool const same =
            Atomics::load(slot.metadata_version, std::memory_order_relaxed) == version;
        // Versions begin again with every owner, so the owner word is looked at last: the fence in
        // unchanged() makes a version of the next owner's come with the next owner's word.
        return same && owners::unchanged(slot.owner, seen);
    }

  private:
    template <class T>
    static std::byte* bytes_of(T& object) noexcept {
        return reinterpret_cast<std::byte*>(&object);
    }
    template <class T>
    static std::byte const* bytes_of(T const& object) noexcept {
        return reinterpret_cast<std::byte const*>(&object);
    }
};

} // namespace partywall::inline v0::detail
