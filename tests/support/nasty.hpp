// SPDX-License-Identifier: BSL-1.0
// Numbers that an enemy would write: the edges of every width, and of what the victim expects.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace partywall::test {

inline constexpr std::array<std::uint64_t, 26> nasty = {0,
                                                        1,
                                                        2,
                                                        3,
                                                        4,
                                                        5,
                                                        7,
                                                        8,
                                                        9,
                                                        64,
                                                        255,
                                                        4096,
                                                        4097,
                                                        (1ull << 15),
                                                        (1ull << 16) - 1,
                                                        (1ull << 16) + 1,
                                                        (1ull << 31),
                                                        (1ull << 32) - 1,
                                                        (1ull << 32),
                                                        (1ull << 32) + 1,
                                                        (1ull << 40),
                                                        (1ull << 63) - 1,
                                                        (1ull << 63),
                                                        (1ull << 63) + 1,
                                                        ~0ull - 7,
                                                        ~0ull};

/// Those, in either half of the word too, and the neighbours of what stands there: `self`, in a ring
/// of so many cells, whose positions are counted in `unit`s.
inline std::vector<std::uint64_t> nasty_around(std::uint64_t self, std::uint64_t cells,
                                               std::uint64_t unit = 1) {
    std::vector<std::uint64_t> all(nasty.begin(), nasty.end());
    for (std::uint64_t const one : nasty) {
        all.push_back(one << 32);
    }
    for (std::uint64_t const distance : {std::uint64_t{1}, cells - 1, cells, cells + 1, 2 * cells,
                                         std::uint64_t{1} << 31, std::uint64_t{1} << 62}) {
        all.push_back(self + unit * distance);
        all.push_back(self - unit * distance); // decreasing
    }
    return all;
}

} // namespace partywall::test
