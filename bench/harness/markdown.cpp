// SPDX-License-Identifier: BSL-1.0
#include "report.hpp"
#include "targets.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <iterator>
#include <limits>
#include <tuple>

namespace partywall::bench {
namespace {

/// Three digits or more of anything between nanoseconds and minutes.
std::string time_text(std::optional<double> ns) {
    if (!ns) {
        return "";
    }
    if (*ns < 100) {
        return fmt::format("{:.1f} ns", *ns);
    }
    if (*ns < 10'000) {
        return fmt::format("{:.0f} ns", *ns);
    }
    if (*ns < 10'000'000) {
        return fmt::format("{:.1f} µs", *ns / 1e3);
    }
    return fmt::format("{:.1f} ms", *ns / 1e6);
}
std::string rate_text(std::optional<double> per_second) {
    if (!per_second) {
        return "";
    }
    if (*per_second >= 1e6) {
        return fmt::format("{:.2f} M/s", *per_second / 1e6);
    }
    return *per_second >= 1e3 ? fmt::format("{:.1f} k/s", *per_second / 1e3)
                              : fmt::format("{:.0f} /s", *per_second);
}
std::string size_text(std::uint64_t bytes) {
    if (bytes >= 1024 * 1024) {
        return fmt::format("{} MiB", bytes >> 20);
    }
    return bytes >= 1024 ? fmt::format("{} KiB", bytes >> 10) : fmt::format("{}", bytes);
}
std::string ratio_text(std::optional<double> ratio) {
    return ratio ? fmt::format("{:.2f}", *ratio) : "";
}

double key_of(row const& r, sort_key by) {
    auto const value = is_rate(r.figure)     ? r.per_second
                       : by == sort_key::p50 ? r.p50
                       : by == sort_key::p90 ? r.p90
                       : by == sort_key::p99 ? r.p99
                                             : r.p999;
    double const v = value.value_or(std::numeric_limits<double>::max());
    return is_rate(r.figure) ? -v : v;
}

/// What may be compared stands together.
auto place_of(row const& r) {
    // Fan-in and open loops say how much in their variant, last.
    std::string load;
    if (r.figure == figure::one_way || r.figure == figure::fan_in || r.figure == figure::fan_out) {
        auto const comma = r.variant.rfind(", ");
        load = comma == std::string::npos ? r.variant : r.variant.substr(comma + 2);
    }
    return std::tuple(r.figure, r.bytes, r.wait, r.receivers, load);
}

void environment_block(std::string& out, environment const& e) {
    auto const line = [&](char const* what, std::string const& value) {
        if (!value.empty()) {
            out += fmt::format("| {} | {} |\n", what, value);
        }
    };
    out += "| environment | |\n|---|---|\n";
    line("processor",
         fmt::format("{}{}, {} usable", e.cpu, e.hypervisor ? " (virtual machine)" : "", e.cpus));
    line("placement", fmt::format("{} (processors {})", e.placement, fmt::join(e.pinned_to, ", ")));
    line("kernel", e.kernel);
    line("compiler", e.compiler + ", " + e.flags);
    line("commit", e.commit);
    line("governor", e.governor);
    line("load before, after (1 min)",
         fmt::format("{:.2f}, {:.2f}", e.load_before[0], e.load_after[0]));
    line("started", e.started + " UTC");
    line("repetitions", fmt::format("{}, interleaved{}; {} measured again, because the line had "
                                    "changed",
                                    e.repetitions, e.quick ? ", quick" : "", e.repeated));
    line("one bare line, round trip", time_text(e.one_line_ns));
    line("two bare lines, round trip", time_text(e.two_lines_ns));
    line("memcpy of 64 MiB", fmt::format("{:.1f} GB/s", e.memcpy_bytes_per_second / 1e9));
    line("the clock's own cost", fmt::format("{} ({}); CLOCK_MONOTONIC {}", time_text(e.clock_ns),
                                             e.clock, time_text(e.clock_monotonic_ns)));
}

void table(std::string& out, std::vector<row const*> const& rows) {
    figure const f = rows.front()->figure;
    out += fmt::format("\n### {}\n\n", to_string(f));
    bool const rate = is_rate(f);
    out += "| bytes | wait | to | subject | variant | ";
    out += rate ? "rate | least .. most |" : "p50 | least .. most | p90 | p99 | p99.9 | max |";
    out += " × raw | lost | CPU per message | bare line | |\n";
    out += "|---:|---|---:|---|---|---:|---|";
    out += rate ? "" : "---:|---:|---:|---:|";
    out += "---:|---:|---:|---:|---|\n";
    row const* last = nullptr;
    for (row const* r : rows) {
        if (last != nullptr && place_of(*last) != place_of(*r)) {
            out += rate ? "| | | | | | | | | | | | |\n" : "| | | | | | | | | | | | | | | | |\n";
        }
        last = r;
        out +=
            fmt::format("| {} | {} | {} | {} | {} | ", size_text(r->bytes),
                        r->wait ? to_string(*r->wait) : "", r->receivers, r->subject, r->variant);
        if (rate) {
            out += fmt::format("{} | {} .. {} | ", rate_text(r->per_second), rate_text(r->least),
                               rate_text(r->most));
        } else {
            out += fmt::format("{} | {} .. {} | {} | {} | {} | {} | ", time_text(r->p50),
                               time_text(r->least), time_text(r->most), time_text(r->p90),
                               time_text(r->p99), time_text(r->p999), time_text(r->max));
        }
        std::string notes = r->labels;
        if (r->cpu_idle_percent) {
            notes += fmt::format("{}{:.1f} % of a processor while idle", notes.empty() ? "" : "; ",
                                 *r->cpu_idle_percent);
        }
        out += fmt::format("{} | {} | {} | {} | {} |\n", ratio_text(r->ratio_to_raw), r->lost,
                           time_text(r->cpu_per_message), time_text(r->probe), notes);
    }
}

void targets_table(std::string& out, std::vector<row> const& rows) {
    out += "\n| target | | at most / at least | measured | |\n|---|---|---:|---:|---|\n";
    std::string last;
    for (verdict const& v : judge(rows)) {
        std::string const measured =
            v.measured ? fmt::format("{:.2f}", *v.measured) : std::string("–");
        out += fmt::format("| {} | {} | {} {} {} | {} | {}{}{} |\n",
                           v.target == last ? "" : v.target, v.variant, v.at_least ? "≥" : "≤",
                           v.limit, v.unit, v.met() ? measured : "**" + measured + "**", v.word(),
                           v.remark.empty() ? "" : "; ", v.remark);
        last = v.target;
    }
}

} // namespace

std::string markdown_summary(environment const& e, std::vector<row> const& rows) {
    std::string out;
    environment_block(out, e);
    targets_table(out, rows);
    return out;
}

std::string markdown(environment const& e, std::vector<row> const& rows, sort_key by) {
    std::string out = markdown_summary(e, rows);
    std::vector<row const*> sorted;
    for (row const& r : rows) {
        sorted.push_back(&r);
    }
    // Equals in the order of the run: by their places in `rows`. (Clang 19 warns of what libstdc++'s
    // std::stable_sort uses.)
    std::sort(sorted.begin(), sorted.end(), [by](row const* a, row const* b) {
        return std::tuple(place_of(*a), key_of(*a, by), a) <
               std::tuple(place_of(*b), key_of(*b, by), b);
    });
    for (auto from = sorted.begin(); from != sorted.end();) {
        auto const to = std::find_if(from, sorted.end(),
                                     [&](row const* r) { return r->figure != (*from)->figure; });
        table(out, std::vector<row const*>(from, to));
        from = to;
    }
    return out;
}

} // namespace partywall::bench
