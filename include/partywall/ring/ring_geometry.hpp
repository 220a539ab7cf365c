// SPDX-License-Identifier: BSL-1.0
// Where the cells of a ring are. A checked private copy: built once, from options at creation or
// from validated constants at attach, and trusted from then on.
#pragma once

#include <partywall/limits.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>

namespace partywall::inline v0::detail {

/// Payload offset of variable-length cells: stamp, length, padding.
inline constexpr std::uint32_t variable_payload_offset = 16;
inline constexpr std::uint32_t length_offset = 8;

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

struct ring_geometry {
    std::byte* cells = nullptr;
    std::uint64_t cell_count = 0;
    std::uint64_t stride = 0;
    std::uint64_t payload_bytes_max = 0;
    std::uint64_t start_position = 0;
    std::uint32_t payload_offset = 0;
    bool variable_length = false;

    std::byte* cell(std::uint64_t position) const noexcept {
        return cells + (position & (cell_count - 1)) * stride;
    }
    std::uint64_t& stamp(std::uint64_t position) const noexcept {
        return *reinterpret_cast<std::uint64_t*>(cell(position));
    }
    std::byte* payload(std::uint64_t position) const noexcept {
        return cell(position) + payload_offset;
    }
    std::uint32_t& length(std::uint64_t position) const noexcept {
        return *reinterpret_cast<std::uint32_t*>(cell(position) + length_offset);
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
        if (variable_length && payload_offset < variable_payload_offset) {
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
