// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>

struct bid {
    std::uint64_t amount;
};

struct verdict {
    std::uint64_t highest;
    std::uint64_t yours;
};

inline constexpr std::size_t bidders = 3;
