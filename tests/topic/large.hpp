// SPDX-License-Identifier: BSL-1.0
// Messages that are too long for a cell, and say whether they are whole.
#pragma once

#include "support.hpp"

#include <array>
#include <cstring>
#include <span>

namespace partywall::test {

/// `size` bytes that follow from `number`, which is the first 8 of them.
inline void write_pattern(std::span<std::byte> to, std::uint64_t number) {
    std::uint64_t word = number;
    for (std::size_t at = 0; at < to.size(); at += 8) {
        std::memcpy(to.data() + at, &word, std::min<std::size_t>(8, to.size() - at));
        word = word * 0x9e37'79b9'7f4a'7c15 + at + 1;
    }
}
inline std::uint64_t number_in(std::span<std::byte const> from) {
    std::uint64_t number = 0;
    std::memcpy(&number, from.data(), std::min<std::size_t>(8, from.size()));
    return number;
}
inline bool is_pattern(std::span<std::byte const> from) {
    std::uint64_t word = number_in(from);
    for (std::size_t at = 0; at < from.size(); at += 8) {
        if (std::memcmp(from.data() + at, &word, std::min<std::size_t>(8, from.size() - at)) != 0) {
            return false;
        }
        word = word * 0x9e37'79b9'7f4a'7c15 + at + 1;
    }
    return true;
}
inline std::vector<std::byte> pattern(std::uint64_t number, std::size_t size) {
    std::vector<std::byte> made(size);
    write_pattern(made, number);
    return made;
}

/// A fixed-size message that no cell holds by default.
struct picture {
    std::uint64_t number;
    std::array<std::uint64_t, 2000> pixels;

    static picture of(std::uint64_t number) {
        picture p{number, {}};
        for (std::size_t i = 0; i < p.pixels.size(); ++i) {
            p.pixels[i] = number * 31 + i;
        }
        return p;
    }
    bool whole() const { return pixels == of(number).pixels; }
};
static_assert(sizeof(picture) > inline_bytes_default);

/// An element of messages that lies on a line of its own.
struct alignas(64) tile {
    std::uint64_t number;
    std::array<std::uint64_t, 7> rest;
};

/// Messages of up to `payload_bytes_max` bytes, of which those of more than 64 lie in chunks.
template <class Options>
Options with_chunks(Options options, std::uint64_t payload_bytes_max) {
    options.payload_bytes_max = payload_bytes_max;
    options.inline_bytes_max = 64;
    return options;
}

} // namespace partywall::test
