// SPDX-License-Identifier: BSL-1.0
// partywall serve: a command answers the calls of a name.
#include "job_service.hpp"
#include "units.hpp"

#include <CLI/App.hpp>

#include <memory>
#include <utility>

namespace partywall::cli {
namespace {

constexpr std::uint64_t clients_of_serve = 16;
constexpr std::uint64_t depth_of_serve = 4;

struct serve_options : job_options {
    std::uint64_t clients = clients_of_serve;
    std::uint64_t depth = depth_of_serve;
    std::uint64_t request_max = message_bytes_default;
};

int run_serve(serve_options& o, common_options const& common, CLI::App const& app) {
    if (o.clients > clients_max) {
        fail(exit_usage, "--clients {}: a server has at most {}", o.clients, clients_max);
    }
    take_command(o, app);
    participant const me = join_as(o, common);
    server_options how;
    how.depth = o.depth;
    how.request_bytes_max = o.request_max;
    how.clients_max = static_cast<std::uint32_t>(o.clients);
    how.waiting = waiting::park;
    job_service<server<bytes, bytes>> service(o, "server");
    auto made = me.server<bytes, bytes>(o.topic, service.handler(), how);
    if (!made) {
        fail(made.error());
    }
    return service.run(std::move(*made));
}

} // namespace

command make_serve(CLI::App& parent, common_options const& common) {
    auto o = std::make_shared<serve_options>();
    o->name = "partywall serve";
    CLI::App& app = *parent.add_subcommand("serve", "Answer the calls of a name with a command");
    add_stream_options(app, *o, "NAME", "Which calls to answer, such as calc/add");
    add_job_options(app, *o, "request", "reply");
    add_count(app, "--clients", o->clients,
              fmt::format("Clients at a time, each with memory of its own (default {})",
                          clients_of_serve));
    add_count(app, "--depth", o->depth,
              fmt::format("Requests that each client may have waiting, rounded up to a power of "
                          "two (default {})",
                          depth_of_serve));
    add_size(app, "--request-max", o->request_max,
             "Longest request (default " + show_size(message_bytes_default) + ")");
    app.footer("A command that fails makes the call fail, with its exit code and the first line of "
               "its\nstandard error. When the deadline of the call passes, the command and its "
               "children are\nkilled.\n\n"
               "  partywall serve upper -- tr a-z A-Z\n"
               "  partywall serve sum --block --concurrency 4 -- sha256sum");
    return {&app, [o, &common, &app] { return run_serve(*o, common, app); }};
}

} // namespace partywall::cli
