// SPDX-License-Identifier: BSL-1.0
// A whole plan, repetition by repetition.
#pragma once

#include "plan.hpp"
#include "row.hpp"
#include "runner.hpp"

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

/// Runs every group's cells A B C A B C..., `repetitions` times, starts and ends the programs that
/// subjects need, and sets every row against its limit. `tell` is called with what is going on.
suite_result run_suite(runner& with, plan const& what, int repetitions,
                       std::function<void(std::string const&)> const& tell);

} // namespace partywall::bench
