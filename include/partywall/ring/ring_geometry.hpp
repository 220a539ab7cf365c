// SPDX-License-Identifier: BSL-1.0
// Where the cells of a ring are. A checked private copy: built once, from options at creation or
// from validated constants at attach, and trusted from then on.
#pragma once

#include <partywall/limits.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>

namespace partywall::inline v0::detail {

/// Payload offset of cells that say how long their message is and where it lies: stamp, descriptor.
inline constexpr std::uint32_t variable_payload_offset = 16;
inline constexpr std::uint32_t descriptor_offset = 8;

/// What a cell says about its message, in one word: how long it is, and the chunk of the pool that
/// it lies in, or 0 for the cell itself: {chunk + 1 : 24, bytes : 40}. A message in its cell is just
/// its length.
namespace descriptor {
inline constexpr unsigned bytes_bits = 40;
constexpr std::uint64_t make(std::uint64_t bytes, std::uint64_t chunk) noexcept {
    return (chunk + 1) << bytes_bits | bytes;
}
constexpr std::uint64_t bytes(std::uint64_t word) noexcept {
    return word & ((std::uint64_t{1} << bytes_bits) - 1);
}
/// chunk + 1, or 0.
constexpr std::uint64_t chunk_code(std::uint64_t word) noexcept { return word >> bytes_bits; }
} // namespace descriptor

static_assert(payload_bytes_max_limit < std::uint64_t{1} << descriptor::bytes_bits);
static_assert(chunks_max < std::uint64_t{1} << (64 - descriptor::bytes_bits));

/// The stride rule, from measurements (docs/decisions/0003): a cell never straddles a line that
/// it could have had to itself. Cells up to a line take the next power of two, so that tiny
/// messages share a line (more messages per line moved); larger ones take whole lines.
constexpr std::uint64_t stride_for(std::uint64_t payload_offset,
                                   std::uint64_t payload_bytes_max) noexcept {
    std::uint64_t const bytes = payload_offset + payload_bytes_max;
    if (bytes <= line_bytes) {
        return std::bit_ceil(bytes < 16 ? std::uint64_t{16} : bytes);
    }
    return (bytes + line_bytes - 1) / line_bytes * line_bytes;
}

/// Where a fixed-size payload starts: right behind the stamp, or further if its type needs it.
constexpr std::uint32_t fixed_payload_offset(std::uint64_t alignment) noexcept {
    return alignment <= 8 ? 8 : static_cast<std::uint32_t>(alignment);
}

/// Where the payloads are that are too long for a cell. No chunks: there are no such payloads.
struct pool_geometry {
    std::byte* chunks = nullptr;
    std::uint64_t chunk_bytes = 0; ///< from chunk to chunk, a multiple of spacing_bytes
    std::uint64_t chunk_count = 0;
    std::uint64_t payload_bytes_max = 0;

    explicit operator bool() const noexcept { return chunk_count != 0; }
    std::byte* chunk(std::uint64_t index) const noexcept { return chunks + index * chunk_bytes; }
    std::uint64_t bytes() const noexcept { return chunk_count * chunk_bytes; }

    /// As ring_geometry::valid(), in `room_bytes` of chunks.
    bool valid(std::uint64_t room_bytes) const noexcept {
        if (chunk_count == 0) {
            return chunk_bytes == 0 && payload_bytes_max == 0;
        }
        return chunk_count <= chunks_max && chunk_bytes % spacing_bytes == 0 &&
               payload_bytes_max <= payload_bytes_max_limit && payload_bytes_max <= chunk_bytes &&
               chunk_bytes <= room_bytes / chunk_count;
    }
};

struct ring_geometry {
    std::byte* cells = nullptr;
    std::uint64_t cell_count = 0;
    std::uint64_t stride = 0;
    std::uint64_t payload_bytes_max = 0; ///< of a message that lies in its cell
    std::uint64_t start_position = 0;
    std::uint32_t payload_offset = 0;
    bool variable_length = false;
    /// Every message has this length, and lies in a chunk; 0: they differ, or lie in their cells.
    std::uint64_t large_bytes = 0;
    pool_geometry pool;

    /// The longest message, wherever it lies.
    std::uint64_t message_bytes_max() const noexcept {
        return pool ? pool.payload_bytes_max : payload_bytes_max;
    }

    std::byte* cell(std::uint64_t position) const noexcept {
        return cells + (position & (cell_count - 1)) * stride;
    }
    std::uint64_t& stamp(std::uint64_t position) const noexcept {
        return *reinterpret_cast<std::uint64_t*>(cell(position));
    }
    std::byte* payload(std::uint64_t position) const noexcept {
        return cell(position) + payload_offset;
    }
    std::uint64_t& descriptor(std::uint64_t position) const noexcept {
        return *reinterpret_cast<std::uint64_t*>(cell(position) + descriptor_offset);
    }
    std::uint64_t bytes() const noexcept { return cell_count * stride; }

    /// Whether the numbers make sense by themselves and fit `room_bytes` of cells. Every product
    /// is bounded before it is formed: the numbers may come from another process.
    bool valid(std::uint64_t room_bytes) const noexcept {
        if (cell_count < cells_min || cell_count > cells_max || !std::has_single_bit(cell_count)) {
            return false;
        }
        if (payload_bytes_max > payload_bytes_max_limit || payload_offset < 8 ||
            payload_offset > 4096 || payload_offset % 8 != 0) {
            return false;
        }
        if ((variable_length || pool) && payload_offset < variable_payload_offset) {
            return false;
        }
        if (large_bytes != (pool && !variable_length ? pool.payload_bytes_max : 0)) {
            return false;
        }
        if (stride % 8 != 0 || stride > room_bytes / cell_count) {
            return false;
        }
        // Messages are read in place as their type: each lies as the first one lies.
        if (stride % std::bit_floor(payload_offset) != 0) {
            return false;
        }
        // Relaxed word copies touch up to the next multiple of 8.
        return payload_offset + (payload_bytes_max + 7) / 8 * 8 <= stride;
    }
};

} // namespace partywall::inline v0::detail
