// SPDX-License-Identifier: BSL-1.0
#pragma once

struct pair { // of currencies
    char name[8];
};

struct quote {
    double bid;
    double ask;
};
