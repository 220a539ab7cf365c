// SPDX-License-Identifier: BSL-1.0
// Bytes of a ring segment. Behaviour: ring_writer.hpp, ring_reader.hpp.
// Golden bytes: tests/golden/ring_v3.hex.
//
//      0 +-------------------------------------------------------------------+
//        | segment_header                                                    |
//    128 +-------------------------------------------------------------------+
//        | ring_constants: geometry, policy, type; written before the file   |
//        | has a name, never again                                           |
//    256 +-------------------------------------------------------------------+
//        | rung u32 | fencing u32   readers sleep on rung   (publisher only) |
//    384 +-------------------------------------------------------------------+
//        | room_arm u32        publisher waits for room     (publisher only) |
//    512 +-------------------------------------------------------------------+
//        | position u64 | closed u64 | counters             (publisher only) |
//    640 +-------------------------------------------------------------------+
//        | cells: cell_count x stride                       (publisher only) |
//        |   +0  stamp u64                                                   |
//        |   +8  payload (fixed size), or descriptor u64, payload +16        |
//        +-------------------------------------------------------------------+
//        | chunks, from pool_offset on: chunk_count x chunk_bytes, for what  |
//        | does not fit a cell; none if everything does     (publisher only) |
//        +-------------------------------------------------------------------+
//
// A descriptor is {chunk + 1 : 24, bytes : 40}; chunk code 0: the payload lies in the cell. Cells of
// a ring with chunks have one, whether or not their length varies. Who may use a chunk again, and
// when: chunk_pool.hpp.
//
// A stamp is ready(p) = 2p+2 or writing(p) = 2p+1, modulo 2^64, where p is the position that the
// cell holds. Creation stamps each cell writing() of the position it would have held one lap
// before the start: never readable, and not corrupt either.
#pragma once

#include <partywall/limits.hpp>
#include <partywall/segment/segment_layout.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace partywall::inline v0::detail {

inline constexpr std::uint32_t ring_layout_version = 3;

/// Constants of a ring's chunks; all zero where there are none.
struct pool_constants {
    std::uint64_t offset;      ///< of the first chunk: from the segment's, or the lane's, start
    std::uint64_t chunk_bytes; ///< from chunk to chunk
    std::uint64_t payload_bytes_max; ///< of a message that lies in a chunk
    std::uint32_t chunk_count;
    std::uint32_t pins_per_slot; ///< words of a reader slot that may pin a chunk
    std::uint32_t pinning_slots; ///< reader slots, from the first on, that have them
    std::uint32_t reserved;
};
static_assert(sizeof(pool_constants) == 40 && std::is_trivially_copyable_v<pool_constants>);

/// Constants of one ring. Copied once and checked while the segment is being attached, and never
/// read from shared memory again.
struct ring_constants {
    std::uint64_t start_position;
    std::uint64_t cell_count;        ///< a power of two, cells_min to cells_max
    std::uint64_t stride;            ///< bytes from cell to cell, a multiple of 8
    std::uint64_t payload_bytes_max; ///< of a message that lies in its cell
    std::uint64_t type_fingerprint;
    std::uint32_t payload_offset;  ///< from the start of the cell
    std::uint32_t variable_length; ///< 1: a length precedes the payload; 0: always the maximum
    std::uint32_t overflow;        ///< enum class overflow
    std::uint32_t fences;          ///< enum class fence_pair
    std::uint32_t wakes;           ///< enum class wake
    std::uint32_t reader_slots;    ///< slots in the readers segment
    pool_constants pool;
    std::uint8_t reserved[24];
};
static_assert(sizeof(ring_constants) == 128 && std::is_trivially_copyable_v<ring_constants>);

/// Words that only the publisher writes. Everybody may read them at any time: stale is safe.
struct ring_control {
    std::uint32_t rung;
    std::uint32_t fencing; ///< 1: every message is followed by a fence, at present (wait/bell.hpp)
    std::uint8_t spacing_1[spacing_bytes - 8];
    std::uint32_t room_arm;
    std::uint8_t spacing_2[spacing_bytes - 4];
    std::uint64_t position;      ///< stored before every scan for room, never per message
    std::uint64_t closed;        ///< 0, or 2*end+1 when the publisher closed after `end` positions
    std::uint64_t rejected;      ///< sends that ended with full, timed_out or interrupted
    std::uint64_t blocked_count; ///< sends that had to wait for room
    std::uint64_t blocked_ns;    ///< how long they waited, in total
    std::uint64_t wakes;         ///< times that sleepers were woken
    std::uint64_t scans;         ///< looks at the readers' cursors
    std::uint64_t readers_reclaimed; ///< slots taken back from dead readers
    std::uint8_t reserved[64];
};
static_assert(sizeof(ring_control) == 384 && std::is_trivially_copyable_v<ring_control>);

struct ring_segment {
    segment_header header;
    ring_constants constants;
    ring_control control;
};
static_assert(sizeof(ring_segment) == 640 && std::is_standard_layout_v<ring_segment>);
static_assert(offsetof(ring_segment, constants) == 128);
static_assert(offsetof(ring_segment, control) == 256);
static_assert(offsetof(ring_control, room_arm) == 128);
static_assert(offsetof(ring_control, position) == 256);

inline constexpr std::uint64_t ring_cells_offset = sizeof(ring_segment);
// With this, fixed_payload_offset() and stride_for() a payload lies as its type wants it, up to
// an alignment of spacing_bytes.
static_assert(ring_cells_offset % spacing_bytes == 0);

inline constexpr std::uint64_t ring_fingerprint =
    layout_fingerprint({ring_layout_version,
                        sizeof(ring_constants),
                        sizeof(ring_control),
                        ring_cells_offset,
                        offsetof(ring_constants, start_position),
                        offsetof(ring_constants, cell_count),
                        offsetof(ring_constants, stride),
                        offsetof(ring_constants, payload_bytes_max),
                        offsetof(ring_constants, type_fingerprint),
                        offsetof(ring_constants, payload_offset),
                        offsetof(ring_constants, variable_length),
                        offsetof(ring_constants, overflow),
                        offsetof(ring_constants, fences),
                        offsetof(ring_constants, wakes),
                        offsetof(ring_constants, reader_slots),
                        offsetof(ring_constants, pool),
                        offsetof(pool_constants, offset),
                        offsetof(pool_constants, chunk_bytes),
                        offsetof(pool_constants, payload_bytes_max),
                        offsetof(pool_constants, chunk_count),
                        offsetof(pool_constants, pins_per_slot),
                        offsetof(pool_constants, pinning_slots),
                        offsetof(ring_control, rung),
                        offsetof(ring_control, fencing),
                        offsetof(ring_control, room_arm),
                        offsetof(ring_control, position),
                        offsetof(ring_control, closed),
                        offsetof(ring_control, rejected),
                        offsetof(ring_control, blocked_count),
                        offsetof(ring_control, blocked_ns),
                        offsetof(ring_control, wakes),
                        offsetof(ring_control, scans),
                        offsetof(ring_control, readers_reclaimed)});

/// Stamp arithmetic, modulo 2^64.
constexpr std::uint64_t writing_stamp(std::uint64_t position) noexcept { return 2 * position + 1; }
constexpr std::uint64_t ready_stamp(std::uint64_t position) noexcept { return 2 * position + 2; }

/// A cursor word: 2*position+1, or 0 for none.
inline constexpr std::uint64_t cursor_none = 0;
constexpr std::uint64_t cursor_at(std::uint64_t position) noexcept { return 2 * position + 1; }

} // namespace partywall::inline v0::detail
