// SPDX-License-Identifier: BSL-1.0
// A whole plan, repetition by repetition.
#pragma once

#include "plan.hpp"
#include "row.hpp"
#include "runner.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace partywall::bench {

struct suite_result {
    std::vector<row> rows;
    /// Losses where nothing may be lost, damaged messages, processes that failed.
    std::vector<std::string> failures;
    /// Rows that another library did not get to, and why.
    std::vector<std::string> notes;
};

/// How much there is to do, and the time for it. Each group gets an equal share of what is left; a
/// group that takes longer, on a busy machine, makes do with fewer repetitions, but one.
struct effort {
    int repetitions = 5;
    std::uint64_t budget_ns = 0; ///< 0: any
};

/// Runs every group's cells A B C A B C..., starts and ends the programs that subjects need, and
/// sets every row against its limit. `tell` is called with what is going on.
suite_result run_suite(runner& with, plan const& what, effort const& how_much,
                       std::function<void(std::string const&)> const& tell);

} // namespace partywall::bench
