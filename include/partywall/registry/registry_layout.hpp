// SPDX-License-Identifier: BSL-1.0
// The bytes of the segment `registry`: one per domain, created by whoever joins first, mapped
// read-write by every participant. Behaviour: registry_slots.hpp, participant_core.hpp.
//
//        0 +-----------------------------------------------------------+
//          | segment_header (owner_ticket 0, number 0)                 | by the creator, then constant
//      128 +-----------------------------------------------------------+
//          | next_ticket u64                                           | fetch_add by joiners
//      256 +-----------------------------------------------------------+
//          | epoch u32                                                 | fetch_add after any change
//          | wake_arm u32                                              | fetch_add by who waits
//          |                                                           |   through a descriptor
//      384 +-----------------------------------------------------------+
//          | participants: 512 slots of 128 bytes                      | each by its owner
//    65920 +-----------------------------------------------------------+
//          | entries: 1024 slots of 1280 bytes                         | each by its owner
//  1376640 +-----------------------------------------------------------+
//          | records: 128 slots of 1280 bytes                          | by all who use them
//  1540480 +-----------------------------------------------------------+
//
// participant slot                           entry slot
//    0 | owner u64                              0 | owner u64
//    8 | pid u32 | name_bytes u32               8 | health u32 | reserved u32
//   16 | start_time_ns u64                     16 | metadata_version u64
//   24 | name, 64 bytes                        24 | record, 392 bytes: constant while ready
//   88 | wake u64: the owner's wake word      416 | metadata 0: bytes u64, 400 bytes
//   96 | uses 2 x u64: a bit for each record  824 | metadata 1: bytes u64, 400 bytes
//  112 | reserved                            1232 | reserved
//  128                                       1280
//
// record slot: what several participants use together under one name (shared_records.hpp)
//    0 | owner u64
//    8 | kind u32 | name_bytes u32
//   16 | fingerprint u64: of the layout of the words
//   24 | name, 200 bytes
//  224 | reserved
//  256 | words: 128 x u64, as their kind says
// 1280
//
// The life locks are on this file too: the participant with ticket t holds the lock on byte t,
// whatever the file's length. So the proof of a death belongs to the very memory that it judges,
// and nobody can remove or replace the one without the other.
//
// Words that are not written by one owner alone, and what dies with a process killed between any
// two of its instructions there:
//   next_ticket   a ticket: 10^12 are there
//   epoch         a wake-up: watchers look again at least every 100 ms, and the recovery of the
//                 killed process bumps the epoch
//   wake_arm      a look at the wake words: each is found at the next look
//   record words  what the layout of their kind says
//   owner words   nothing: the word says whose the slot is, and recovery goes on from there
#pragma once

#include <partywall/limits.hpp>
#include <partywall/segment/segment_layout.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace partywall::inline v0::detail {

inline constexpr std::uint32_t registry_layout_version = 3;

/// Everything up to the name is a number; the name is not terminated.
struct participant_record {
    std::uint32_t pid;
    std::uint32_t name_bytes;
    std::uint64_t start_time_ns;
    char name[participant_name_bytes_max];
};

struct participant_slot {
    std::uint64_t owner;
    participant_record record;            // written while filling; constant while ready
    std::uint64_t wake;                   // by the owner, while ready: see wait/wake_word.hpp
    std::uint64_t uses[records_max / 64]; // by the owner, while ready: the records that it uses
    std::uint64_t reserved[2];
};

struct entry_record {
    std::uint32_t kind;
    std::uint32_t type_size;
    std::uint64_t number;
    std::uint64_t incarnation;
    std::uint64_t type_fingerprint;
    std::uint32_t type_alignment;
    std::uint32_t policy;
    std::uint32_t flags;
    std::uint32_t reserved;
    std::uint64_t depth;
    std::uint64_t payload_bytes_max;
    std::uint32_t name_bytes;
    std::uint32_t type_name_bytes;
    char name[name_bytes_max];
    char type_name[type_name_bytes_max];
};

struct metadata_area {
    std::uint64_t bytes;
    std::byte data[metadata_bytes_max];
};

struct entry_slot {
    std::uint64_t owner;
    // Written by the owner at any time while the slot is its own.
    std::uint32_t health;
    std::uint32_t reserved_0;
    std::uint64_t metadata_version; // the valid area is metadata_version % 2
    // Written while filling; constant while ready.
    entry_record record;
    // The owner rewrites the area that is not valid, then bumps the version: an owner that is
    // killed in between leaves the old metadata, whole.
    metadata_area meta[2];
    std::uint64_t reserved_1[6];
};

/// Words of one shared record.
inline constexpr std::uint32_t record_words = 128;

struct record_slot {
    std::uint64_t owner;
    // Written while filling; constant while ready.
    std::uint32_t kind;
    std::uint32_t name_bytes;
    std::uint64_t fingerprint;
    char name[name_bytes_max];
    std::uint64_t reserved[4];
    // Written while filling, then by all who use the record, as its kind says.
    std::uint64_t words[record_words];
};

struct registry_layout {
    segment_header header;
    alignas(spacing_bytes) std::uint64_t next_ticket;
    alignas(spacing_bytes) std::uint32_t epoch;
    std::uint32_t wake_arm;
    alignas(spacing_bytes) participant_slot participants[participants_max];
    entry_slot entries[entries_max];
    record_slot records[records_max];
};

static_assert(sizeof(participant_record) == 80 && sizeof(participant_slot) == spacing_bytes);
static_assert(offsetof(participant_slot, record) == 8);
static_assert(offsetof(participant_slot, wake) == 88);
static_assert(sizeof(entry_record) == 392 && sizeof(metadata_area) == 408);
static_assert(offsetof(entry_record, name) == 72 && offsetof(entry_record, type_name) == 272);
static_assert(offsetof(participant_slot, uses) == 96 && records_max % 64 == 0);
static_assert(sizeof(entry_slot) == 1280 && sizeof(entry_slot) % spacing_bytes == 0);
static_assert(offsetof(entry_slot, health) == 8 && offsetof(entry_slot, metadata_version) == 16);
static_assert(offsetof(entry_slot, record) == 24 && offsetof(entry_slot, meta) == 416);
static_assert(offsetof(registry_layout, next_ticket) == 128);
static_assert(offsetof(registry_layout, epoch) == 256);
static_assert(offsetof(registry_layout, wake_arm) == 260);
static_assert(offsetof(registry_layout, participants) == 384);
static_assert(offsetof(registry_layout, entries) == 65920);
static_assert(sizeof(record_slot) == 1280 && offsetof(record_slot, name) == 24);
static_assert(offsetof(record_slot, words) == 256);
static_assert(offsetof(registry_layout, records) == 1376640);
static_assert(sizeof(registry_layout) == 1540480);
static_assert(std::is_trivially_copyable_v<registry_layout> &&
              std::is_standard_layout_v<registry_layout>);

inline constexpr std::uint64_t registry_layout_fingerprint = layout_fingerprint({
    sizeof(registry_layout),
    offsetof(registry_layout, next_ticket),
    offsetof(registry_layout, epoch),
    offsetof(registry_layout, wake_arm),
    offsetof(registry_layout, participants),
    sizeof(participant_slot),
    offsetof(participant_slot, wake),
    offsetof(participant_slot, uses),
    participants_max,
    offsetof(participant_record, start_time_ns),
    offsetof(participant_record, name),
    participant_name_bytes_max,
    offsetof(registry_layout, entries),
    sizeof(entry_slot),
    entries_max,
    offsetof(entry_slot, health),
    offsetof(entry_slot, metadata_version),
    offsetof(entry_slot, record),
    offsetof(entry_record, number),
    offsetof(entry_record, incarnation),
    offsetof(entry_record, type_fingerprint),
    offsetof(entry_record, type_alignment),
    offsetof(entry_record, depth),
    offsetof(entry_record, name_bytes),
    offsetof(entry_record, name),
    name_bytes_max,
    offsetof(entry_record, type_name),
    type_name_bytes_max,
    offsetof(entry_slot, meta),
    sizeof(metadata_area),
    metadata_bytes_max,
    offsetof(registry_layout, records),
    sizeof(record_slot),
    records_max,
    offsetof(record_slot, fingerprint),
    offsetof(record_slot, name),
    offsetof(record_slot, words),
    record_words,
});

} // namespace partywall::inline v0::detail
