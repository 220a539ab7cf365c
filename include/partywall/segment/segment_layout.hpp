// SPDX-License-Identifier: BSL-1.0
// Bytes only: the first 128 bytes of every segment. Behaviour: segment.hpp.
// Written before the file has a name, constant afterwards; whoever attaches judges a private copy.
//
//    0  +-------------------+---------------+---------------+
//       | magic u64         | version u32   | kind u32      |
//   16  +-------------------+---------------+---------------+
//       | layout_fingerprint u64            | total_bytes   |
//   32  +-----------------------------------+---------------+
//       | owner_ticket u64                  | number u64    |
//   48  +-----------------------------------+---------------+
//       | incarnation u64                   | reserved = 0  |
//  128  +-----------------------------------+---------------+
//       | the kind's own layout ...                         |
#pragma once

#include <partywall/limits.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <type_traits>

namespace partywall::inline v0 {

/// What a segment is for. The numbers are part of the layout: never renumber.
enum class segment_kind : std::uint32_t {
    registry = 1,
    life = 2,
    ring = 3,
    readers = 4,
    lanes = 5,
    circuit_breaker = 16,
    wake = 64 ///< no segment, and in no header: a named pipe (wait/wake_pipe.hpp)
};

/// "partywal" in memory. Read on a machine of the other byte order it is another number.
inline constexpr std::uint64_t segment_magic = 0x6c61'7779'7472'6170;

struct segment_header {
    std::uint64_t magic;
    std::uint32_t layout_version; ///< of the kind's layout
    std::uint32_t kind;           ///< segment_kind
    std::uint64_t layout_fingerprint;
    std::uint64_t total_bytes;  ///< exactly the size of the file
    std::uint64_t owner_ticket; ///< with kind and number: exactly the name of the file
    std::uint64_t number;
    std::uint64_t incarnation; ///< tells a restarted endpoint from its predecessor
    std::uint64_t reserved[9];
};
static_assert(sizeof(segment_header) == 128 && alignof(segment_header) == 8);
static_assert(std::is_trivially_copyable_v<segment_header>);
static_assert(std::is_standard_layout_v<segment_header>);
static_assert(offsetof(segment_header, layout_version) == 8);
static_assert(offsetof(segment_header, kind) == 12);
static_assert(offsetof(segment_header, layout_fingerprint) == 16);
static_assert(offsetof(segment_header, total_bytes) == 24);
static_assert(offsetof(segment_header, owner_ticket) == 32);
static_assert(offsetof(segment_header, number) == 40);
static_assert(offsetof(segment_header, incarnation) == 48);
static_assert(offsetof(segment_header, reserved) == 56);
static_assert(sizeof(segment_header) % spacing_bytes == 0);

/// One number for a layout: FNV-1a over the sizes and offsets that a *_layout.hpp passes, our
/// line and spacing constants and the byte order. Two builds that disagree about any of them
/// refuse each other.
constexpr std::uint64_t layout_fingerprint(std::initializer_list<std::uint64_t> numbers) noexcept {
    std::uint64_t hash = 0xcbf2'9ce4'8422'2325;
    auto const add = [&hash](std::uint64_t number) {
        for (unsigned shift = 0; shift < 64; shift += 8) {
            hash ^= (number >> shift) & 0xff;
            hash *= 0x0000'0100'0000'01b3;
        }
    };
    for (std::uint64_t const number : numbers) {
        add(number);
    }
    add(line_bytes);
    add(spacing_bytes);
    add(std::endian::native == std::endian::little ? 1 : 2);
    return hash;
}

} // namespace partywall::inline v0
