// SPDX-License-Identifier: BSL-1.0
#include "ticks.hpp"

#include <fstream>
#include <string>

namespace partywall::bench {

bool counters_agree() {
#if defined(__x86_64__)
    std::ifstream info("/proc/cpuinfo");
    for (std::string line; std::getline(info, line);) {
        if (line.starts_with("flags")) {
            line += ' ';
            return line.find(" constant_tsc ") != std::string::npos &&
                   line.find(" nonstop_tsc ") != std::string::npos;
        }
    }
    return false;
#elif defined(__aarch64__)
    return true; // the architecture's promise
#else
    return false;
#endif
}

double nanoseconds_per_tick(stop_watch watch) {
    constexpr std::uint64_t long_enough_ns = 50'000'000;
    std::uint64_t const from_ns = os::monotonic_ns();
    std::uint64_t const from = watch.now_ordered();
    std::uint64_t to_ns = from_ns;
    while (to_ns - from_ns < long_enough_ns) {
        to_ns = os::monotonic_ns();
    }
    std::uint64_t const to = watch.now_ordered();
    return static_cast<double>(to_ns - from_ns) / static_cast<double>(to - from);
}

} // namespace partywall::bench
