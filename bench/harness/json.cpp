// SPDX-License-Identifier: BSL-1.0
#include "report.hpp"
#include "targets.hpp"

#include <array>
#include <cmath>
#include <stdexcept>
#include <string_view>

// Boost.JSON, compiled here once: the suite links no library of Boost.
#include <boost/json/src.hpp>

namespace partywall::bench {
namespace {

boost::json::value number(std::optional<double> const& value) {
    return value ? boost::json::value(*value) : boost::json::value(nullptr);
}

/// [[of so many, ns], ...] of latencies; of rates nobody wants it.
boost::json::array curve_of(row const& r) {
    boost::json::array points;
    if (!is_rate(r.figure) && r.figure != figure::publish_cost) {
        for (row::point const& p : r.curve) {
            points.push_back(boost::json::array{std::round(p.of_so_many), std::round(p.ns)});
        }
    }
    return points;
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
            {"labels", r.labels},
            {"curve", curve_of(r)}};
}

boost::json::object object_of(verdict const& v) {
    return {{"target", v.target},     {"variant", v.variant}, {"limit", v.limit},
            {"at_least", v.at_least}, {"unit", v.unit},       {"measured", number(v.measured)},
            {"verdict", v.word()}};
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
    text += "\n ],\n \"targets\": [";
    separator = "\n  ";
    for (verdict const& v : judge(rows)) {
        text += separator + boost::json::serialize(object_of(v));
        separator = ",\n  ";
    }
    return text + "\n ]}\n";
}

namespace {

std::string text_of(boost::json::object const& from, std::string_view key) {
    auto const* const value = from.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}
std::optional<double> number_of(boost::json::object const& from, std::string_view key) {
    auto const* const value = from.if_contains(key);
    return value != nullptr && value->is_number() ? std::optional(value->to_number<double>())
                                                  : std::nullopt;
}
template <class Number>
Number whole_of(boost::json::object const& from, std::string_view key) {
    return static_cast<Number>(number_of(from, key).value_or(0));
}
bool flag_of(boost::json::object const& from, std::string_view key) {
    auto const* const value = from.if_contains(key);
    return value != nullptr && value->is_bool() && value->get_bool();
}
std::array<double, 3> load_of(boost::json::object const& from, std::string_view key) {
    std::array<double, 3> load{};
    auto const& all = from.at(key).as_array();
    for (std::size_t i = 0; i < load.size() && i < all.size(); ++i) {
        load[i] = all[i].to_number<double>();
    }
    return load;
}

row row_of(boost::json::object const& from) {
    row r;
    auto const figure = figure_of(text_of(from, "figure"));
    if (!figure) {
        throw std::runtime_error("a row of the file has no figure that is known");
    }
    r.figure = *figure;
    r.variant = text_of(from, "variant");
    r.subject = text_of(from, "subject");
    r.bytes = whole_of<std::uint64_t>(from, "bytes");
    r.wait = wait_of(text_of(from, "wait"));
    r.placement = text_of(from, "placement");
    r.receivers = whole_of<std::uint32_t>(from, "receivers");
    r.p50 = number_of(from, "p50_ns");
    r.p90 = number_of(from, "p90_ns");
    r.p99 = number_of(from, "p99_ns");
    r.p999 = number_of(from, "p999_ns");
    r.max = number_of(from, "max_ns");
    r.mean = number_of(from, "mean_ns");
    r.per_second = number_of(from, "per_second");
    r.raw_figure = number_of(from, "raw_figure");
    r.ratio_to_raw = number_of(from, "ratio_to_raw");
    r.lost = whole_of<std::uint64_t>(from, "lost");
    r.probe = number_of(from, "probe_ns").value_or(0);
    r.least = number_of(from, "least");
    r.most = number_of(from, "most");
    r.cpu_per_message = number_of(from, "cpu_ns_per_message");
    r.cpu_idle_percent = number_of(from, "cpu_idle_percent");
    r.labels = text_of(from, "labels");
    if (auto const* const curve = from.if_contains("curve")) {
        for (auto const& point : curve->as_array()) {
            auto const& both = point.as_array();
            r.curve.push_back({both.at(0).to_number<double>(), both.at(1).to_number<double>()});
        }
    }
    return r;
}

environment environment_of(boost::json::object const& from) {
    environment e;
    e.cpu = text_of(from, "cpu");
    e.cpus = whole_of<std::size_t>(from, "cpus");
    e.hypervisor = flag_of(from, "hypervisor");
    e.kernel = text_of(from, "kernel");
    e.compiler = text_of(from, "compiler");
    e.flags = text_of(from, "flags");
    e.commit = text_of(from, "commit");
    e.placement = text_of(from, "placement");
    for (auto const& cpu : from.at("pinned_to").as_array()) {
        e.pinned_to.push_back(cpu.to_number<int>());
    }
    e.governor = text_of(from, "governor");
    e.mitigations = text_of(from, "mitigations");
    e.load_before = load_of(from, "load_before");
    e.load_after = load_of(from, "load_after");
    e.started = text_of(from, "started_utc");
    e.quick = flag_of(from, "quick");
    e.repetitions = whole_of<int>(from, "repetitions");
    e.repeated = whole_of<std::uint64_t>(from, "repeated");
    e.clock = text_of(from, "clock");
    e.clock_ns = number_of(from, "clock_ns").value_or(0);
    e.clock_monotonic_ns = number_of(from, "clock_monotonic_ns").value_or(0);
    e.one_line_ns = number_of(from, "one_line_round_trip_ns").value_or(0);
    e.two_lines_ns = number_of(from, "two_lines_round_trip_ns").value_or(0);
    e.memcpy_bytes_per_second = number_of(from, "memcpy_bytes_per_second").value_or(0);
    return e;
}

} // namespace

report read_json(std::string const& text) {
    auto const all = boost::json::parse(text).as_object();
    report r;
    r.e = environment_of(all.at("environment").as_object());
    for (auto const& one : all.at("rows").as_array()) {
        r.rows.push_back(row_of(one.as_object()));
    }
    return r;
}

} // namespace partywall::bench
