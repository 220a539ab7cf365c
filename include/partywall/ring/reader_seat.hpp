// SPDX-License-Identifier: BSL-1.0
// A reader's own slot beside a ring: its cursor, which holds a gated writer back, and the bell
// for a writer that waits for room.
//
// Callers   the slot's owner: one thread at a time of one process.
// Progress  wait-free, except claim(), which fails when every slot is taken.
// Cost      publish_cursor: one store and one load.
// Peer dies the slot keeps its owner's ticket; whoever proves the death takes the slot to
//           `cleaning`, in which the writer no longer counts it, and frees it (reclaim()).
//
// Invariants
//   I1  A free slot holds cursor == none.
//   I2  From the second store of join() on, no cell from that cursor on is overwritten until the
//       cursor moves. (Writer: position := p; fence; scan. Joiner: cursor := position; fence;
//       cursor := position read again. Either the scan sees the cursor, or the second reading
//       sees a position from which the writer's credit, at most a lap, protects every cell.)
//   I3  Only the owner writes the words of its slot.
//   I4  A free slot pins nothing. A chunk that was pinned while a cell that the writer had not yet
//       marked named it is not written until it is unpinned (chunk_pool.hpp).
#pragma once

#include <partywall/detail/mutant.hpp>
#include <partywall/os/futex.hpp>
#include <partywall/ring/readers_layout.hpp>
#include <partywall/ring/ring_layout.hpp>
#include <partywall/segment/atomics.hpp>
#include <partywall/segment/owner_word.hpp>
#include <partywall/wait/bell.hpp>

#include <climits>
#include <cstdint>

namespace partywall::inline v0::detail {

template <class Atomics = std_atomics>
class reader_seat {
  public:
    using owners = owner_word<Atomics>;

    reader_seat() = default;
    reader_seat(reader_slot& slot, ring_control const& control, owner mine,
                fence_pair pair) noexcept
        : slot_(&slot), control_(&control), owner_(mine), pair_(pair) {}

    explicit operator bool() const noexcept { return slot_ != nullptr; }
    reader_slot& slot() const noexcept { return *slot_; }

    /// Claims the first free slot for `ticket`: filling, role set. nullptr: none is free.
    static reader_slot* claim(reader_slot* slots, std::uint32_t count, std::uint64_t ticket,
                              reader_role role, owner& mine) noexcept {
        for (std::uint32_t i = 0; i < count; ++i) {
            owner seen = owners::load(slots[i].owner);
            if (owners::claim(slots[i].owner, seen, ticket)) {
                // relaxed: published by the exchange to `ready`. I1 is what our own code leaves
                // behind; a hostile owner may have left a cursor that would hold the writer back.
                Atomics::store(slots[i].cursor, cursor_none, std::memory_order_relaxed);
                clear_pins(slots[i]);
                Atomics::store(slots[i].role, static_cast<std::uint32_t>(role),
                               std::memory_order_relaxed);
                mine = seen;
                return &slots[i];
            }
        }
        return nullptr;
    }

    /// Joins at the writer's position (I2). Returns the position from which every cell is safe.
    /// Until the slot is `ready` or its cursor is seen the writer already counts it.
    std::uint64_t join() noexcept {
        // relaxed: ordered by the fences; a stale position is only a lower one.
        std::uint64_t position = Atomics::load(control_->position, std::memory_order_relaxed);
        Atomics::store(slot_->cursor, cursor_at(position), std::memory_order_relaxed);
        Atomics::fence(std::memory_order_seq_cst); // pairs with the fence in gate::scan()
        // acquire: pairs with the release in gate::scan(): the stamps from a lap before it on are
        // seen. An older one would look like a corrupt one.
        if (!PARTYWALL_MUTANT(position_read_once)) {
            position = Atomics::load(control_->position, std::memory_order_acquire);
        }
        // release: pairs with the acquire in gate::scan().
        Atomics::store(slot_->cursor, cursor_at(position), std::memory_order_release);
        published_ = position;
        return position;
    }

    /// Takes over a reservation, whose cursor the publisher set: nothing to join.
    void adopt(std::uint64_t position) noexcept { published_ = position; }

    /// Keeps chunk `code` - 1 from being written, from now on if the cell that names it still does
    /// afterwards: the caller looks, unless its own cursor holds that cell.
    void pin(std::uint32_t index, std::uint64_t code, bool cursor_holds) noexcept {
        // acquire, then release: another of our threads may have looked at the chunk that this word
        // named last; whoever sees the new value has all that behind it.
        (void)Atomics::load(slot_->pins[index], std::memory_order_acquire);
        Atomics::store(slot_->pins[index], code, std::memory_order_release);
        if (!cursor_holds) {
            Atomics::fence(std::memory_order_seq_cst); // pairs with the fence in collect()
        }
    }
    /// False: somebody else has changed the word, so that the chunk may have been written.
    bool unpin(std::uint32_t index, std::uint64_t code) noexcept {
        // relaxed: a check of what only we may write.
        bool const kept = Atomics::load(slot_->pins[index], std::memory_order_relaxed) == code;
        // release: our reads of the chunk come before. Pairs with the acquire in collect().
        Atomics::store(slot_->pins[index], std::uint64_t{0}, std::memory_order_release);
        return kept;
    }

    void set_ready() noexcept {
        owners::exchange(slot_->owner, owner_, owner_.ticket(), slot_phase::ready);
    }

    std::uint64_t published() const noexcept { return published_; }

    /// Gives back every cell before `position`, and wakes the writer if it waits for room.
    void publish_cursor(std::uint64_t position) noexcept {
        published_ = position;
        // release: reads of the cells stay before it. Pairs with the acquire in gate::scan().
        Atomics::store(slot_->cursor, cursor_at(position), std::memory_order_release);
        ring_room();
    }

    /// Gives the slot back. The seat is empty afterwards.
    void leave() noexcept {
        // release: reads of the cells stay before it. Pairs with the acquire in gate::scan().
        Atomics::store(slot_->cursor, cursor_none, std::memory_order_release);
        ring_room();
        // It fails only if a hostile process changed the word: then the slot is not ours to clear.
        if (owners::exchange(slot_->owner, owner_, owner_.ticket(), slot_phase::filling)) {
            clear_contents(*slot_);
            owners::exchange(slot_->owner, owner_, 0, slot_phase::free);
        }
        slot_ = nullptr;
    }

    /// Takes `slot` from a dead owner, whose death was proven for exactly `seen`, and frees it.
    /// False: somebody else was faster. May be killed anywhere: then the cleaner is the dead
    /// owner, and the next one passes through the same states.
    static bool reclaim(reader_slot& slot, owner seen, std::uint64_t my_ticket) noexcept {
        if (!owners::exchange(slot.owner, seen, my_ticket, slot_phase::cleaning) &&
            !PARTYWALL_MUTANT(seat_reclaimed_twice)) {
            return false;
        }
        // release: as in leave().
        Atomics::store(slot.cursor, cursor_none, std::memory_order_release);
        // A writer may be asleep on this slot, and which value it waits for is unknown here: any
        // change ends its sleep. As its owner we may write `freed` (I3).
        raise_freed(slot);
        clear_contents(slot);
        owners::exchange(slot.owner, seen, 0, slot_phase::free);
        return true;
    }

    /// Counters are the owner's: plain add and store. Read by monitors, stale is safe.
    void count_received(std::uint64_t total) noexcept {
        Atomics::store(slot_->received, total, std::memory_order_relaxed);
    }
    void count_missed(std::uint64_t total) noexcept {
        Atomics::store(slot_->missed, total, std::memory_order_relaxed);
    }
    void count_sleep() noexcept { add_to_own<Atomics>(slot_->sleeps, 1); }
    void count_corrupt() noexcept { add_to_own<Atomics>(slot_->corrupt, 1); }

  private:
    /// The bell for room, the other way round: the writer arms, this reader rings.
    void ring_room() noexcept {
        // Pairs with the heavy fence of the writer between room_arm and its re-check.
        light_fence<Atomics>(pair_);
        std::uint32_t const armed = Atomics::load(control_->room_arm, std::memory_order_relaxed);
        if (armed != room_seen_ && !PARTYWALL_MUTANT(room_not_rung)) [[unlikely]] {
            room_seen_ = armed;
            raise_freed(*slot_);
        }
    }

    static void raise_freed(reader_slot& slot) noexcept {
        // release: pairs with the acquire in gate::look_at(): who sees it sees the cursor.
        Atomics::store(slot.freed, Atomics::load(slot.freed, std::memory_order_relaxed) + 1,
                       std::memory_order_release);
        os::futex_wake(slot.freed, INT_MAX, true);
    }

    static void clear_pins(reader_slot& slot) noexcept {
        for (std::uint64_t& pin : slot.pins) {
            // relaxed: nobody writes it but the slot's owner, who we are.
            if (Atomics::load(pin, std::memory_order_relaxed) != 0) {
                Atomics::store(pin, std::uint64_t{0}, std::memory_order_release); // as in unpin()
            }
        }
    }
    static void clear_contents(reader_slot& slot) noexcept {
        clear_pins(slot);
        constexpr auto relaxed = std::memory_order_relaxed; // published by the exchange to free
        Atomics::store(slot.role, std::uint32_t{0}, relaxed);
        Atomics::store(slot.subscription, std::uint64_t{0}, relaxed);
        Atomics::store(slot.subscription_ticket, std::uint64_t{0}, relaxed);
        Atomics::store(slot.received, std::uint64_t{0}, relaxed);
        Atomics::store(slot.missed, std::uint64_t{0}, relaxed);
        Atomics::store(slot.sleeps, std::uint64_t{0}, relaxed);
        Atomics::store(slot.corrupt, std::uint64_t{0}, relaxed);
        Atomics::store(slot.wake, std::uint64_t{0}, relaxed);
    }

    reader_slot* slot_ = nullptr;
    ring_control const* control_ = nullptr;
    owner owner_;
    std::uint64_t published_ = 0;
    std::uint32_t room_seen_ = 0;
    fence_pair pair_ = fence_pair::publisher;
};

} // namespace partywall::inline v0::detail
