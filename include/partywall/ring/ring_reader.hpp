// SPDX-License-Identifier: BSL-1.0
// The reading side of a ring: finds out from the stamp of one cell whether the next message is
// not there yet, ready, or overwritten, in one load and without an index line that would bounce
// between writer and readers.
//
// Callers   one thread at a time per reader; any number of readers in any processes. The segment
//           is mapped read-only.
// Progress  look(): wait-free. copy(): wait-free, may have to be repeated after a jump.
// Cost      look(): one acquire load. copy(): the payload, one fence (free on x86-64), one load.
// Peer dies a dead writer's last cell stays `writing`: not_yet, for ever.
//
// Invariants
//   I1  A copy is used only if the stamp was ready(p) before and after it.
//   I2  Every number from the segment is loaded once and bounded before it is used.
#pragma once

#include <partywall/detail/mutant.hpp>
#include <partywall/ring/ring_geometry.hpp>
#include <partywall/ring/ring_layout.hpp>
#include <partywall/segment/atomics.hpp>
#include <partywall/segment/copy_words.hpp>

namespace partywall::inline v0::detail {

enum class cell_state : std::uint8_t {
    not_yet, ///< the writer has not come here yet
    ready,   ///< the message of this position can be read
    lapped,  ///< the writer has been here at least once more: the message is gone
    corrupt, ///< no writer of ours left such a stamp
};

/// Judges a stamp for position `position` of a ring of `cell_count` cells.
constexpr cell_state judge_stamp(std::uint64_t stamp, std::uint64_t position,
                                 std::uint64_t cell_count) noexcept {
    std::uint64_t const distance = stamp - ready_stamp(position);
    if (distance == 0) {
        return cell_state::ready;
    }
    // A writing stamp is one less than the ready stamp of its position; after this correction
    // everything a writer can leave here is a whole number of laps away.
    std::uint64_t const laps = distance + (stamp & 1);
    if ((laps & (2 * cell_count - 1)) != 0) {
        return cell_state::corrupt;
    }
    auto const signed_laps = static_cast<std::int64_t>(laps);
    if (signed_laps > 0) {
        return cell_state::lapped;
    }
    return signed_laps >= -static_cast<std::int64_t>(2 * cell_count) ? cell_state::not_yet
                                                                     : cell_state::corrupt;
}

template <class Atomics = std_atomics>
class ring_reader {
  public:
    ring_reader() = default;
    ring_reader(ring_geometry const& geometry, std::uint64_t position) noexcept
        : geometry_(geometry), position_(position) {}

    ring_geometry const& geometry() const noexcept { return geometry_; }
    std::uint64_t position() const noexcept { return position_; }
    void set_position(std::uint64_t position) noexcept { position_ = position; }
    void advance() noexcept { position_ += 1; }

    cell_state look() const noexcept {
        // acquire: pairs with the release in ring_writer::publish().
        std::uint64_t const stamp =
            Atomics::load(geometry_.stamp(position_), std::memory_order_acquire);
        if (stamp == ready_stamp(position_)) [[likely]] {
            return cell_state::ready;
        }
        return judge_stamp(stamp, position_, geometry_.cell_count);
    }

    /// Whether the cell of `position` is still ready(position) after its payload was read.
    bool still_there(std::uint64_t position) const noexcept {
        // I1. Pairs with the release fence in ring_writer::mark().
        Atomics::fence(std::memory_order_acquire);
        return PARTYWALL_MUTANT(copy_not_checked) ||
               Atomics::load(geometry_.stamp(position), std::memory_order_relaxed) ==
                   ready_stamp(position);
    }

    /// Length of the message at position(), which look() found ready. More than
    /// payload_bytes_max: it lies in a chunk, and descriptor() says where; or, if there are none, it
    /// is corrupt, unless the cell was overwritten meanwhile.
    std::uint64_t length() const noexcept {
        if (!geometry_.variable_length) {
            return geometry_.payload_bytes_max + geometry_.large_bytes;
        }
        return descriptor();
    }
    std::uint64_t descriptor() const noexcept {
        // relaxed: ordered by look(), judged by still_there().
        return Atomics::load(geometry_.descriptor(position_), std::memory_order_relaxed); // I2
    }

    /// Copies the payload of position(), `bytes` <= payload_bytes_max. False: it was overwritten
    /// meanwhile, and what was copied means nothing.
    bool copy(std::byte* target, std::uint64_t bytes) const noexcept {
        copy_words<Atomics>::load(target, geometry_.payload(position_), bytes);
        return still_there(position_);
    }
    /// Same with a size that the compiler knows.
    template <std::size_t Bytes>
    bool copy_fixed(std::byte* target) const noexcept {
        copy_words<Atomics>::template load_fixed<Bytes>(target, geometry_.payload(position_));
        return still_there(position_);
    }

    /// One past the newest ready message, by bisecting the stamps of one lap: the positions in
    /// the cells ascend from cell 0 up to the newest message and drop by one lap behind it.
    /// Never ahead of the true end at the time of return, and never before the start. `fallback`
    /// if the stamps make no sense.
    std::uint64_t find_end(std::uint64_t fallback) const noexcept {
        constexpr int attempts = 8; // the writer may lap us while we bisect
        std::uint64_t const count = geometry_.cell_count;
        std::uint64_t end = fallback;
        for (int attempt = 0; attempt < attempts; ++attempt) {
            std::uint64_t const first = held_by(0);
            if ((first & (count - 1)) != 0) {
                return fallback;
            }
            std::uint64_t low = 0;      // cell `low` holds first + low
            std::uint64_t high = count; // cell `high` does not hold first + high
            while (high - low > 1) {
                std::uint64_t const middle = low + (high - low) / 2;
                if (held_by(middle) == first + middle) {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            end = first + low + 1;
            if (held_by(0) == first) {
                break;
            }
        }
        return static_cast<std::int64_t>(end - geometry_.start_position) < 0
                   ? geometry_.start_position
                   : end;
    }

    /// From `position` on, the first one that is not ready. At most two laps.
    std::uint64_t walk_to_end(std::uint64_t position) const noexcept {
        std::uint64_t const limit = position + 2 * geometry_.cell_count;
        while (position != limit) {
            // acquire: pairs with the release in ring_writer::publish().
            if (Atomics::load(geometry_.stamp(position), std::memory_order_acquire) !=
                ready_stamp(position)) {
                break;
            }
            position += 1;
        }
        return position;
    }

  private:
    /// The newest position that cell `index` holds in whole: of a cell that is being written, the
    /// one that it held a lap earlier; of a cell that was never written, the one before the start
    /// that its first stamp names. Stamps carry 63 bits of a position; the start supplies the rest.
    std::uint64_t held_by(std::uint64_t index) const noexcept {
        // acquire: pairs with the release in ring_writer::publish().
        std::uint64_t const stamp =
            Atomics::load(geometry_.stamp(index), std::memory_order_acquire);
        std::uint64_t const doubled = (stamp & 1) != 0 ? stamp - 1 : stamp - 2;
        auto const from_start =
            static_cast<std::int64_t>(doubled - 2 * geometry_.start_position) / 2;
        std::uint64_t const position =
            geometry_.start_position + static_cast<std::uint64_t>(from_start);
        bool const overwriting = (stamp & 1) != 0 && from_start >= 0;
        return overwriting ? position - geometry_.cell_count : position;
    }

    ring_geometry geometry_;
    std::uint64_t position_ = 0;
};

} // namespace partywall::inline v0::detail
