// SPDX-License-Identifier: BSL-1.0
// The writing side of a ring: one writer, any number of readers that it does not know.
//
// Use when  one process publishes to many, and a reader that falls behind must not slow it down.
// Not when  several processes write: give each its own ring.
// Callers   one thread at a time of the one process that created the ring.
// Progress  wait-free. Whether a cell may be overwritten is the gate's business (gate.hpp).
// Cost      two stores of the stamp around the payload; no load of shared memory, no locked
//           instruction, no fence instruction on x86-64.
// Peer dies readers are never waited for here. If the writer dies, the cell it was writing stays
//           `writing` for ever: no reader takes it.
//
// Invariants
//   I1  A cell's payload is changed only while its stamp is writing(p), which was visible before.
//   I2  ready(p) becomes visible after every byte of the payload of position p.
//   I3  Positions are handed out one by one; an abandoned one is used again.
//
// The mark and its fence: Boehm, "Can seqlocks get along with programming language memory
// models?" (MSPC 2012), the variant with relaxed payload accesses.
#pragma once

#include <partywall/detail/mutant.hpp>
#include <partywall/ring/ring_geometry.hpp>
#include <partywall/ring/ring_layout.hpp>
#include <partywall/segment/atomics.hpp>
#include <partywall/segment/copy_words.hpp>

#include <cstring>

namespace partywall::inline v0::detail {

template <class Atomics = std_atomics>
class ring_writer {
  public:
    ring_writer() = default;
    explicit ring_writer(ring_geometry const& geometry) noexcept
        : geometry_(geometry), position_(geometry.start_position) {}

    /// Gives every cell the stamp that it needs before the first message. Before the segment has
    /// a name.
    static void format(ring_geometry const& geometry) noexcept {
        for (std::uint64_t i = 0; i < geometry.cell_count; ++i) {
            std::uint64_t const position = geometry.start_position + i;
            // relaxed: nobody else has the segment; its file name is the publication.
            Atomics::store(geometry.stamp(position), writing_stamp(position - geometry.cell_count),
                           std::memory_order_relaxed);
        }
    }

    /// The position that the next message gets.
    std::uint64_t position() const noexcept { return position_; }
    ring_geometry const& geometry() const noexcept { return geometry_; }

    /// Takes the cell away from readers; afterwards its payload may be written. May be repeated
    /// for the same position (I3).
    [[gnu::always_inline]] std::byte* begin() noexcept {
        std::byte* const cell = geometry_.cell(position_);
        mark(cell, position_);
        return cell + geometry_.payload_offset;
    }

    /// Publishes what was written since begin().
    void commit() noexcept { publish(geometry_.cell(position_), position_); }
    /// The same, for who still knows what begin() returned.
    [[gnu::always_inline]] void commit_at(std::byte* payload) noexcept {
        publish(payload - geometry_.payload_offset, position_);
    }
    /// Same for a variable-length cell: with the length of the message that lies in it, at most
    /// payload_bytes_max, or a descriptor of where else it lies.
    void commit(std::uint64_t descriptor) noexcept {
        // relaxed: ordered by the release in publish().
        Atomics::store(geometry_.descriptor(position_), descriptor, std::memory_order_relaxed);
        commit();
    }

    /// Fixed-size message: its size is known to the compiler, so small ones go through registers.
    /// Inlined always: a message that its caller wrote to memory field by field and that is copied
    /// behind a call would wait for those stores.
    template <class T>
    [[gnu::always_inline]] void put(T const& message) noexcept {
        // Locals: the compiler must assume that the stores below change our members.
        std::uint64_t const position = position_;
        std::byte* const cell = geometry_.cell(position);
        std::uint32_t const payload_offset = geometry_.payload_offset;
        mark(cell, position);
        copy_words<Atomics>::template store_fixed<sizeof(T)>(
            cell + payload_offset, reinterpret_cast<std::byte const*>(&message));
        publish(cell, position);
    }
    /// Variable-length message.
    void put(std::byte const* message, std::uint64_t bytes) noexcept {
        std::byte* const payload = begin();
        copy_words<Atomics>::store(payload, message, bytes);
        commit(bytes);
    }

  private:
    static std::uint64_t& stamp_of(std::byte* cell) noexcept {
        return *reinterpret_cast<std::uint64_t*>(cell);
    }
    [[gnu::always_inline]] static void mark(std::byte* cell, std::uint64_t position) noexcept {
        // relaxed: ordered before the payload by the fence.
        if (!PARTYWALL_MUTANT(cell_not_marked)) {
            Atomics::store(stamp_of(cell), writing_stamp(position), std::memory_order_relaxed);
        }
        // I1. Pairs with the acquire fence in ring_reader::still_there(): a reader that copied
        // any byte of the new payload also sees at least this mark when it looks again.
        if (!PARTYWALL_MUTANT(mark_without_fence)) {
            Atomics::fence(std::memory_order_release);
        }
    }
    [[gnu::always_inline]] void publish(std::byte* cell, std::uint64_t position) noexcept {
        // release: I2. Pairs with the acquire in ring_reader::look().
        Atomics::store(stamp_of(cell), ready_stamp(position),
                       PARTYWALL_MUTANT(stamp_relaxed) ? std::memory_order_relaxed
                                                       : std::memory_order_release);
        position_ = position + 1;
    }

    ring_geometry geometry_;
    std::uint64_t position_ = 0;
};

} // namespace partywall::inline v0::detail
