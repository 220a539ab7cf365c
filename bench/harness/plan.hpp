// SPDX-License-Identifier: BSL-1.0
// Which jobs are run, and what each is compared with.
#pragma once

#include "../subjects/subject.hpp"

#include <optional>
#include <string>
#include <vector>

namespace partywall::bench {

/// One row to be.
struct cell {
    subject const* who;
    std::string variant;
    job what;
};
/// Cells whose repetitions are interleaved: A B C A B C.
using group = std::vector<cell>;

struct plan_options {
    bool quick = false;
    std::vector<figure> only;          ///< empty: all
    std::vector<std::string> subjects; ///< empty: all that are not hidden
    std::uint64_t bytes = 0;           ///< 0: all sizes
};

struct plan {
    std::vector<group> groups;
    /// What nobody that was asked for can do, one line each.
    std::vector<std::string> not_there;
};

/// Holds raw's cells, too, that the others are compared with.
plan make_plan(plan_options const& options);

/// What the ratio of a job is to.
struct limit {
    bool bare_line = false; ///< the probe
    std::optional<job> raw; ///< else raw's row of this job
};
limit limit_of(job const& what);
bool same_job(job const& a, job const& b) noexcept;

/// "lane, 10000/s": the subject's variant and what the schema has no field for.
std::string variant_text(cell const& c);

} // namespace partywall::bench
