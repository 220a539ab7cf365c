// SPDX-License-Identifier: BSL-1.0
#pragma once

struct reading {
    int number;
    double degrees;
};

inline constexpr int last_reading = 2000;
