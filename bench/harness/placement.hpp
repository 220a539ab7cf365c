// SPDX-License-Identifier: BSL-1.0
// Where the processes run, and what the machine between them is like at this moment.
#pragma once

#include "ticks.hpp"

#include <string>
#include <vector>

namespace partywall::bench {

/// Binds this thread, and those that it starts, to one processor.
void pin_to(int cpu);
/// The processors that this program may use.
std::vector<int> usable_cpus();

/// How two processors lie to each other, as /sys says: "same cpu", "same core", "different cores",
/// "different packages".
std::string placement_of(int a, int b);

/// The least that two processes can need: a word in a line each way, in nanoseconds. Measured like
/// everything else, a stamp for every round trip. Takes some milliseconds of both processors.
///
/// A hypervisor may move a virtual processor to another core, or to another thread of one, and
/// tells nobody; this figure tells. So it is taken before and after every measurement.
class line_probe {
  public:
    line_probe(stop_watch watch, double ns_per_tick, int a, int b);
    /// Median round trip. `lines`: 1, or 2 for a message that fills a line besides its stamp's.
    double measure(int lines = 1);

  private:
    stop_watch watch_;
    double ns_per_tick_;
    int a_;
    int b_;
};

/// Whether two probes, in nanoseconds, speak of the same placement.
bool same_line(double before_ns, double after_ns);

} // namespace partywall::bench
