// SPDX-License-Identifier: BSL-1.0
#include "placement.hpp"

#include "../two_processes.hpp"
#include "histogram.hpp"

#include <partywall/limits.hpp>
#include <partywall/segment/atomics.hpp>

#include <algorithm>
#include <fstream>

namespace partywall::bench {
namespace {

std::string read_line(std::string const& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}
std::string topology(int cpu, char const* what) {
    return read_line("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/" + what);
}

} // namespace

void pin_to(int cpu) { pin(cpu); }
std::vector<int> usable_cpus() { return processors(); }

std::string placement_of(int a, int b) {
    if (a == b) {
        return "same cpu";
    }
    if (topology(a, "physical_package_id") != topology(b, "physical_package_id")) {
        return "different packages";
    }
    std::string const siblings = topology(a, "thread_siblings_list");
    return !siblings.empty() && siblings == topology(b, "thread_siblings_list") ? "same core"
                                                                                : "different cores";
}

line_probe::line_probe(stop_watch watch, double ns_per_tick, int a, int b)
    : watch_(watch), ns_per_tick_(ns_per_tick), a_(a), b_(b) {}

namespace {
/// A word in a line, and one in the line after it.
struct way {
    alignas(spacing_bytes) std::uint64_t stamp;
    alignas(line_bytes) std::uint64_t second;

    void set(std::uint64_t value, bool both) noexcept {
        if (both) {
            std_atomics::store(second, value, std::memory_order_relaxed);
        }
        std_atomics::store(stamp, value, std::memory_order_release);
    }
    /// The second line's word is waited for as well, since its value cannot be known before.
    void await(std::uint64_t value, bool both, bool yields) const noexcept {
        while (std_atomics::load(stamp, std::memory_order_acquire) != value ||
               (both && std_atomics::load(second, std::memory_order_relaxed) != value)) {
            if (yields) {
                ::sched_yield();
            }
        }
    }
};
} // namespace

double line_probe::measure(int lines) {
    struct ways {
        way there;
        way back;
    };
    shared_memory const memory(sizeof(ways));
    auto& shared = *reinterpret_cast<ways*>(memory.data());
    bool const both = lines == 2;
    bool const yields = a_ == b_;
    constexpr std::uint64_t warm_up = 2000;
    constexpr std::uint64_t round_trips = 8000;
    auto const before = processors();
    histogram ticks;
    run_pair(
        a_, b_,
        [&] {
            std::uint64_t last = watch_.now();
            for (std::uint64_t i = 1; i <= warm_up + round_trips; ++i) {
                shared.there.set(i, both);
                shared.back.await(i, both, yields);
                std::uint64_t const now = watch_.now();
                if (i > warm_up) {
                    ticks.record(now - last);
                }
                last = now;
            }
            return 0.0;
        },
        [&] {
            for (std::uint64_t i = 1; i <= warm_up + round_trips; ++i) {
                shared.there.await(i, both, yields);
                shared.back.set(i, both);
            }
        });
    cpu_set_t all; // run_pair has pinned us
    CPU_ZERO(&all);
    for (int const cpu : before) {
        CPU_SET(cpu, &all);
    }
    ::sched_setaffinity(0, sizeof all, &all);
    return static_cast<double>(ticks.percentile(0.5)) * ns_per_tick_;
}

bool same_line(double before_ns, double after_ns) {
    return std::max(before_ns, after_ns) <= 1.25 * std::min(before_ns, after_ns);
}

} // namespace partywall::bench
