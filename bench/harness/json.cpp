// SPDX-License-Identifier: BSL-1.0
#include "report.hpp"

// Boost.JSON, compiled here once: the suite links no library of Boost.
#include <boost/json/src.hpp>

namespace partywall::bench {
namespace {

boost::json::value number(std::optional<double> const& value) {
    return value ? boost::json::value(*value) : boost::json::value(nullptr);
}

boost::json::object object_of(row const& r) {
    return {{"figure", to_string(r.figure)},
            {"variant", r.variant},
            {"subject", r.subject},
            {"bytes", r.bytes},
            {"wait", r.wait ? boost::json::value(to_string(*r.wait)) : boost::json::value(nullptr)},
            {"placement", r.placement},
            {"receivers", r.receivers},
            {"p50_ns", number(r.p50)},
            {"p90_ns", number(r.p90)},
            {"p99_ns", number(r.p99)},
            {"p999_ns", number(r.p999)},
            {"max_ns", number(r.max)},
            {"mean_ns", number(r.mean)},
            {"per_second", number(r.per_second)},
            {"raw_figure", number(r.raw_figure)},
            {"ratio_to_raw", number(r.ratio_to_raw)},
            {"lost", r.lost},
            {"probe_ns", r.probe},
            {"least", number(r.least)},
            {"most", number(r.most)},
            {"cpu_ns_per_message", number(r.cpu_per_message)},
            {"cpu_idle_percent", number(r.cpu_idle_percent)},
            {"labels", r.labels}};
}

boost::json::object object_of(environment const& e) {
    return {{"cpu", e.cpu},
            {"cpus", e.cpus},
            {"hypervisor", e.hypervisor},
            {"kernel", e.kernel},
            {"compiler", e.compiler},
            {"flags", e.flags},
            {"commit", e.commit},
            {"placement", e.placement},
            {"pinned_to", boost::json::value_from(e.pinned_to)},
            {"governor", e.governor},
            {"mitigations", e.mitigations},
            {"load_before", boost::json::value_from(e.load_before)},
            {"load_after", boost::json::value_from(e.load_after)},
            {"started_utc", e.started},
            {"quick", e.quick},
            {"repetitions", e.repetitions},
            {"repeated", e.repeated},
            {"clock", e.clock},
            {"clock_ns", e.clock_ns},
            {"clock_monotonic_ns", e.clock_monotonic_ns},
            {"one_line_round_trip_ns", e.one_line_ns},
            {"two_lines_round_trip_ns", e.two_lines_ns},
            {"memcpy_bytes_per_second", e.memcpy_bytes_per_second}};
}

} // namespace

std::string json(environment const& e, std::vector<row> const& rows) {
    std::string text =
        "{\"environment\": " + boost::json::serialize(object_of(e)) + ",\n \"rows\": [";
    char const* separator = "\n  ";
    for (row const& r : rows) {
        text += separator + boost::json::serialize(object_of(r));
        separator = ",\n  ";
    }
    return text + "\n ]}\n";
}

} // namespace partywall::bench
