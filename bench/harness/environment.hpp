// SPDX-License-Identifier: BSL-1.0
// What a reader of figures has to know about the machine and the build.
#pragma once

#include "runner.hpp"

#include <array>
#include <string>

namespace partywall::bench {

struct environment {
    std::string cpu, kernel, compiler, flags, commit, clock, governor, mitigations;
    std::size_t cpus = 0;
    bool hypervisor = false;
    std::string placement;
    std::vector<int> pinned_to;
    std::array<double, 3> load_before{}, load_after{};
    std::string started; ///< UTC
    bool quick = false;
    int repetitions = 0;
    std::uint64_t repeated = 0; ///< measurements whose line changed meanwhile
    // The limits that are no rows.
    double clock_ns = 0;           ///< a look at the stop watch
    double clock_monotonic_ns = 0; ///< a look at CLOCK_MONOTONIC
    double one_line_ns = 0;
    double two_lines_ns = 0;
    double memcpy_bytes_per_second = 0;
};

environment look_around(runner& with, std::string commit);
std::array<double, 3> load_now();

} // namespace partywall::bench
