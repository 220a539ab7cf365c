// SPDX-License-Identifier: BSL-1.0
#include "row.hpp"

#include <algorithm>
#include <memory>

namespace partywall::bench {
namespace {

template <class Member>
std::vector<double> collect(std::vector<measurement> const& all, Member member) {
    std::vector<double> values;
    for (measurement const& m : all) {
        if (auto const& value = m.*member) {
            values.push_back(*value);
        }
    }
    return values;
}
template <class Member>
std::optional<double> median_of(std::vector<measurement> const& all, Member member) {
    auto values = collect(all, member);
    return values.empty() ? std::nullopt : std::optional(median(std::move(values)));
}

/// More points than pixels help nobody.
std::vector<row::point> curve_of(histogram const& ticks, double ns_per_tick) {
    std::vector<row::point> curve;
    double const count = static_cast<double>(ticks.count());
    double next = 2;
    ticks.for_each([&](std::uint64_t value, std::uint64_t seen) {
        double const of_so_many = count / (count - static_cast<double>(seen) + 1);
        if (of_so_many >= next) {
            curve.push_back({of_so_many, static_cast<double>(value) * ns_per_tick});
            next = of_so_many * 1.25;
        }
    });
    return curve;
}

} // namespace

void add_label(row& r, bool given, std::string const& label) {
    if (given) {
        r.labels += r.labels.empty() ? label : ", " + label;
    }
}

double median(std::vector<double> values) {
    if (values.empty()) {
        return 0;
    }
    auto const middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    double const upper = *middle;
    if (values.size() % 2 == 1) {
        return upper;
    }
    return (upper + *std::max_element(values.begin(), middle)) / 2;
}

row summarize(job const& what, std::vector<measurement> const& repetitions) {
    row r;
    r.figure = what.figure;
    r.bytes = what.bytes;
    r.wait = what.wait;
    r.receivers = what.readers;
    r.p50 = median_of(repetitions, &measurement::p50);
    r.p90 = median_of(repetitions, &measurement::p90);
    r.p99 = median_of(repetitions, &measurement::p99);
    r.p999 = median_of(repetitions, &measurement::p999);
    r.max = median_of(repetitions, &measurement::max);
    r.mean = median_of(repetitions, &measurement::mean);
    r.per_second = median_of(repetitions, &measurement::per_second);
    r.cpu_per_message = median_of(repetitions, &measurement::cpu_per_message);
    r.cpu_idle_percent = median_of(repetitions, &measurement::cpu_idle_percent);
    auto const heads = is_rate(what.figure) ? collect(repetitions, &measurement::per_second)
                                            : collect(repetitions, &measurement::p50);
    if (!heads.empty()) {
        r.least = *std::min_element(heads.begin(), heads.end());
        r.most = *std::max_element(heads.begin(), heads.end());
    }
    std::vector<double> probes;
    auto const ticks = std::make_unique<histogram>();
    double ns_per_tick = 1;
    bool unsettled = false;
    bool overloaded = false;
    for (measurement const& m : repetitions) {
        probes.push_back(m.probe);
        r.lost += m.lost;
        ticks->add(m.ticks);
        ns_per_tick = m.ns_per_record_tick;
        unsettled = unsettled || m.unsettled;
        overloaded = overloaded || m.overloaded;
    }
    add_label(r, unsettled, "unsettled");
    add_label(r, overloaded, "overloaded");
    r.probe = median(std::move(probes));
    r.curve = curve_of(*ticks, ns_per_tick);
    return r;
}

} // namespace partywall::bench
