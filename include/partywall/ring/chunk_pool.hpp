// SPDX-License-Identifier: BSL-1.0
// The chunks of one ring: where messages lie that are too long for a cell. The writer's view; a
// reader's pins are in reader_seat.hpp.
//
// Use when  a message is long enough that a look at a second place costs less than a copy.
// Not when  it fits a cell that is read at once: then the ring alone is faster.
// Callers   the ring's writer, one thread at a time.
// Progress  wait-free. There is always a chunk: readers can pin so many and no more.
// Cost      acquire, commit: private memory only. Once per so many messages as there are chunks
//           that nobody needs: a fence and a load for each pin that there may be.
// Memory    chunk_count x chunk_bytes in the segment; 16 bytes per chunk and 4 per cell here.
// Peer dies a dead reader's pins keep their chunks from being used until its slot is taken back;
//           the writer does without them, as it would if the reader lived.
//
// Nothing is counted, and no word has two writers. Which chunks the ring's cells name the writer
// knows by itself; which ones readers hold it asks, when it has no other left.
//
// Invariants
//   I1  A chunk is written only while no cell names it and no pin held it at a look that came after
//       the cell that named it last was marked.
//   I2  chunk_count > cells + pins: of cells, pins and one message in the making, something is left.
//   I3  A pin is believed only as a number: a hostile reader can name at most as many chunks as it
//       has pins, which is what I2 allows for.
//
// Why I1 is enough: a reader stores its pin, then a seq_cst fence, then looks at the cell's stamp
// again. The writer marks the cell, then a seq_cst fence, then looks at the pins. So either the
// writer sees the pin, or the reader sees the mark and does not use the chunk. A reader whose cursor
// holds the cell needs no fence: it pins before it gives the cursor back (release), and the writer
// has looked at the cursor (acquire) before it wrote the cell again. (The same idea as hazard
// pointers: Michael, IEEE TPDS 15(6), 2004.)
#pragma once

#include <partywall/detail/mutant.hpp>
#include <partywall/ring/readers_layout.hpp>
#include <partywall/ring/ring_geometry.hpp>
#include <partywall/segment/atomics.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace partywall::inline v0::detail {

/// Chunks that a ring needs: one for each cell, for each pin and for the message in the making.
constexpr std::uint64_t chunks_for(std::uint64_t cell_count, std::uint64_t pins) noexcept {
    return cell_count + pins + 1;
}

template <class Atomics = std_atomics>
class chunk_pool {
  public:
    chunk_pool() = default;
    /// Room for the writer's own account. Throws std::bad_alloc; nothing else does. Every chunk
    /// counts as one that a reader may still hold: readers of an earlier writer may.
    chunk_pool(std::uint64_t cell_count, std::uint64_t chunk_count)
        : code_in_(cell_count), held_(chunk_count) {
        free_.reserve(chunk_count);
        retired_.reserve(chunk_count);
        for (std::uint64_t i = chunk_count; i != 0; --i) {
            retired_.push_back(static_cast<std::uint32_t>(i - 1));
        }
    }
    /// Where the chunks and the pins are: the first `pins_per_slot` words of the first
    /// `pinning_slots` slots.
    void use(ring_geometry const& geometry, reader_slot const* slots, std::uint32_t pinning_slots,
             std::uint32_t pins_per_slot) noexcept {
        pool_ = geometry.pool;
        slots_ = slots;
        pinning_slots_ = pinning_slots;
        pins_per_slot_ = pins_per_slot;
    }

    explicit operator bool() const noexcept { return pool_.chunk_count != 0; }

    /// Memory of the next message that does not lie in its cell; the same one until commit().
    std::byte* acquire() noexcept {
        if (next_ == none) {
            if (free_.empty()) {
                collect();
            }
            next_ = free_.back(); // I2
            free_.pop_back();
        }
        return pool_.chunk(next_);
    }
    /// What the cell of a message of `bytes` in that memory says.
    std::uint64_t descriptor(std::uint64_t bytes) const noexcept {
        return detail::descriptor::make(bytes, next_);
    }
    /// The cell of `position` has been published with it. No reader finds there any more what it
    /// named before.
    void committed(std::uint64_t position) noexcept {
        hand_over(position, next_ + 1);
        next_ = none;
    }
    /// The cell of `position` has been published with a message of its own.
    void committed_inline(std::uint64_t position) noexcept { hand_over(position, 0); }

  private:
    static constexpr std::uint32_t none = ~std::uint32_t{0};

    void hand_over(std::uint64_t position, std::uint32_t code) noexcept {
        std::uint32_t& named = code_in_[position & (code_in_.size() - 1)];
        if (named != 0) {
            retired_.push_back(named - 1); // there is room: reserved
        }
        named = code;
    }

    /// Which of the chunks that no cell names may be used again.
    [[gnu::noinline]] void collect() noexcept {
        // I1. Every retired chunk's cell was marked before. Pairs with the fence in
        // reader_seat::pin().
        if (pinning_slots_ != 0) {
            Atomics::fence(std::memory_order_seq_cst);
        }
        round_ += 1;
        for (std::uint32_t i = 0; i < pinning_slots_; ++i) {
            for (std::uint32_t k = 0; k < pins_per_slot_; ++k) {
                // acquire: pairs with the release in reader_seat::unpin(): the last look at the
                // chunk came before. Loaded once (I3).
                std::uint64_t const pin =
                    Atomics::load(slots_[i].pins[k], std::memory_order_acquire);
                if (pin != 0 && pin <= held_.size() && !PARTYWALL_MUTANT(pins_ignored)) {
                    held_[pin - 1] = round_;
                }
            }
        }
        std::size_t kept = 0;
        for (std::uint32_t const chunk : retired_) {
            if (held_[chunk] == round_) {
                retired_[kept++] = chunk;
            } else {
                free_.push_back(chunk); // there is room: reserved
            }
        }
        retired_.resize(kept);
    }

    pool_geometry pool_;
    reader_slot const* slots_ = nullptr;
    std::uint32_t pinning_slots_ = 0;
    std::uint32_t pins_per_slot_ = 0;
    std::uint32_t next_ = none;
    std::uint64_t round_ = 0;
    std::vector<std::uint32_t> free_;
    std::vector<std::uint32_t> retired_; ///< no cell names them; readers may still hold them
    std::vector<std::uint32_t> code_in_; ///< chunk + 1 that each cell names, or 0
    std::vector<std::uint64_t> held_;    ///< in which round each chunk was last found pinned
};

} // namespace partywall::inline v0::detail
