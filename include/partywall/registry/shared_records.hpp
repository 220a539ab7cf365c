// SPDX-License-Identifier: BSL-1.0
// Slots that belong to all who use them: found by name, made by whoever comes first, gone when no
// living user is left. On an atomics policy.
//
//            claim            publish                 settle, by anybody
//   free ----------> filling ---------> candidate ----------------------> in use --+
//     ^                 |               {c, ready}                      {0, ready} |  join: the
//     |                 |                    |                            |   ^    |  sequence
//     |   wipe          |   death of c       |   withdraw, by anybody     |   +----+
//     +------------ cleaning <---------------+----------------------------+
//                                                 remove, when nobody uses it
//
// That a name has one record needs no lock, and nobody waits for a maker who was stopped or killed:
// a candidate is whole, so anybody may settle it, or withdraw it for a better one.
//
// Callers   any number of processes; in each, one thread at a time.
// Progress  lock-free: a step that fails was taken by somebody else.
// Peer dies while it fills or cleans: its ticket stands in the word. As a maker: others settle its
//           candidate. As a user: its mark names it, and who has proof does not count it.
//
// Invariants
//   I1  A record is used only by who has marked it first, and then changed its word. Who removes a
//       record looks at the word first, then at the marks, and changes exactly that word. So one of
//       the two fails, or the mark was seen.
//   I2  Only a candidate is settled that was seen before a look at all other slots found no record
//       of the name in use, and no candidate but those that were withdrawn. Of two candidates the
//       look for at least one finds the other; the one in the lower slot is never withdrawn.
#pragma once

#include <partywall/segment/owner_word.hpp>

#include <cstdint>

namespace partywall::inline v0::detail {

/// `Table` knows the slots, and whom they are for:
///
///     std::uint32_t count();              // of slots
///     std::uint64_t& word(k);             // the owner word
///     bool is_wanted(k);                  // the contents, which may change meanwhile, have the name
///     void fill(k); void wipe(k);         // the contents of a slot of ours
///     void mark(k, bool); bool is_used(k) // by us; by anybody who is not proven dead
///     std::uint64_t ticket();             // ours
template <class Atomics, class Table>
struct shared_records {
    using owners = owner_word<Atomics>;
    static constexpr std::uint32_t none = ~std::uint32_t{0};
    /// Steps that others were faster with, until they cannot have been steps of correct processes.
    static constexpr int attempts_max = 10'000;

    /// The record of the name, which is ours to use from now on: marked. Not for a name whose record
    /// is marked already. `none`: there is none, and no free slot. `made`: whether this call filled it.
    static std::uint32_t join(Table& t, bool& made) noexcept {
        std::uint32_t mine = none;
        owner filled{};
        for (int attempt = 0; attempt < attempts_max; ++attempt) {
            std::uint32_t at = none;
            owner const seen = look(t, at);
            if (at == none) {
                if (!propose(t, mine, filled)) {
                    return none;
                }
                continue;
            }
            t.mark(at, true);
            bool const is_ours = seen.ticket() == 0 ? change(t, at, seen, 0, slot_phase::ready)
                                                    : settle(t, at, seen);
            if (is_ours) {
                made = at == mine;
                if (mine != none && !made) {
                    withdraw(t, mine, filled); // if nobody has done so yet
                }
                return at;
            }
            t.mark(at, false);
        }
        return none;
    }

    /// We use it no more.
    static bool leave(Table& t, std::uint32_t k) noexcept {
        t.mark(k, false);
        // Pairs with this same fence of others who leave: the last one sees that it is.
        Atomics::fence(std::memory_order_seq_cst);
        return remove_unused(t, k);
    }

    /// True: nobody used it, and this call has removed it.
    static bool remove_unused(Table& t, std::uint32_t k) noexcept {
        owner const seen = owners::load(t.word(k)); // before the look at the marks (I1)
        return is_in_use(seen) && !t.is_used(k) && withdraw(t, k, seen);
    }

    /// For one who holds proof that the ticket in `seen` is dead, or who sees that there is none.
    static bool withdraw(Table& t, std::uint32_t k, owner seen) noexcept {
        if (!owners::exchange(t.word(k), seen, t.ticket(), slot_phase::cleaning)) {
            return false;
        }
        t.wipe(k);
        owners::exchange(t.word(k), seen, 0, slot_phase::free);
        return true;
    }

    static constexpr bool is_in_use(owner seen) noexcept {
        return seen.phase() == slot_phase::ready && seen.ticket() == 0;
    }

  private:
    static bool change(Table& t, std::uint32_t k, owner seen, std::uint64_t ticket,
                       slot_phase phase) noexcept {
        return owners::exchange(t.word(k), seen, ticket, phase);
    }

    /// The word of the slot if a record of the name is in it, and a free one if not.
    static owner read(Table& t, std::uint32_t k) noexcept {
        for (int attempt = 0; attempt < attempts_max; ++attempt) {
            owner const seen = owners::load(t.word(k));
            if (seen.phase() != slot_phase::ready) {
                break;
            }
            bool const wanted = t.is_wanted(k);
            if (owners::unchanged(t.word(k), seen)) {
                return wanted ? seen : owner{};
            }
        }
        return {};
    }

    /// The record in use, or else the first candidate.
    static owner look(Table& t, std::uint32_t& at) noexcept {
        owner first{};
        for (std::uint32_t k = 0; k < t.count(); ++k) {
            owner const seen = read(t, k);
            if (is_in_use(seen)) {
                at = k;
                return seen;
            }
            if (!seen.is_free() && at == none) {
                at = k;
                first = seen;
            }
        }
        return first;
    }

    static bool propose(Table& t, std::uint32_t& mine, owner& filled) noexcept {
        for (std::uint32_t k = 0; k < t.count(); ++k) {
            owner seen = owners::load(t.word(k));
            if (owners::claim(t.word(k), seen, t.ticket())) {
                t.fill(k);
                // Fails only where somebody writes into slots that are not its own.
                if (owners::exchange(t.word(k), seen, t.ticket(), slot_phase::ready)) {
                    mine = k;
                    filled = seen;
                    return true;
                }
            }
        }
        return false;
    }

    /// I2. False: look again.
    static bool settle(Table& t, std::uint32_t at, owner candidate) noexcept {
        // Pairs with this same fence of others: who settles another candidate of the name has seen
        // this one, or is seen.
        Atomics::fence(std::memory_order_seq_cst);
        for (std::uint32_t k = 0; k < t.count(); ++k) {
            if (k == at) {
                continue;
            }
            owner const other = read(t, k);
            if (other.is_free()) {
                continue;
            }
            if (is_in_use(other) || k < at || !withdraw(t, k, other)) {
                return false;
            }
        }
        return change(t, at, candidate, 0, slot_phase::ready);
    }
};

} // namespace partywall::inline v0::detail
