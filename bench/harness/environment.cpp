// SPDX-License-Identifier: BSL-1.0
#include "environment.hpp"

#include "limits.hpp"

#include <cstdlib>
#include <ctime>
#include <fmt/chrono.h>
#include <fmt/core.h>
#include <fstream>
#include <sys/utsname.h>
#include <vector>

namespace partywall::bench {
namespace {

std::string from_cpuinfo(std::string const& key) {
    std::ifstream info("/proc/cpuinfo");
    for (std::string line; std::getline(info, line);) {
        if (line.starts_with(key)) {
            auto const colon = line.find(':');
            return colon == std::string::npos || colon + 2 > line.size() ? ""
                                                                         : line.substr(colon + 2);
        }
    }
    return {};
}
std::string first_line(char const* path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

std::string compiler() {
#if defined(__clang__)
    return "clang " __clang_version__;
#else
    return "gcc " __VERSION__;
#endif
}

double memcpy_rate(runner& with) {
    limit_log log(with);
    std::vector<double> times;
    for (int i = 0; i < 5; ++i) {
        times.push_back(log.copy_ns());
    }
    return static_cast<double>(limit_log::copy_bytes) * 1e9 / median(std::move(times));
}

} // namespace

std::array<double, 3> load_now() {
    std::array<double, 3> load{};
    ::getloadavg(load.data(), 3);
    return load;
}

environment look_around(runner& with, std::string commit) {
    environment e;
    e.load_before = load_now();
    e.cpu = from_cpuinfo("model name");
    e.cpus = usable_cpus().size();
    e.hypervisor = (" " + from_cpuinfo("flags") + " ").find(" hypervisor ") != std::string::npos;
    utsname name{};
    ::uname(&name);
    e.kernel = fmt::format("{} {} {}", name.sysname, name.release, name.machine);
    e.compiler = compiler();
    e.flags = PARTYWALL_BENCH_FLAGS;
    e.commit = std::move(commit);
    e.governor = first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    e.mitigations = first_line("/sys/devices/system/cpu/vulnerabilities/meltdown");
    e.clock = with.uses_counter() ? "the processor's counter" : "CLOCK_MONOTONIC";
    e.placement = with.placement();
    e.pinned_to = with.cpus();
    e.started = fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::gmtime(std::time(nullptr)));
    e.clock_ns = with.clock_cost();
    e.clock_monotonic_ns = with.monotonic_cost();
    e.one_line_ns = with.bare_lines(1);
    e.two_lines_ns = with.bare_lines(2);
    e.memcpy_bytes_per_second = memcpy_rate(with);
    return e;
}

} // namespace partywall::bench
