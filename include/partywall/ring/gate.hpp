// SPDX-License-Identifier: BSL-1.0
// The gate: how far a writer may go before it would overwrite what a lossless reader still needs.
//
// Use when  a topic's overflow policy is `block` or `reject`.
// Not when  nobody may hold the writer back (`drop_oldest`): then the gate is simply open.
// Callers   the ring's writer, one thread at a time.
// Progress  open(): one comparison of private numbers. scan(): wait-free, O(slots).
// Cost      a scan per lap at most while readers keep up: a fence and two loads per slot.
// Peer dies a dead reader's cursor stays where it was until somebody proves the death and takes
//           its slot to `cleaning` (reader_seat::reclaim); such slots are not counted.
//
// Invariants
//   I1  Every cell from the last stored `position` on, and from every counted cursor on, is not
//       overwritten: credit_end <= min(position, cursors) + cell_count.
//   I2  `position` is stored before the fence of every scan: a joiner that the scan does not see
//       reads a position from which I1 protects it (reader_seat::join()).
//   I3  A cursor ahead of the writer is a number from a hostile process: it does not count.
//   I4  A cursor more than a lap behind allows nothing. It is no reader's place, but it may be
//       the first store of a joiner that was stopped since it read `position`; passing over it
//       would let the joiner's second reading be older than this scan.
#pragma once

#include <partywall/detail/mutant.hpp>
#include <partywall/ring/readers_layout.hpp>
#include <partywall/ring/ring_layout.hpp>
#include <partywall/segment/atomics.hpp>
#include <partywall/segment/owner_word.hpp>

#include <cstdint>

namespace partywall::inline v0::detail {

template <class Atomics = std_atomics>
class gate {
  public:
    static constexpr std::uint32_t no_slot = ~std::uint32_t{0};

    /// The reader that allows least, as a scan found it. A writer that goes to sleep on `freed`
    /// takes the value of a scan *before* it armed: after the arming the reader may have answered
    /// already, for a cursor that was not enough, and would not answer again.
    struct laggard {
        std::uint32_t slot = no_slot;
        owner seen;              ///< its owner word, loaded before its cursor
        std::uint32_t freed = 0; ///< its `freed`, loaded before its cursor
    };

    gate() = default;
    /// `slots` nullptr: nothing ever holds the writer back. Credit starts at nothing: the first
    /// message scans.
    gate(ring_control& control, reader_slot const* slots, std::uint32_t slot_count,
         std::uint64_t cell_count, std::uint64_t start_position) noexcept
        : control_(&control), slots_(slots), slot_count_(slots == nullptr ? 0 : slot_count),
          cell_count_(cell_count), credit_end_(start_position) {}

    /// Whether the cell of `position` may be written without another look.
    bool open(std::uint64_t position) const noexcept { return position != credit_end_; }
    /// Cells from `position` on that may be written without another look.
    std::uint64_t credit(std::uint64_t position) const noexcept { return credit_end_ - position; }

    /// Looks at every cursor. Afterwards open(position) is up to date; `held_by` is the reader
    /// that allows least, if one allows less than a lap.
    bool scan(std::uint64_t position, laggard& held_by) noexcept {
        held_by = laggard{};
        std::uint64_t credit = cell_count_;
        if (slot_count_ != 0) {
            // Then the fence: I2. Pairs with the fence in reader_seat::join(). release: pairs with
            // the acquire there; who joins here finds stamps that are not older than a lap.
            Atomics::store(control_->position, position, std::memory_order_release);
            if (!PARTYWALL_MUTANT(scan_without_fence)) {
                Atomics::fence(std::memory_order_seq_cst);
            }
            for (std::uint32_t i = 0; i < slot_count_; ++i) {
                look_at(i, position, credit, held_by);
            }
        }
        credit_end_ = position + credit;
        return credit != 0;
    }

  private:
    void look_at(std::uint32_t index, std::uint64_t position, std::uint64_t& credit,
                 laggard& held_by) noexcept {
        reader_slot const& slot = slots_[index];
        owner const seen = owner_word<Atomics>::load(slot.owner);
        if (seen.phase() != slot_phase::filling && seen.phase() != slot_phase::ready) {
            return;
        }
        // acquire: pairs with the release in reader_seat::raise_freed(). Loaded before the cursor:
        // a writer that sleeps on this value has seen the cursor that it was raised for.
        std::uint32_t const freed = Atomics::load(slot.freed, std::memory_order_acquire);
        // acquire: pairs with the release in publish_cursor(): the reader's last reads of the
        // cells it gives back happened before we overwrite them.
        std::uint64_t const cursor = Atomics::load(slot.cursor, std::memory_order_acquire);
        if ((cursor & 1) == 0) {
            return; // none, or not a cursor
        }
        // Cursors carry 63 bits of a position; honest distances are far smaller.
        auto const ahead = static_cast<std::int64_t>(cursor - cursor_at(position));
        if (ahead > 0 && !PARTYWALL_MUTANT(cursor_ahead_believed)) {
            return; // I3
        }
        std::uint64_t const behind = (cursor_at(position) - cursor) / 2;
        std::uint64_t const allowed = behind < cell_count_ ? cell_count_ - behind : 0; // I4
        if (allowed < credit && !PARTYWALL_MUTANT(cursor_not_counted)) {
            credit = allowed;
            held_by = laggard{index, seen, freed};
        }
    }

    ring_control* control_ = nullptr;
    reader_slot const* slots_ = nullptr;
    std::uint32_t slot_count_ = 0;
    std::uint64_t cell_count_ = 0;
    std::uint64_t credit_end_ = 0;
};

} // namespace partywall::inline v0::detail
