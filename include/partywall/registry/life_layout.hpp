// SPDX-License-Identifier: BSL-1.0
// The bytes of a segment `life.<ticket>`: one per participant, mapped read-write by that
// participant alone; whoever wants to be told of its death maps it read-only.
//
//    0 +---------------------------------------------------------------+
//      | segment_header (owner_ticket = the participant's, number 0)   |  by the creator, constant
//  128 +---------------------------------------------------------------+
//      | life word: a robust mutex of the C library, whose first four  |  by the participant; by the
//      | bytes are the futex that others sleep on                      |  kernel when it dies
//  192 +---------------------------------------------------------------+
//      | pid_namespace u64: the inode of its PID namespace, 0: unknown  |  by the creator, constant
//  200 | pid u32: the participant's, in that namespace                 |
//  204 | reserved                                                      |
//  256 +---------------------------------------------------------------+
//
// The life word is notice, not proof: it may be unheld for a while when the thread that held it
// has ended, and a hostile participant may write into its own whatever it likes. Nothing is ever
// reclaimed because of it. The pid is for those in the same namespace who wait through a descriptor
// (death_watch.hpp); a wrong one keeps them from being told, and no more.
#pragma once

#include <partywall/limits.hpp>
#include <partywall/os/robust_word.hpp>
#include <partywall/segment/segment_layout.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace partywall::inline v0::detail {

inline constexpr std::uint32_t life_layout_version = 2;

struct life_layout {
    segment_header header;
    alignas(line_bytes) std::byte word[os::robust_word_bytes];
    std::uint64_t pid_namespace;
    std::uint32_t pid;
    std::uint32_t reserved[13];
};

static_assert(os::robust_word_bytes == 64);
static_assert(offsetof(life_layout, word) == 128 && sizeof(life_layout) == 256);
static_assert(offsetof(life_layout, pid_namespace) == 192 && offsetof(life_layout, pid) == 200);
static_assert(std::is_trivially_copyable_v<life_layout> && std::is_standard_layout_v<life_layout>);

inline constexpr std::uint64_t life_layout_fingerprint = layout_fingerprint({
    sizeof(life_layout),
    offsetof(life_layout, word),
    os::robust_word_bytes,
    offsetof(life_layout, pid_namespace),
    offsetof(life_layout, pid),
});

} // namespace partywall::inline v0::detail
