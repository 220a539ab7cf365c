// SPDX-License-Identifier: BSL-1.0
// What is reported.
#pragma once

#include "runner.hpp"

#include <optional>
#include <string>
#include <vector>

namespace partywall::bench {

struct row {
    bench::figure figure{};
    std::string variant;
    std::string subject;
    std::uint64_t bytes = 0;
    std::optional<bench::wait> wait;
    std::string placement;
    std::uint32_t receivers = 1;
    // Medians over the repetitions, in nanoseconds.
    std::optional<double> p50, p90, p99, p999, max, mean;
    std::optional<double> per_second;
    /// What the limit was in the same run: nanoseconds, or messages a second where the figure is a
    /// rate.
    std::optional<double> raw_figure;
    /// Time over time, or rate over rate.
    std::optional<double> ratio_to_raw;
    std::uint64_t lost = 0;
    // What the schema does not ask for.
    double probe = 0;                  ///< the bare line's round trip beside it
    std::optional<double> least, most; ///< of the repetitions: p50, or per_second
    std::optional<double> cpu_per_message;
    std::optional<double> cpu_idle_percent;
    std::string labels;
    /// Of so many messages of all repetitions, one took longer than so many nanoseconds: from one of
    /// two on, every step a quarter rarer. What pictures are drawn from.
    struct point {
        double of_so_many;
        double ns;
    };
    std::vector<point> curve;

    /// p50 or per_second, whichever the figure is about.
    std::optional<double> headline() const { return is_rate(figure) ? per_second : p50; }
};

/// The medians of some repetitions.
row summarize(job const& what, std::vector<measurement> const& repetitions);
void add_label(row& r, bool given, std::string const& label);
double median(std::vector<double> values);

} // namespace partywall::bench
