// SPDX-License-Identifier: BSL-1.0
// The cells of a small ring, and the messages in them.
#pragma once

#include <partywall/ring/ring_geometry.hpp>
#include <partywall/ring/ring_layout.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace partywall::test::explore {

struct ring_message {
    std::uint64_t first;
    std::uint64_t second;

    static ring_message at(std::uint64_t position) { return {position * 4 + 1, position * 4 + 2}; }
    /// Of messages of any length: one word or both.
    static std::uint32_t bytes_at(std::uint64_t position) {
        return position % 2 == 0 ? sizeof(ring_message) : 8;
    }
    bool is_at(std::uint64_t position, std::uint64_t bytes = sizeof(ring_message)) const {
        ring_message const sent = at(position);
        return first == sent.first && (bytes == 8 || second == sent.second);
    }
};

/// Cells of stamp, length where there is one, and message.
template <std::uint64_t Cells>
struct ring_memory {
    alignas(64) std::array<std::uint64_t, Cells * 4> words;
    std::uint64_t start = 0;
    bool variable = false;

    detail::ring_geometry geometry() {
        detail::ring_geometry g;
        g.cells = reinterpret_cast<std::byte*>(words.data());
        g.cell_count = Cells;
        g.stride = 32;
        g.payload_bytes_max = sizeof(ring_message);
        g.payload_offset = variable ? detail::variable_payload_offset : 8;
        g.variable_length = variable;
        g.start_position = start;
        return g;
    }
    /// What ring_writer::format() leaves, without a simulated thread to run it.
    void format(std::uint64_t first, bool lengths = false) {
        start = first;
        variable = lengths;
        words = {};
        for (std::uint64_t i = 0; i < Cells; ++i) {
            words[((start + i) & (Cells - 1)) * 4] = detail::writing_stamp(start + i - Cells);
        }
    }
    /// A word of the payload of `position`.
    std::uint64_t const& payload(std::uint64_t position, std::size_t word) const {
        return words[(position & (Cells - 1)) * 4 + (variable ? 2 : 1) + word];
    }
};

} // namespace partywall::test::explore
