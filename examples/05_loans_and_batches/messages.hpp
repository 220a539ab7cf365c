// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstdint>

struct frame {
    std::uint32_t number;
    std::array<std::uint8_t, 64 * 48> pixels;
};

struct point {
    std::int32_t x;
    std::int32_t y;
};

inline constexpr std::uint32_t frame_count = 500;
inline constexpr std::int32_t point_count = 100'000;
