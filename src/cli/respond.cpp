// SPDX-License-Identifier: BSL-1.0
// partywall respond: a command answers the questions of a name, as one of any number.
#include "job_service.hpp"
#include "units.hpp"

#include <CLI/App.hpp>

#include <memory>
#include <utility>

namespace partywall::cli {
namespace {

struct respond_options : job_options {
    std::uint64_t code_to_decline = 0;
};

int run_respond(respond_options& o, common_options const& common, CLI::App const& app) {
    constexpr std::uint64_t code_max = 255;
    if (o.code_to_decline > code_max) {
        fail(exit_usage, "--decline {}: exit codes go up to {}", o.code_to_decline, code_max);
    }
    o.rules.code_to_decline = static_cast<int>(o.code_to_decline);
    take_command(o, app);
    participant const me = join_as(o, common);
    respondent_options how;
    how.waiting = waiting::park;
    job_service<respondent<bytes, bytes>> service(o, "respondent");
    auto made = me.respondent<bytes, bytes>(o.topic, service.handler(), how);
    if (!made) {
        fail(made.error());
    }
    return service.run(std::move(*made));
}

} // namespace

command make_respond(CLI::App& parent, common_options const& common) {
    auto o = std::make_shared<respond_options>();
    o->name = "partywall respond";
    CLI::App& app = *parent.add_subcommand(
        "respond", "Answer the questions of a name with a command, as one of many");
    add_stream_options(app, *o, "NAME", "Which questions to answer, such as quotes");
    add_job_options(app, *o, "question", "answer");
    add_count(app, "--decline", o->code_to_decline,
              "The exit code with which the command says that it has nothing to say to a question "
              "(without, every code but 0 is a failure)");
    app.footer("A command that fails is an answer of its own: whoever asked gets its exit code and "
               "the first\nline of its standard error. When the time of the survey is up, the "
               "command and its children\nare killed.\n\n"
               "  partywall respond health --name web -- ./check-web\n"
               "  partywall respond prices --decline 1 -- grep -f - prices.txt");
    return {&app, [o, &common, &app] { return run_respond(*o, common, app); }};
}

} // namespace partywall::cli
