// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

struct trade {
    std::uint64_t number;
    double price;
};
inline constexpr std::uint64_t trades = 1000;

struct order {
    std::uint64_t number;
};
inline constexpr std::uint64_t orders = 100;
