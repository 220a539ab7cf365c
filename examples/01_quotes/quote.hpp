// SPDX-License-Identifier: BSL-1.0
// What both programs talk about. Any struct without pointers will do. When two programs are built
// from different versions of it, partywall notices and refuses to connect them.
#pragma once

struct quote {
    int number;
    double bid;
    double ask;
};
