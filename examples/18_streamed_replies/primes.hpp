// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

struct range {
    std::uint64_t from;
    std::uint64_t below;
};

using prime = std::uint64_t;

inline constexpr char const* service = "primes";
