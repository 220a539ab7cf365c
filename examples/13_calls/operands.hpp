// SPDX-License-Identifier: BSL-1.0
#pragma once

struct operands {
    double a;
    double b;
};

inline constexpr int division_by_zero = 1; // what the server's error codes mean is its own affair
inline constexpr int questions = 2;
