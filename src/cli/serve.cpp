// SPDX-License-Identifier: BSL-1.0
// partywall serve: a command answers the calls of a name.
#include "command.hpp"
#include "job.hpp"
#include "signals.hpp"
#include "stream_options.hpp"
#include "units.hpp"

#include <CLI/App.hpp>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <poll.h>
#include <unistd.h>
#include <utility>

namespace partywall::cli {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::uint64_t clients_of_serve = 16;
constexpr std::uint64_t depth_of_serve = 4;
constexpr std::uint64_t message_bytes_default = 64 * 1024;
constexpr std::chrono::seconds drain_default{5};

struct serve_options : stream_options {
    std::string command; ///< its first word
    job_rules rules;
    std::uint64_t concurrency = 1;
    std::uint64_t clients = clients_of_serve;
    std::uint64_t depth = depth_of_serve;
    std::uint64_t request_max = message_bytes_default;
    std::optional<std::chrono::nanoseconds> drain;
};

/// Whether execvp(3) will find it: who mistypes wants to hear it now, not from the first caller.
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

/// Takes requests while commands may be started, and leaves the others where they are: in the lanes,
/// until their deadlines.
class service {
  public:
    service(serve_options const& options, participant const& me) : options_(options) {
        server_options how;
        how.depth = options.depth;
        how.request_bytes_max = options.request_max;
        how.clients_max = static_cast<std::uint32_t>(options.clients);
        how.waiting = waiting::park;
        auto made = me.server<bytes, bytes>(
            options.topic,
            [this](std::span<std::byte const> request, deferred<bytes> answer, call_context&) {
                taken_ += 1;
                jobs_.push_back(std::make_unique<job>(options_.rules, request, std::move(answer)));
            },
            how);
        if (!made) {
            fail(made.error());
        }
        server_.emplace(std::move(*made));
        auto const fd = server_->fd();
        if (!fd) {
            fail(exit_failed, "cannot wait for requests to '{}': {}", options.topic,
                 fd.error().message);
        }
        fd_ = *fd;
    }

    /// Until a signal, or until enough was answered. Returns the exit code.
    int run() {
        while (stop_signal() == 0 && (wanted() != 0 || !jobs_.empty())) {
            turn(clock::time_point::max());
        }
        bool const whole = drain();
        check_stopped();
        return whole ? exit_ok : exit_failed;
    }

  private:
    /// How many commands may be started now.
    std::size_t wanted() const noexcept {
        auto const counted = options_.count == 0 ? std::numeric_limits<std::uint64_t>::max()
                                                 : options_.count - taken_;
        return static_cast<std::size_t>(std::min(counted, options_.concurrency));
    }
    std::size_t room() const noexcept {
        return draining_ ? std::numeric_limits<std::size_t>::max() // to be refused
                         : std::min(wanted(),
                                    static_cast<std::size_t>(options_.concurrency) - jobs_.size());
    }

    /// Waits until something happens, and deals with it.
    void turn(clock::time_point until) {
        waited_for_.clear();
        if (room() != 0) {
            waited_for_.push_back({fd_, POLLIN, 0});
        }
        for (auto const& one : jobs_) {
            one->add_to(waited_for_);
            until = std::min(until, one->due());
        }
        if (::poll(waited_for_.data(), waited_for_.size(), milliseconds_to(until)) < 0 &&
            errno != EINTR) {
            fail(exit_failed, "cannot wait: {}", std::strerror(errno));
        }
        if (stop_signal() != 0 && !draining_) {
            return; // takes nothing more
        }
        for (auto const& one : jobs_) {
            one->step();
        }
        std::erase_if(jobs_, [](auto const& one) { return one->over(); });
        if (std::size_t const most = room(); most != 0) {
            server_->poll(most);
        }
    }

    static int milliseconds_to(clock::time_point when) noexcept {
        if (when == clock::time_point::max()) {
            return -1;
        }
        auto const left = std::chrono::ceil<std::chrono::milliseconds>(when - clock::now());
        return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, INT_MAX));
    }

    /// Takes nothing new, and lets commands that run come to their end. False: not all of them did.
    bool drain() {
        draining_ = true;
        (void)server_->drain(); // what cannot be said will be seen: nothing is taken
        auto const until = clock::now() + options_.drain.value_or(drain_default);
        while (!jobs_.empty() && clock::now() < until) {
            turn(until);
        }
        bool const whole = jobs_.empty();
        for (auto const& one : jobs_) {
            one->kill(job_too_late, "killed: the server ends");
        }
        jobs_.clear();
        (void)server_->shutdown(std::chrono::nanoseconds(0)); // nothing is owed
        return whole;
    }

    serve_options const& options_;
    std::vector<std::unique_ptr<job>> jobs_;
    std::optional<server<bytes, bytes>> server_;
    int fd_ = -1;
    std::vector<pollfd> waited_for_;
    std::uint64_t taken_ = 0;
    bool draining_ = false;
};

int run_serve(serve_options& o, common_options const& common, CLI::App const& app) {
    std::vector<std::string> rest = app.remaining();
    if (rest.empty() || rest.front() != "--") {
        throw command_error{exit_usage, rest.empty() ? "the command and its arguments follow '--'"
                                                     : "'" + rest.front() + "' was not expected"};
    }
    if (o.clients > clients_max) {
        fail(exit_usage, "--clients {}: a server has at most {}", o.clients, clients_max);
    }
    rest.front() = o.command;
    o.rules.words = std::move(rest);
    check_command(o.command);
    std::signal(SIGCHLD, SIG_DFL); // ignored, it would take the commands' ends away from us
    participant const me = join_as(o, common);
    return service(o, me).run();
}

} // namespace

command make_serve(CLI::App& parent, common_options const& common) {
    auto o = std::make_shared<serve_options>();
    o->name = "partywall serve";
    o->rules.output_max = message_bytes_default;
    CLI::App& app = *parent.add_subcommand("serve", "Answer the calls of a name with a command");
    add_stream_options(app, *o, "NAME", "Which calls to answer, such as calc/add");
    app.add_option("COMMAND", o->command,
                   "With its arguments, after '--': gets each request on its standard input, and "
                   "what it says on its standard output is the reply. No shell is involved")
        ->required()
        ->type_name("");
    app.prefix_command(); // what follows it is the command's, as it is
    app.add_flag("--block", o->rules.as_is,
                 "Replies as they are; without, a newline at the end of the output is no part of "
                 "the reply");
    add_count(app, "--concurrency", o->concurrency,
              "Commands that may run at a time; other requests wait for their turn (default 1)");
    add_count(app, "--count", o->count, "End after N requests");
    add_count(app, "--clients", o->clients,
              fmt::format("Clients at a time, each with memory of its own (default {})",
                          clients_of_serve));
    add_count(app, "--depth", o->depth,
              fmt::format("Requests that each client may have waiting, rounded up to a power of "
                          "two (default {})",
                          depth_of_serve));
    add_size(app, "--request-max", o->request_max,
             "Longest request (default " + show_size(message_bytes_default) + ")");
    add_size(app, "--reply-max", o->rules.output_max,
             "Longest reply; a command that says more is killed (default " +
                 show_size(message_bytes_default) + ")");
    add_duration(app, "--drain", o->drain,
                 "At the end: how long commands that run have to end; seconds, or with a unit: "
                 "200ms, 1.5s, 2min (default " +
                     show_duration(drain_default) + ")");
    app.footer("A command that fails makes the call fail, with its exit code and the first line of "
               "its\nstandard error. When the deadline of the call passes, the command and its "
               "children are\nkilled.\n\n"
               "  partywall serve upper -- tr a-z A-Z\n"
               "  partywall serve sum --block --concurrency 4 -- sha256sum");
    return {&app, [o, &common, &app] { return run_serve(*o, common, app); }};
}

} // namespace partywall::cli
