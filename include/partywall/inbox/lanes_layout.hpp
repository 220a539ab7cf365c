// SPDX-License-Identifier: BSL-1.0
// Bytes of a lanes segment: one ring (a *lane*) per sender, in memory that their one receiver
// created. Behaviour: lane.hpp; the rings themselves are ring_writer.hpp, ring_reader.hpp and
// gate.hpp. Golden bytes: tests/golden/lanes_v4.hex.
//
//      0 +-------------------------------------------------------------------+
//        | segment_header                                                    |
//    128 +-------------------------------------------------------------------+
//        | lanes_constants: geometry of every lane, type; written before the |
//        | file has a name, never again                                      |
//    256 +-------------------------------------------------------------------+
//        | arm u32 | closed u32 | wake u64 | counters       (receiver only)  |
//    384 +-------------------------------------------------------------------+
//        | rung u32 | arrivals u32                 (fetch_add by any sender) |
//    512 +-------------------------------------------------------------------+
//        | hints: u16 for each lane, padded to 128 (each by its lane's owner)|
//        +-------------------------------------------------------------------+
//        | lane_header[lane_count], 768 bytes each                           |
//        +-------------------------------------------------------------------+
//        | lane 0 | lane 1 | ...                            (each by its     |
//        |   lane_bytes apart: cells, then chunks if any,    lane's owner)   |
//        |   as in ring_layout.hpp                                           |
//        +-------------------------------------------------------------------+
//
//   lane_header | owner u64 | start u64 | incarnation u64 | overflow, fences |
//            32 | taken u64 | done u64 | deferred u64          (receiver)    |
//            64 | answered u64                                 (receiver)    |
//           128 | ring_control: the sender's words                           |
//           512 | reader_slot: the receiver's words (cursor, freed, counters)|
//
// A lane changes hands by its owner word: {free} -> {sender, filling} -> {sender, ready} by the
// sender, then, when the sender has closed or is proven dead and everything was read,
// -> {receiver, cleaning} -> {free} by the receiver. `start` is written while cleaning.
//
// Words that are not written by one owner alone, and what dies with a process killed between any
// two of its instructions there:
//   rung, arrivals   a wake-up, a look: the receiver looks by itself at every slice
//   owner words      nothing: the word says whose the lane is
#pragma once

#include <partywall/limits.hpp>
#include <partywall/ring/readers_layout.hpp>
#include <partywall/ring/ring_layout.hpp>
#include <partywall/segment/segment_layout.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace partywall::inline v0::detail {

inline constexpr std::uint32_t lanes_layout_version = 4;

/// Copied once and checked while the segment is being attached, and never read from shared memory
/// again.
struct lanes_constants {
    std::uint64_t cell_count; ///< of each lane; a power of two
    std::uint64_t stride;
    std::uint64_t payload_bytes_max; ///< of a message that lies in its cell
    std::uint64_t type_fingerprint;
    std::uint64_t lane_bytes;   ///< from the first cell of a lane to the first of the next
    std::uint64_t cells_offset; ///< of lane 0, from the start of the segment
    std::uint32_t lane_count;
    std::uint32_t payload_offset;
    std::uint32_t variable_length;
    std::uint32_t wakes;  ///< enum class wake: whether senders ring
    std::uint32_t fences; ///< enum class fence_pair: the receiver's half, for the bell for room
    std::uint32_t hinted; ///< 1: senders store hints
    pool_constants pool;  ///< of each lane; the offset is from its first cell
    std::uint8_t reserved[16];
};
static_assert(sizeof(lanes_constants) == 128 && std::is_trivially_copyable_v<lanes_constants>);

/// Words that only the receiver writes.
struct inbox_control {
    std::uint32_t arm;      ///< the bell's; incremented when the receiver goes to sleep
    std::uint32_t closed;   ///< 1: the receiver has closed in good order, and takes nothing more
    std::uint64_t wake;     ///< while it waits through a descriptor: which one (wait/wake_word.hpp)
    std::uint64_t received; ///< messages taken, of all senders there ever were
    std::uint64_t missed;   ///< messages that were overwritten in drop_oldest lanes
    std::uint64_t lanes_freed;
    std::uint64_t sleeps;
    std::uint8_t reserved_2[16];
    std::uint64_t expired;   ///< requests that were not executed: their deadline had passed
    std::uint64_t cancelled; ///< ... whoever sent them had given up
    std::uint64_t refused;   ///< ... the server had no room for them, or was draining
    std::uint64_t failed;    ///< requests that were answered with an error
    std::uint64_t lost;      ///< answers whose client was gone, or was no client
    std::uint8_t reserved_3[24];
};
static_assert(offsetof(inbox_control, expired) == 64, "clients look at the words before");
static_assert(sizeof(inbox_control) == 128 && std::is_trivially_copyable_v<inbox_control>);

/// Words that all senders change, by fetch_add alone.
struct inbox_bell {
    std::uint32_t rung;     ///< the receiver sleeps on it
    std::uint32_t arrivals; ///< senders that came or closed: the receiver looks at the lanes
    std::uint8_t reserved[120];
};
static_assert(sizeof(inbox_bell) == 128 && std::is_trivially_copyable_v<inbox_bell>);

struct lane_header {
    std::uint64_t owner;       ///< owner word
    std::uint64_t start;       ///< position of the next owner's first message (receiver)
    std::uint64_t incarnation; ///< of the sender (written while filling)
    std::uint32_t overflow;    ///< enum class overflow (the same)
    std::uint32_t fences;      ///< enum class fence_pair: the sender's half of the bell
    // Requests only. All of it the receiver's.
    /// The position behind the one that the receiver has begun with. A cursor says what is given
    /// back, and says it late; this says what may have been executed.
    std::uint64_t taken;
    std::uint64_t done;     ///< the same of the one that it is through with
    std::uint64_t deferred; ///< requests whose answer was left to somebody else in its process
    std::uint8_t reserved[8];
    std::uint64_t answered; ///< ... of those, the ones that are over (whoever it was left to)
    std::uint8_t reserved_2[56];
    ring_control control; ///< the sender's; `rung` is not used
    reader_slot slot;     ///< the receiver's: {receiver, ready} for as long as the segment lives
};
static_assert(sizeof(lane_header) == 768 && std::is_trivially_copyable_v<lane_header>);
static_assert(offsetof(lane_header, taken) == 32 && offsetof(lane_header, answered) == 64);
static_assert(offsetof(lane_header, control) == 128 && offsetof(lane_header, slot) == 512);

struct lanes_segment {
    segment_header header;
    lanes_constants constants;
    inbox_control control;
    inbox_bell bell;
    // hints, headers and cells follow
};
static_assert(sizeof(lanes_segment) == 512 && std::is_standard_layout_v<lanes_segment>);
static_assert(offsetof(lanes_segment, control) == 256 && offsetof(lanes_segment, bell) == 384);

inline constexpr std::uint64_t hints_offset = sizeof(lanes_segment);

/// What a sender leaves behind the message before `position`. Those of two positions differ if there
/// are less than 65,535 between them, or a multiple of 65,536: so a lane that is full has a hint that
/// has changed, however deep it is.
constexpr std::uint16_t hint_of(std::uint64_t position) noexcept {
    return static_cast<std::uint16_t>(position + (position >> 16));
}

constexpr std::uint64_t lane_headers_offset(std::uint64_t lane_count) noexcept {
    std::uint64_t const bytes = lane_count * sizeof(std::uint16_t);
    return hints_offset + (bytes + spacing_bytes - 1) / spacing_bytes * spacing_bytes;
}

inline constexpr std::uint64_t lanes_fingerprint =
    layout_fingerprint({lanes_layout_version,
                        sizeof(lanes_constants),
                        sizeof(inbox_control),
                        sizeof(inbox_bell),
                        sizeof(lane_header),
                        hints_offset,
                        sizeof(hint_of(0)),
                        offsetof(lanes_constants, cell_count),
                        offsetof(lanes_constants, stride),
                        offsetof(lanes_constants, payload_bytes_max),
                        offsetof(lanes_constants, type_fingerprint),
                        offsetof(lanes_constants, lane_bytes),
                        offsetof(lanes_constants, cells_offset),
                        offsetof(lanes_constants, lane_count),
                        offsetof(lanes_constants, payload_offset),
                        offsetof(lanes_constants, variable_length),
                        offsetof(lanes_constants, wakes),
                        offsetof(lanes_constants, fences),
                        offsetof(lanes_constants, hinted),
                        offsetof(lanes_constants, pool),
                        offsetof(inbox_control, arm),
                        offsetof(inbox_control, closed),
                        offsetof(inbox_control, wake),
                        offsetof(inbox_control, received),
                        offsetof(inbox_control, missed),
                        offsetof(inbox_control, lanes_freed),
                        offsetof(inbox_control, sleeps),
                        offsetof(inbox_control, expired),
                        offsetof(inbox_control, cancelled),
                        offsetof(inbox_control, refused),
                        offsetof(inbox_control, failed),
                        offsetof(inbox_control, lost),
                        offsetof(inbox_bell, rung),
                        offsetof(inbox_bell, arrivals),
                        offsetof(lane_header, owner),
                        offsetof(lane_header, start),
                        offsetof(lane_header, incarnation),
                        offsetof(lane_header, overflow),
                        offsetof(lane_header, fences),
                        offsetof(lane_header, taken),
                        offsetof(lane_header, done),
                        offsetof(lane_header, deferred),
                        offsetof(lane_header, answered),
                        offsetof(lane_header, control),
                        offsetof(lane_header, slot),
                        ring_fingerprint,
                        readers_fingerprint});

} // namespace partywall::inline v0::detail
