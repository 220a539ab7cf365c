// SPDX-License-Identifier: BSL-1.0
// How a lane changes hands. What is sent through it is an ordinary ring: ring_writer and gate on the
// sender's side, ring_reader and reader_seat on the receiver's.
//
// Callers   claim, fill, open, abandon: the sender. free: the receiver.
// Progress  claim: lock-free, at most one look at each lane. The others: wait-free.
// Cost      fill: a store per cell. The receiver never pays for a newcomer.
// Peer dies a sender killed while filling leaves a lane that the receiver frees when the death is
//           proven; killed later, one that it first reads to the end. When the receiver dies, the
//           whole segment is of no use any more.
//
// Invariants
//   I1  A free lane holds cursor == cursor_at(start), so that its next owner has a lap of credit.
//   I2  Only the receiver makes a lane free that was ready: nobody else knows what was read.
//   I3  A lane's positions go on from owner to owner, one lap on, so that no stamp of an earlier
//       owner is one of the next.
#pragma once

#include <partywall/detail/mutant.hpp>
#include <partywall/inbox/lanes_layout.hpp>
#include <partywall/ring/ring_geometry.hpp>
#include <partywall/ring/ring_writer.hpp>
#include <partywall/segment/atomics.hpp>
#include <partywall/segment/owner_word.hpp>
#include <partywall/wait/bell.hpp>

#include <cstdint>

namespace partywall::inline v0::detail {

template <class Atomics = std_atomics>
struct lane {
    using owners = owner_word<Atomics>;
    static constexpr std::uint32_t none = ~std::uint32_t{0};

    /// Before the segment has a name.
    static void format(lane_header& h, std::uint64_t start, std::uint64_t receiver) noexcept {
        constexpr auto relaxed = std::memory_order_relaxed; // nobody else has the segment
        Atomics::store(h.start, start, relaxed);
        Atomics::store(h.slot.owner, owner::make(receiver, slot_phase::ready, 1).word, relaxed);
        Atomics::store(h.slot.role, static_cast<std::uint32_t>(reader_role::lossless), relaxed);
        Atomics::store(h.slot.cursor, cursor_at(start), relaxed);
        Atomics::store(h.taken, start, relaxed);
        Atomics::store(h.done, start, relaxed);
    }

    /// A free lane for `ticket`, looked for from `first` on; none: all are taken.
    static std::uint32_t claim(lane_header* lanes, std::uint32_t count, std::uint32_t first,
                               std::uint64_t ticket, owner& mine) noexcept {
        for (std::uint32_t i = 0; i < count; ++i) {
            std::uint32_t const index = (first + i) % count;
            owner seen = owners::load(lanes[index].owner);
            if (owners::claim(lanes[index].owner, seen, ticket)) {
                mine = seen;
                return index;
            }
        }
        return none;
    }

    /// The claimed lane becomes ours: its cells before our start, our words. `g` is the geometry of
    /// its cells, and gets the start. Whatever stands there is only a number.
    static void fill(lane_header& h, ring_geometry& g, std::uint64_t incarnation,
                     std::uint32_t policy, fence_pair fences) noexcept {
        constexpr auto relaxed = std::memory_order_relaxed; // published by open()
        g.start_position = Atomics::load(h.start, relaxed);
        ring_writer<Atomics>::format(g);
        Atomics::store(h.incarnation, incarnation, relaxed);
        Atomics::store(h.overflow, policy, relaxed);
        Atomics::store(h.fences, static_cast<std::uint32_t>(fences), relaxed);
        Atomics::store(h.control.position, g.start_position, relaxed);
        Atomics::store(h.control.closed, std::uint64_t{0}, relaxed);
        Atomics::store(h.control.fencing, std::uint32_t{0}, relaxed);
    }

    /// From here on the receiver reads it.
    static bool open(lane_header& h, owner& mine) noexcept {
        return owners::exchange(h.owner, mine, mine.ticket(), slot_phase::ready);
    }

    /// Never opened: nothing was sent.
    static void abandon(lane_header& h, owner& mine) noexcept {
        owners::exchange(h.owner, mine, 0, slot_phase::free);
    }

    /// The owner that was `seen` has closed or is proven dead, and everything before `end` was read:
    /// the lane is for the next one, who begins at `start`. False: the word has changed, and with it
    /// what is to be done: whoever was `seen` filling may have opened the lane before it died.
    static bool free(lane_header& h, owner seen, std::uint64_t receiver,
                     std::uint64_t start) noexcept {
        if (!owners::exchange(h.owner, seen, receiver, slot_phase::cleaning)) {
            return false;
        }
        constexpr auto relaxed = std::memory_order_relaxed; // published by the exchange to free
        Atomics::store(h.start, start, relaxed);
        Atomics::store(h.incarnation, std::uint64_t{0}, relaxed);
        Atomics::store(h.control.closed, std::uint64_t{0}, relaxed);
        Atomics::store(h.control.position, start, relaxed);
        for (std::uint64_t* const counter :
             {&h.control.rejected, &h.control.blocked_count, &h.control.blocked_ns,
              &h.control.wakes, &h.control.scans, &h.slot.received, &h.slot.missed, &h.slot.sleeps,
              &h.slot.corrupt, &h.deferred, &h.answered}) {
            Atomics::store(*counter, std::uint64_t{0}, relaxed);
        }
        Atomics::store(h.taken, start, relaxed);
        Atomics::store(h.done, start, relaxed);
        Atomics::store(h.slot.cursor, cursor_at(start), relaxed); // I1
        return owners::exchange(h.owner, seen, 0, slot_phase::free);
    }

    /// The same, and `own_start`, the receiver's account of where the next owner begins, moves on:
    /// only with the lane. Who opened it meanwhile sends from where it began.
    static bool free_and_move(lane_header& h, owner seen, std::uint64_t receiver,
                              std::uint64_t& own_start, std::uint64_t start) noexcept {
        bool const done = free(h, seen, receiver, start);
        if (done && !PARTYWALL_MUTANT(next_lane_begins_too_early)) {
            own_start = start;
        }
        return done;
    }
};

} // namespace partywall::inline v0::detail
