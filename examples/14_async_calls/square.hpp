// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

using number = std::uint64_t;

inline constexpr number numbers = 200; // that are asked for at a time
