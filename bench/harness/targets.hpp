// SPDX-License-Identifier: BSL-1.0
// What we want to reach, and whether a run reached it.
#pragma once

#include "row.hpp"

#include <optional>
#include <string>
#include <vector>

namespace partywall::bench {

struct verdict {
    std::string target;  ///< "round trip, 48 B, spinning"
    std::string variant; ///< of partywall; empty where nothing was measured
    double limit = 0;
    bool at_least = false;          ///< else at most
    std::string unit;               ///< "× raw", "× the best peer", "× with none", "ns"
    std::optional<double> measured; ///< none: the run does not have its rows
    std::string remark;             ///< who the peer is; the row's labels

    bool met() const noexcept {
        return measured && (at_least ? *measured >= limit : *measured <= limit);
    }
    std::string_view word() const noexcept {
        return !measured ? "not measured" : met() ? "met" : "MISSED";
    }
};

/// A line for each target and each way to use partywall that it is about.
std::vector<verdict> judge(std::vector<row> const& rows);

} // namespace partywall::bench
