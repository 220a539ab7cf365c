// SPDX-License-Identifier: BSL-1.0
// Runs one job with one subject, once: scratch folder, processes, probes, and what came of it.
#pragma once

#include "../subjects/subject.hpp"
#include "placement.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace partywall::bench {

/// What one repetition found. Times in nanoseconds.
struct measurement {
    std::optional<double> p50, p90, p99, p999, max, mean;
    std::optional<double> per_second;
    std::optional<double> cpu_per_message;
    std::optional<double> cpu_idle_percent;
    double probe = 0; ///< the bare line's round trip beside it
    std::uint64_t lost = 0;
    std::uint64_t wrong = 0;
    bool overloaded = false; ///< open loop: stopped, because it only fell behind
    bool unsettled = false;  ///< the line changed under it, however often it was repeated
    std::string error;
    bool too_slow = false; ///< the error: it worked, but not in the time it had
    histogram ticks;
    double ns_per_record_tick = 1; ///< nanoseconds of a message that one tick of a record means
};

class runner {
  public:
    /// `program`: this program, to be executed anew for every role.
    runner(std::string program, std::vector<int> cpus, std::string scratch_root);
    ~runner();
    runner(runner const&) = delete;
    runner& operator=(runner const&) = delete;

    /// Probes, measures, probes; again, a few times, if the line changed.
    measurement measure(subject const& who, std::string_view variant, job const& what);

    /// Round trip over so many bare lines, 1 or 2, in nanoseconds.
    double bare_lines(int lines) { return probe_.measure(lines); }
    std::string const& scratch_root() const noexcept { return scratch_root_; }
    std::string const& placement() const noexcept { return placement_; }
    std::vector<int> const& cpus() const noexcept { return cpus_; }
    double ns_per_tick() const noexcept { return ns_per_tick_; }
    /// Cost of one look at the stop watch, and of one at CLOCK_MONOTONIC, in nanoseconds.
    double clock_cost() const;
    double monotonic_cost() const;
    bool uses_counter() const noexcept { return counter_; }
    /// More of its processes spin than there are processors.
    bool oversubscribes(job const& what) const noexcept;
    std::uint64_t repeated() const noexcept { return repeated_; }

  private:
    measurement once(subject const& who, std::string_view variant, job const& what);
    std::string fresh_scratch();

    std::string program_;
    std::vector<int> cpus_;
    std::string scratch_root_;
    bool counter_;
    stop_watch watch_;
    double ns_per_tick_;
    std::string placement_;
    line_probe probe_;
    double last_probe_ = 0;
    std::uint64_t runs_ = 0;
    std::uint64_t repeated_ = 0;
};

/// The part of a process that a runner has started. Returns its exit code.
int play_role(int session_descriptor, std::uint32_t role);

/// How many processes a job takes.
std::uint32_t roles_of(job const& what) noexcept;

} // namespace partywall::bench
