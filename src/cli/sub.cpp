// SPDX-License-Identifier: BSL-1.0
// partywall sub: the messages of a topic, as lines or as they are, to standard output.
#include "command.hpp"
#include "drain.hpp"
#include "signals.hpp"
#include "stream_options.hpp"
#include "units.hpp"

#include <CLI/App.hpp>

#include <memory>

namespace partywall::cli {
namespace {

struct sub_options : drain_options {
    std::uint64_t history = 0;
    bool lossless = false;
    bool any_type = false;
};

/// Says at the end, however it came, what was missed.
class miss_report {
  public:
    miss_report(sub_options const& options, subscriber<bytes> const& from) noexcept
        : options_(options), from_(from) {}
    ~miss_report() {
        if (std::uint64_t const missed = from_.missed(); missed != 0) {
            say(fmt::format("missed {} messages of '{}': they were overwritten before they could "
                            "be read",
                            missed, options_.topic));
        }
    }
    miss_report(miss_report const&) = delete;
    miss_report& operator=(miss_report const&) = delete;

  private:
    sub_options const& options_;
    subscriber<bytes> const& from_;
};

int run_sub(sub_options const& o, common_options const& common) {
    if (o.any_type && o.lossless) {
        fail(exit_usage, "--any-type and --lossless contradict each other: who holds publishers "
                         "back must know what they send");
    }
    participant const me = join_as(o, common);
    subscriber_options how;
    how.delivery = o.lossless ? delivery::lossless : delivery::lossy;
    how.history = o.history;
    how.samples_held_max = held_max;
    how.report_close = true;
    how.any_type = o.any_type;
    auto from = me.subscriber<bytes>(o.topic, how);
    if (!from) {
        fail(from.error());
    }
    interruptible const guard(*from);
    std::optional<miss_report> report;
    if (!common.quiet) {
        report.emplace(o, *from);
    }
    return drain<subscriber<bytes>, publishers_of>(o, common.quiet, *from).run();
}

} // namespace

command make_sub(CLI::App& parent, common_options const& common) {
    auto o = std::make_shared<sub_options>();
    o->name = "partywall sub";
    CLI::App& app = *parent.add_subcommand("sub", "Write the messages of a topic to standard "
                                                  "output");
    add_stream_options(app, *o);
    add_flag_with_size(app, "--block", o->block, block_bytes_default,
                       "Messages as they are, without newlines; small ones are gathered up to "
                       "BYTES for one write (default " +
                           show_size(block_bytes_default) + ")");
    app.add_flag("--lossless", o->lossless,
                 "Miss nothing: publishers wait, so their policy must be block or reject");
    add_count(app, "--history", o->history,
              "Begin with the last N messages of publishers that are there already, as far as "
              "they still have them (default: none)");
    app.add_flag("--any-type", o->any_type,
                 "Take the bytes of messages of any type (not with --lossless)");
    add_count(app, "--wait-for", o->wait_for,
              "Do not end before N publishers have come (default: 1)");
    app.add_flag("--follow", o->follow,
                 "Do not end when every publisher has closed or died: wait for the next");
    add_count(app, "--count", o->count, "End after N messages");
    add_duration(app, "--timeout", o->timeout,
                 "How long to wait for a publisher, and then for each message; seconds, or with a "
                 "unit: 200ms, 1.5s, 2min (default: for ever)");
    app.footer("Ends with 0 once at least one publisher was there and all have closed; with 1 if "
               "one died,\nafter its last message.\n\n"
               "  partywall sub log/web --follow\n"
               "  partywall sub copy --lossless --block > COPY");
    return {&app, [o, &common] { return run_sub(*o, common); }};
}

} // namespace partywall::cli
