// SPDX-License-Identifier: BSL-1.0
#include "job_service.hpp"

#include "units.hpp"

#include <CLI/App.hpp>

#include <csignal>
#include <cstdlib>
#include <unistd.h>
#include <utility>

namespace partywall::cli {
namespace {

/// Whether execvp(3) will find it.
void check_command(std::string const& command) {
    if (command.find('/') != std::string::npos) {
        if (::access(command.c_str(), X_OK) != 0) {
            fail(exit_failed, "cannot execute '{}': {}", command, std::strerror(errno));
        }
        return;
    }
    char const* const path = std::getenv("PATH");
    std::string_view left = path != nullptr ? path : "/bin:/usr/bin";
    for (bool more = true; more;) {
        std::size_t const colon = left.find(':');
        std::string const where(left.substr(0, colon));
        if (::access(((where.empty() ? "." : where) + "/" + command).c_str(), X_OK) == 0) {
            return;
        }
        more = colon != std::string_view::npos;
        left.remove_prefix(more ? colon + 1 : left.size());
    }
    fail(exit_failed, "cannot execute '{}': it is nowhere in PATH", command);
}

} // namespace

void take_command(job_options& o, CLI::App const& app) {
    std::vector<std::string> rest = app.remaining();
    if (rest.empty() || rest.front() != "--") {
        throw command_error{exit_usage, rest.empty() ? "the command and its arguments follow '--'"
                                                     : "'" + rest.front() + "' was not expected"};
    }
    rest.front() = o.command;
    o.rules.words = std::move(rest);
    check_command(o.command);
    std::signal(SIGCHLD, SIG_DFL); // ignored, it would take the commands' ends away from us
}

void add_job_options(CLI::App& app, job_options& o, std::string const& request,
                     std::string const& reply) {
    o.rules.output_max = message_bytes_default;
    app.add_option("COMMAND", o.command,
                   fmt::format("With its arguments, after '--': gets each {} on its standard "
                               "input, and what it says on its standard output is the {}. No "
                               "shell is involved",
                               request, reply))
        ->required()
        ->type_name("");
    app.prefix_command(); // what follows it is the command's, as it is
    app.add_flag("--block", o.rules.as_is,
                 fmt::format("The output as it is; without, a newline at its end is no part of "
                             "the {}",
                             reply));
    add_count(app, "--concurrency", o.concurrency,
              fmt::format("Commands that may run at a time; other {}s wait for their turn "
                          "(default 1)",
                          request));
    add_count(app, "--count", o.count, fmt::format("End after N {}s", request));
    add_size(app, fmt::format("--{}-max", reply), o.rules.output_max,
             fmt::format("Longest {}; a command that says more is killed (default {})", reply,
                         show_size(message_bytes_default)));
    add_duration(app, "--drain", o.drain,
                 "At the end: how long commands that run have to end; seconds, or with a unit: "
                 "200ms, 1.5s, 2min (default " +
                     show_duration(job_drain_default) + ")");
}

} // namespace partywall::cli
