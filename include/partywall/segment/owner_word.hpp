// SPDX-License-Identifier: BSL-1.0
// The owner word: how a slot of shared memory changes hands.
//
//   63                     24 23 22 21                    0
//   +------------------------+-----+----------------------+
//   | ticket (40)            |phase| sequence (22)        |
//   +------------------------+-----+----------------------+
//
// Use when  several processes may own a slot one after the other, and any of them may be killed
//           between any two instructions.
// Not when  one process owns the memory for its whole life: then it simply has one writer.
// Callers   any number of processes; every change of hands is one compare-exchange.
// Progress  lock-free: a failed compare-exchange means that somebody else succeeded.
// Peer dies the word still says whose it was. Whoever can prove that death moves it to
//           {self, cleaning}, cleans, and frees it. A killed cleaner is simply a dead owner.
//
// Invariants
//   I1  The ticket says who owns the slot and decides whether that owner lives; 0 is nobody.
//   I2  Others use the contents of `ready` slots only.
//   I3  The sequence changes with every change of the word, freeing included, and is never
//       reset: two equal loads around a read of the contents prove that nothing changed.
#pragma once

#include <partywall/detail/mutant.hpp>
#include <partywall/segment/atomics.hpp>

#include <cstdint>

namespace partywall::inline v0 {

enum class slot_phase : std::uint8_t {
    free = 0,     ///< nobody's; the contents are as the last owner or cleaner left them
    filling = 1,  ///< the owner is writing the contents
    ready = 2,    ///< the contents may be used
    cleaning = 3, ///< the owner is somebody who cleans up after a dead owner
};

/// Value of an owner word, taken apart. A value type: nothing here touches shared memory.
struct owner {
    std::uint64_t word = 0;

    static constexpr unsigned sequence_bits = 22;
    static constexpr std::uint64_t sequence_mask = (std::uint64_t{1} << sequence_bits) - 1;

    static constexpr owner make(std::uint64_t ticket, slot_phase p,
                                std::uint64_t sequence) noexcept {
        return {(ticket << (sequence_bits + 2)) | (static_cast<std::uint64_t>(p) << sequence_bits) |
                (sequence & sequence_mask)};
    }
    constexpr std::uint64_t ticket() const noexcept { return word >> (sequence_bits + 2); }
    constexpr slot_phase phase() const noexcept {
        return static_cast<slot_phase>((word >> sequence_bits) & 3);
    }
    constexpr std::uint64_t sequence() const noexcept { return word & sequence_mask; }
    /// The word that follows this one when `ticket` takes the slot to phase `p` (I3).
    constexpr owner next(std::uint64_t ticket, slot_phase p) const noexcept {
        return make(ticket, p, sequence() + 1);
    }
    constexpr bool is_free() const noexcept { return phase() == slot_phase::free; }
    friend constexpr bool operator==(owner, owner) noexcept = default;
};

template <class Atomics = std_atomics>
struct owner_word {
    /// Pairs with the release in `exchange` and `set`: a `ready` that is seen here makes the
    /// contents written before it visible.
    static owner load(std::uint64_t const& word) noexcept {
        return {Atomics::load(word, std::memory_order_acquire)};
    }

    /// Moves the word from exactly `seen` to {ticket, p, next sequence}. Returns whether it did;
    /// on success `seen` is the new value, otherwise what stands there now.
    static bool exchange(std::uint64_t& word, owner& seen, std::uint64_t ticket,
                         slot_phase p) noexcept {
        owner const desired = PARTYWALL_MUTANT(sequence_not_bumped)
                                  ? owner::make(ticket, p, seen.sequence())
                                  : seen.next(ticket, p);
        if (Atomics::compare_exchange(word, seen.word, desired.word)) {
            // Whoever rewrites the contents next does so with relaxed stores: none of them may
            // be seen before the change of the word. Pairs with the fence in unchanged() (I3).
            Atomics::fence(std::memory_order_release);
            seen = desired;
            return true;
        }
        return false;
    }

    /// Claims a free slot for `ticket`, to be filled.
    static bool claim(std::uint64_t& word, owner& seen, std::uint64_t ticket) noexcept {
        return seen.is_free() && exchange(word, seen, ticket, slot_phase::filling);
    }

    /// The seqlock's second half: after the contents were copied with relaxed loads, says whether
    /// the slot was untouched meanwhile (I3). The acquire fence keeps the copies before the
    /// re-load; it pairs with the release of whoever changed the word.
    static bool unchanged(std::uint64_t const& word, owner seen) noexcept {
        Atomics::fence(std::memory_order_acquire);
        return PARTYWALL_MUTANT(owner_not_looked_at_again) ||
               Atomics::load(word, std::memory_order_relaxed) == seen.word;
    }
};

} // namespace partywall::inline v0
