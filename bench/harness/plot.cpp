// SPDX-License-Identifier: BSL-1.0
#include "report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fmt/core.h>
#include <functional>
#include <map>

namespace partywall::bench {
namespace {

std::string const style =
    "set encoding utf8\nset grid lc rgb '#dddddd'\nset border lc rgb '#666666'\n"
    "set tics nomirror\nset key left top reverse Left noenhanced\nset title noenhanced\n";

std::string name_of(row const& r) {
    return r.variant.empty() ? r.subject : r.subject + " (" + r.variant + ")";
}
std::string colour_of(row const& r) {
    return r.subject == "partywall" ? "#c0392b" : r.subject == "raw" ? "#7f8c8d" : "#2e6da4";
}
std::string caption(environment const& e) {
    return fmt::format("{}{}, {}", e.cpu, e.hypervisor ? " (virtual machine)" : "", e.placement);
}
std::string file_of(std::string const& folder, std::string const& name) {
    return folder + "/" + name + ".svg";
}

using choice = std::function<bool(row const&)>;

std::vector<row const*> choose(std::vector<row> const& rows, choice const& wanted) {
    std::vector<row const*> chosen;
    for (row const& r : rows) {
        if (wanted(r) && r.headline()) {
            chosen.push_back(&r);
        }
    }
    std::sort(chosen.begin(), chosen.end(), [](row const* a, row const* b) {
        return is_rate(a->figure) ? *a->headline() > *b->headline()
                                  : *a->headline() < *b->headline();
    });
    return chosen;
}

/// Latency over 1 / (1 - quantile): every step to the right is ten times rarer.
std::string curves(std::string const& file, std::string const& title, environment const& e,
                   std::vector<row const*> rows) {
    std::erase_if(rows, [](row const* r) { return r->curve.empty(); });
    if (rows.empty()) {
        return {};
    }
    std::string script = style;
    script += fmt::format("set terminal svg size 900,560 font 'sans,12' background '#ffffff'\n"
                          "set output '{}'\nset title \"{}\\n{}\"\n",
                          file, title, caption(e));
    script += "set logscale xy\nset xlabel 'of so many, one is slower'\nset ylabel 'ns'\n"
              "set xtics ('2' 2, '10' 10, '100' 100, '1,000' 1e3, '10,000' 1e4, '100,000' 1e5, "
              "'1,000,000' 1e6)\n";
    std::string plots;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        row const& r = *rows[i];
        script += fmt::format("$data{} << EOD\n", i);
        for (row::point const& p : r.curve) {
            script += fmt::format("{} {}\n", p.of_so_many, p.ns);
        }
        script += "EOD\n";
        plots += fmt::format("{}$data{} with lines lw {} title '{}'", i == 0 ? "plot " : ", ", i,
                             r.subject == "partywall" ? 3 : 1.5, name_of(r));
    }
    return script + plots + "\nset output\nreset\n";
}

/// A picture of one drawing.
std::string picture(std::string const& file, std::string const& title, environment const& e,
                    std::size_t height, std::string const& drawing) {
    return style +
           fmt::format(
               "set terminal svg size 900,{} font 'sans,12' background '#ffffff'\nset output '{}'\n"
               "set title \"{}\\n{}\"\n",
               height, file, title, caption(e)) +
           drawing + "set output\nreset\n";
}

std::string bars_drawing(std::vector<row const*> const& rows) {
    bool const rate = is_rate(rows.front()->figure);
    // Bars lie: names are read, not guessed.
    std::string script =
        fmt::format("set logscale x\nset xlabel '{}'\nunset key\nset yrange [{}:-1] \n"
                    "set style fill solid 0.9 noborder\nset lmargin 34\n",
                    rate ? "messages per second" : "ns, median", rows.size());
    double least = *rows.front()->headline();
    double most = least;
    for (row const* r : rows) {
        least = std::min(least, *r->headline());
        most = std::max(most, *r->headline());
    }
    // The numbers stand behind the bars.
    script += fmt::format("set xrange [{}:{}]\nset ytics (", least / 2,
                          most * std::pow(most / least * 2, 0.15));
    for (std::size_t i = 0; i < rows.size(); ++i) {
        script += fmt::format("{}\"{}\" {}", i == 0 ? "" : ", ", name_of(*rows[i]), i);
    }
    script += ") noenhanced\n$data << EOD\n";
    for (std::size_t i = 0; i < rows.size(); ++i) {
        script +=
            fmt::format("{} {} 0x{}\n", *rows[i]->headline(), i, colour_of(*rows[i]).substr(1));
    }
    script += fmt::format("EOD\nplot $data using ({0}):2:({0}):1:($2-0.35):($2+0.35):3 with "
                          "boxxyerror lc rgb variable, $data using 1:2:(sprintf(' %.3g', $1)) with "
                          "labels left\n",
                          least / 2);
    return script;
}
std::string bars(std::string const& file, std::string const& title, environment const& e,
                 std::vector<row const*> const& rows) {
    return picture(file, title, e, 120 + 30 * rows.size(), bars_drawing(rows));
}

/// What publishing costs over the number of those who are attached.
std::string lines_drawing(std::vector<row const*> const& rows) {
    std::map<std::string, std::vector<row const*>> by_name;
    for (row const* r : rows) {
        by_name[name_of(*r)].push_back(r);
    }
    std::string script = "set logscale y\nset xlabel 'subscribers that do not read'\n"
                         "set ylabel 'ns, median'\n"
                         "set xtics ('0' 0, '1' 1, '8' 2, '64' 3, '256' 4)\n"
                         "set xrange [-0.2:4.2]\n";
    std::string plots;
    std::size_t i = 0;
    for (auto& [name, those] : by_name) {
        std::sort(those.begin(), those.end(),
                  [](row const* a, row const* b) { return a->receivers < b->receivers; });
        script += fmt::format("$line{} << EOD\n", i);
        for (row const* r : those) {
            int const x = r->receivers == 0    ? 0
                          : r->receivers == 1  ? 1
                          : r->receivers == 8  ? 2
                          : r->receivers == 64 ? 3
                                               : 4;
            script += fmt::format("{} {}\n", x, *r->p50);
        }
        script += "EOD\n";
        plots += fmt::format("{}$line{} with linespoints lw 2 pt 7 title '{}'",
                             i == 0 ? "plot " : ", ", i, name);
        i += 1;
    }
    return script + plots + "\n";
}
std::string lines(std::string const& file, std::string const& title, environment const& e,
                  std::vector<row const*> const& rows) {
    return picture(file, title, e, 480, lines_drawing(rows));
}

/// What a reader sees first: how long a message takes there and back, and what publishing costs.
std::string overview(std::string const& file, environment const& e,
                     std::vector<row const*> const& trips,
                     std::vector<row const*> const& publishing) {
    if (trips.empty() || publishing.empty()) {
        return {};
    }
    return style +
           fmt::format("set terminal svg size 1200,{} font 'sans,12' background '#ffffff'\n"
                       "set output '{}'\nset multiplot layout 1,2 title \"{}\" noenhanced\n"
                       "set title 'Round trip of 64 bytes, spinning'\n",
                       150 + 30 * trips.size(), file, caption(e)) +
           bars_drawing(trips) +
           "set lmargin -1\nunset logscale\nset autoscale\nset ytics auto\nset key\n"
           "set title 'Publishing 64 bytes'\n" +
           lines_drawing(publishing) + "unset multiplot\nset output\nreset\n";
}

choice of(figure f, std::uint64_t bytes, wait w) {
    return [=](row const& r) { return r.figure == f && r.bytes == bytes && r.wait == w; };
}

} // namespace

std::string draw(std::string const& folder, environment const& e, std::vector<row> const& rows) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) {
        return folder + ": " + error.message();
    }
    std::string script;
    auto const add = [&](auto picture, char const* name, char const* title, choice const& wanted) {
        if (auto const chosen = choose(rows, wanted); !chosen.empty()) {
            script += picture(file_of(folder, name), title, e, chosen);
        }
    };
    add(curves, "round_trip_percentiles", "Round trip, 64 bytes, spinning",
        of(figure::round_trip, 64, wait::spin));
    add(bars, "round_trip", "Round trip, 64 bytes, spinning",
        of(figure::round_trip, 64, wait::spin));
    add(bars, "round_trip_park", "Round trip, 64 bytes, both sides sleep",
        of(figure::round_trip, 64, wait::park));
    add(bars, "round_trip_fd", "Round trip, 64 bytes, both sides sleep in poll",
        of(figure::round_trip, 64, wait::fd));
    add(curves, "one_way_percentiles", "One way, 64 bytes, due at fixed times, spinning",
        of(figure::one_way, 64, wait::spin));
    add(curves, "wake_up_percentiles", "A receiver that sleeps, 64 bytes, every 2 ms",
        of(figure::wake_up, 64, wait::park));
    add(bars, "fan_out", "One to two, 64 bytes", [](row const& r) {
        return r.figure == figure::fan_out && r.bytes == 64 && r.receivers == 2;
    });
    add(bars, "throughput_batch", "One to one, 64 bytes, 64 at a time",
        of(figure::throughput_batch, 64, wait::spin));
    add(bars, "throughput", "One to one, 64 bytes, nothing lost",
        of(figure::throughput, 64, wait::spin));
    add(bars, "large_round_trip", "Round trip of 1 MiB, first and last word written and read",
        of(figure::large_round_trip, 1024 * 1024, wait::spin));
    auto const publishing = [](row const& r) { return r.figure == figure::publish_cost; };
    add(lines, "publish_cost", "Publishing 64 bytes to subscribers that do not read", publishing);
    script +=
        overview(file_of(folder, "overview"), e,
                 choose(rows, of(figure::round_trip, 64, wait::spin)), choose(rows, publishing));
    if (script.empty()) {
        return {};
    }
    std::FILE* const gnuplot = ::popen("gnuplot 2>&1", "w");
    if (gnuplot == nullptr) {
        return "no gnuplot";
    }
    std::fwrite(script.data(), 1, script.size(), gnuplot);
    return ::pclose(gnuplot) == 0 ? "" : "gnuplot is missing or failed: no pictures";
}

} // namespace partywall::bench
