// SPDX-License-Identifier: BSL-1.0
#pragma once

struct answer {
    int worker;
    int number;
};

inline constexpr int answers_each = 1000;
inline constexpr int worker_count = 3;
