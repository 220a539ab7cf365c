// SPDX-License-Identifier: BSL-1.0
// The suite of two and more processes: partywall-bench --help. Every process of a measurement is
// this program, executed anew.
#include "harness/guard.hpp"
#include "harness/report.hpp"
#include "harness/suite.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fmt/core.h>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace partywall::bench {
namespace {

constexpr int exit_failed = 1;
constexpr int exit_usage = 2;
constexpr int exit_cannot = 77; ///< what ctest calls skipped

struct command_line {
    plan_options what;
    int repetitions = 0;
    double seconds = 0;
    std::vector<std::string> only;
    std::vector<int> cpus;
    std::string json_file, svg_folder, markdown_file, page, from, commit;
    std::string scratch = "/dev/shm";
    sort_key sort = sort_key::p50;
    bool list = false;
    bool guard = false;
    int role = -1;
    int session = -1;
};

/// A folder in memory for everything that subjects leave in files; gone with this.
class scratch_root {
  public:
    explicit scratch_root(std::string const& where) {
        std::string pattern = where + "/partywall-bench-XXXXXX";
        if (::mkdtemp(pattern.data()) == nullptr) {
            throw std::runtime_error("cannot make a folder in " + where);
        }
        path_ = pattern;
    }
    ~scratch_root() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    scratch_root(scratch_root const&) = delete;
    scratch_root& operator=(scratch_root const&) = delete;

    std::string const& path() const noexcept { return path_; }

  private:
    std::string path_;
};

void define(CLI::App& app, command_line& line) {
    app.add_flag("--quick", line.what.quick, "fewer sizes and repetitions: some minutes in all");
    app.add_option("--repetitions", line.repetitions, "of every row, interleaved (5; quick: 3)")
        ->check(CLI::Range(1, 1000));
    app.add_option("--seconds", line.seconds,
                   "fewer repetitions where it would take longer (any; quick: 200)")
        ->check(CLI::NonNegativeNumber);
    app.add_option("--only", line.only, "these figures (comma)")->delimiter(',');
    app.add_option("--subjects", line.what.subjects, "these subjects (comma); --list names them")
        ->delimiter(',');
    app.add_option("--bytes", line.what.bytes, "messages of this size only");
    app.add_option("--cpus", line.cpus, "processors to pin to (comma); the first two are a pair's")
        ->delimiter(',');
    app.add_option("--json", line.json_file, "write rows and environment to this file");
    app.add_option("--svg", line.svg_folder, "draw pictures into this folder, with gnuplot");
    app.add_option("--markdown", line.markdown_file, "write the tables to this file as well");
    app.add_option("--page", line.page,
                   "write environment and targets into this page, between its marks");
    app.add_option("--from", line.from, "measure nothing: report what this JSON file has");
    app.add_option("--sort", line.sort, "rows of a table by this percentile of theirs")
        ->transform(
            CLI::CheckedTransformer(std::map<std::string, sort_key>{{"p50", sort_key::p50},
                                                                    {"p90", sort_key::p90},
                                                                    {"p99", sort_key::p99},
                                                                    {"p99.9", sort_key::p999}}));
    app.add_option("--commit", line.commit, "what is measured, for the environment block");
    app.add_option("--scratch", line.scratch, "folder in memory for files of the subjects")
        ->capture_default_str();
    app.add_flag("--list", line.list, "name figures and subjects, and end");
    app.add_flag("--guard", line.guard,
                 "check a few ratios with a wide margin, for continuous integration");
    // Not for people.
    app.add_option("--role", line.role)->group("");
    app.add_option("--session", line.session)->group("");
}

void list() {
    fmt::print("figures:");
    for (std::size_t i = 0; i < figure_count; ++i) {
        fmt::print(" {}", to_string(static_cast<figure>(i)));
    }
    fmt::print("\nsubjects:");
    for (subject const& s : subjects()) {
        if (!s.hidden) {
            fmt::print(" {}", s.name);
        }
    }
    fmt::print("\n");
}
void name_the_missing() {
    for (missing_subject const& m : missing_subjects()) {
        fmt::print("{} is not built in: {}\n", m.name, m.remedy);
    }
}

void write(std::string const& file, std::string const& text) {
    std::ofstream out(file, std::ios::binary);
    out << text;
    out.close();
    if (!out) {
        throw std::runtime_error("cannot write " + file);
    }
}

std::string read(std::string const& file) {
    std::ifstream in(file, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(in), {}};
    if (!in) {
        throw std::runtime_error("cannot read " + file);
    }
    return text;
}

/// Replaces what stands between the marks of a page.
void write_between_marks(std::string const& file, std::string const& text) {
    constexpr std::string_view begins = "<!-- results -->\n";
    constexpr std::string_view ends = "<!-- end of results -->";
    std::string page = read(file);
    auto const from = page.find(begins);
    auto const to = page.find(ends);
    if (from == std::string::npos || to == std::string::npos || to < from) {
        throw std::runtime_error(file + " has no marks for results");
    }
    auto const first = from + begins.size();
    write(file, page.replace(first, to - first, "\n" + text + "\n"));
}

std::string own_path() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

std::vector<int> choose_cpus(command_line const& line) {
    if (!line.cpus.empty()) {
        auto cpus = line.cpus;
        if (cpus.size() == 1) {
            cpus.push_back(cpus.front());
        }
        return cpus;
    }
    auto cpus = usable_cpus();
    if (cpus.size() == 1) {
        cpus.push_back(cpus.front());
    }
    // A pair lies as far apart as it can: neighbours in number may be one core.
    for (std::size_t i = 1; i < cpus.size(); ++i) {
        if (placement_of(cpus[0], cpus[i]) == "different cores") {
            std::swap(cpus[1], cpus[i]);
            break;
        }
    }
    return cpus;
}

/// In every form that was asked for.
void tell(command_line const& line, environment const& e, std::vector<row> const& rows) {
    std::string const tables = markdown(e, rows, line.sort);
    fmt::print("\n{}", tables);
    if (!line.markdown_file.empty()) {
        write(line.markdown_file,
              "# Results of a run\n\nWritten by partywall-bench; docs/performance.md says how they "
              "were made.\n\n" +
                  tables);
    }
    if (!line.page.empty()) {
        write_between_marks(line.page, markdown_summary(e, rows));
    }
    if (!line.json_file.empty()) {
        write(line.json_file, json(e, rows));
    }
    if (!line.svg_folder.empty()) {
        if (std::string const problem = draw(line.svg_folder, e, rows); !problem.empty()) {
            fmt::print("{}\n", problem);
        }
    }
}

int measure(command_line const& line, runner& with) {
    name_the_missing();
    plan const what = make_plan(line.what);
    for (std::string const& line_of : what.not_there) {
        fmt::print("{}\n", line_of);
    }
    if (what.groups.empty()) {
        fmt::print(stderr, "partywall-bench: nothing to measure: no subject that was asked for has "
                           "these figures\n");
        return exit_usage;
    }
    environment e = look_around(with, line.commit);
    e.quick = line.what.quick;
    e.repetitions = line.repetitions != 0 ? line.repetitions : line.what.quick ? 3 : 5;
    constexpr double second = 1e9;
    effort const how_much{e.repetitions, static_cast<std::uint64_t>(line.seconds * second)};
    suite_result const found = run_suite(
        with, what, how_much, [](std::string const& text) { fmt::print(stderr, "{}\n", text); });
    e.load_after = load_now();
    e.repeated = with.repeated();
    tell(line, e, found.rows);
    for (std::string const& note : found.notes) {
        fmt::print("not measured: {}\n", note);
    }
    if (found.failures.empty()) {
        return 0;
    }
    fmt::print("\nFAILED:\n");
    for (std::string const& failure : found.failures) {
        fmt::print("  {}\n", failure);
    }
    return exit_failed;
}

int run(command_line& line) {
    if (line.role >= 0) {
        return play_role(line.session, static_cast<std::uint32_t>(line.role));
    }
    for (std::string const& name : line.only) {
        auto const f = figure_of(name);
        if (!f || static_cast<std::size_t>(*f) >= figure_count) {
            fmt::print(stderr, "partywall-bench: there is no figure '{}'; see --list\n", name);
            return exit_usage;
        }
        line.what.only.push_back(*f);
    }
    for (std::string const& name : line.what.subjects) {
        auto const& missing = missing_subjects();
        if (find_subject(name) == nullptr &&
            std::none_of(missing.begin(), missing.end(),
                         [&](missing_subject const& m) { return m.name == name; })) {
            fmt::print(stderr, "partywall-bench: there is no subject '{}'; see --list\n", name);
            return exit_usage;
        }
    }
    if (line.list) {
        list();
        name_the_missing();
        return 0;
    }
    if (!line.from.empty()) {
        report const kept = read_json(read(line.from));
        tell(line, kept.e, kept.rows);
        return 0;
    }
    if (line.what.quick && line.seconds == 0) {
        line.seconds = 200; // and there is the building to be done, in the same five minutes
    }
    auto const cpus = choose_cpus(line);
    if (line.guard && cpus[0] == cpus[1]) {
        fmt::print("the guard needs two processors\n");
        return exit_cannot;
    }
    scratch_root const scratch(line.scratch);
    runner with(own_path(), cpus, scratch.path());
    if (line.guard) {
        return guard(with, [](std::string const& text) { fmt::print("{}\n", text); }) ? 0
                                                                                      : exit_failed;
    }
    return measure(line, with);
}

} // namespace
} // namespace partywall::bench

int main(int argc, char** argv) {
    CLI::App app("How fast partywall and its peers are, between processes, in one run.",
                 "partywall-bench");
    partywall::bench::command_line line;
    partywall::bench::define(app, line);
    try {
        app.parse(argc, argv);
    } catch (CLI::ParseError const& e) {
        return app.exit(e) == 0 ? 0 : partywall::bench::exit_usage;
    }
    try {
        return partywall::bench::run(line);
    } catch (std::exception const& e) {
        fmt::print(stderr, "partywall-bench: {}\n", e.what());
        return partywall::bench::exit_failed;
    }
}
