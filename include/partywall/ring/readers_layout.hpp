// SPDX-License-Identifier: BSL-1.0
// Bytes of a readers segment: what the readers of one ring write. Behaviour: gate.hpp (the
// writer's view), reader_seat.hpp (the reader's view). Golden bytes: tests/golden/readers_v2.hex.
//
//      0 +-------------------------------------------------------------------+
//        | segment_header                                                    |
//    128 +-------------------------------------------------------------------+
//        | readers_constants: number of slots                                |
//    256 +-------------------------------------------------------------------+
//        | arm u32             incremented by every sleeper (bell)           |
//        | wake_arm u32        ... that waits through a descriptor           |
//    384 +-------------------------------------------------------------------+
//        | reader_slot[slot_count], 256 bytes each, written by their owners  |
//        +-------------------------------------------------------------------+
//
//   slot 0 | owner u64 | role u32 | zero u32 | subscription, its ticket      |
//       32 | received | missed | sleeps | corrupt   (counters, owner only)   |
//       64 | wake u64            (wait/wake_word.hpp)                        |
//      128 | cursor u64 | freed u32                                          |
//      192 | pins: 8 x u64: chunk + 1 of a large payload that is held, or 0    |
#pragma once

#include <partywall/limits.hpp>
#include <partywall/segment/segment_layout.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace partywall::inline v0::detail {

inline constexpr std::uint32_t readers_layout_version = 2;

/// What a slot's owner is to the ring.
enum class reader_role : std::uint32_t {
    none = 0,
    lossless = 1,    ///< its cursor holds the writer back
    lossy = 2,       ///< has no cursor; the slot is for counting and for counters
    reservation = 3, ///< the publisher's, for a lossless subscription that has not come yet
};

struct readers_constants {
    std::uint32_t slot_count;
    std::uint32_t slot_bytes;
    std::uint8_t reserved[120];
};
static_assert(sizeof(readers_constants) == 128);

struct reader_slot {
    std::uint64_t owner; ///< owner word; everything else is written by the owner only
    std::uint32_t role;  ///< enum class reader_role
    std::uint32_t reserved_1;
    std::uint64_t subscription;        ///< reservation, lossless: the subscription's incarnation
    std::uint64_t subscription_ticket; ///< the same: ticket of the subscription's owner
    std::uint64_t received;            ///< messages taken
    std::uint64_t missed;              ///< messages overwritten before they could be taken
    std::uint64_t sleeps;
    std::uint64_t corrupt;
    std::uint64_t wake; ///< while the owner waits through a descriptor: which one
    std::uint8_t reserved_2[56];
    std::uint64_t cursor; ///< 2*position+1 of the oldest cell still needed, or 0
    std::uint32_t freed;  ///< the bell for room: the writer sleeps on it
    std::uint8_t reserved_3[52];
    std::uint64_t pins[pins_per_subscriber_max]; ///< chunk + 1, or 0
};
static_assert(sizeof(reader_slot) == 256 && std::is_trivially_copyable_v<reader_slot>);
static_assert(offsetof(reader_slot, received) == 32 && offsetof(reader_slot, cursor) == 128);
static_assert(offsetof(reader_slot, freed) == 136 && offsetof(reader_slot, pins) == 192);

struct readers_segment {
    segment_header header;
    readers_constants constants;
    std::uint32_t arm;
    std::uint32_t wake_arm;
    std::uint8_t spacing[spacing_bytes - 8];
    // reader_slot slots[slot_count] follow
};
static_assert(sizeof(readers_segment) == 384 && std::is_standard_layout_v<readers_segment>);
static_assert(offsetof(readers_segment, arm) == 256);
static_assert(offsetof(readers_segment, wake_arm) == 260);
static_assert(offsetof(reader_slot, wake) == 64);

inline constexpr std::uint64_t reader_slots_offset = sizeof(readers_segment);

inline constexpr std::uint64_t readers_fingerprint =
    layout_fingerprint({readers_layout_version,
                        sizeof(readers_constants),
                        sizeof(reader_slot),
                        reader_slots_offset,
                        offsetof(readers_constants, slot_count),
                        offsetof(readers_constants, slot_bytes),
                        offsetof(readers_segment, arm),
                        offsetof(readers_segment, wake_arm),
                        offsetof(reader_slot, wake),
                        offsetof(reader_slot, owner),
                        offsetof(reader_slot, role),
                        offsetof(reader_slot, subscription),
                        offsetof(reader_slot, subscription_ticket),
                        offsetof(reader_slot, received),
                        offsetof(reader_slot, missed),
                        offsetof(reader_slot, sleeps),
                        offsetof(reader_slot, corrupt),
                        offsetof(reader_slot, cursor),
                        offsetof(reader_slot, freed),
                        offsetof(reader_slot, pins)});

} // namespace partywall::inline v0::detail
