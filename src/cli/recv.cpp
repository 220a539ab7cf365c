// SPDX-License-Identifier: BSL-1.0
// partywall recv: what is sent to a name, as lines or as it is, to standard output or into a file
// per sender.
#include "command.hpp"
#include "drain.hpp"
#include "signals.hpp"
#include "stream_options.hpp"
#include "units.hpp"

#include <CLI/App.hpp>

#include <cerrno>
#include <cstring>
#include <memory>
#include <sys/stat.h>

namespace partywall::cli {
namespace {

/// Each sender has a lane of its own, all of it backed: with the default sizes 2 MiB.
constexpr std::uint64_t senders_max_default = 8;

struct recv_options : drain_options {
    std::uint64_t depth = 0;       ///< 0: the default of the mode
    std::uint64_t payload_max = 0; ///< 0: the default of the mode
    std::uint64_t senders = senders_max_default;
};

int run_recv(recv_options const& o, common_options const& common) {
    if (o.senders > senders_max) {
        fail(exit_usage, "--senders {}: a receiver has at most {}", o.senders, senders_max);
    }
    if (o.wait_for > o.senders) {
        fail(exit_usage, "--wait-for {}: there are lanes for {} (--senders)", o.wait_for,
             o.senders);
    }
    struct stat directory {};
    if (!o.split.empty() &&
        (::stat(o.split.c_str(), &directory) != 0 || !S_ISDIR(directory.st_mode))) {
        fail(exit_failed, "--split: '{}' is no directory", o.split);
    }
    participant const me = join_as(o, common);
    receiver_options how;
    how.depth = o.depth != 0 ? o.depth : o.block ? block_depth_default : line_depth_default;
    how.payload_bytes_max = o.payload_max != 0 ? o.payload_max
                            : o.block          ? *o.block
                                               : line_bytes_default;
    how.senders_max = static_cast<std::uint32_t>(o.senders);
    how.samples_held_max = held_max;
    how.report_close = true;
    auto from = me.receiver<bytes>(o.topic, how);
    if (!from) {
        fail(from.error());
    }
    interruptible const guard(*from);
    int const code = drain<receiver<bytes>, senders_to>(o, common.quiet, *from).run();
    if (from->missed() != 0 && !common.quiet) {
        say(fmt::format("missed {} messages to '{}': their senders overwrote them", from->missed(),
                        o.topic));
    }
    return code;
}

} // namespace

command make_recv(CLI::App& parent, common_options const& common) {
    auto o = std::make_shared<recv_options>();
    o->name = "partywall recv";
    CLI::App& app =
        *parent.add_subcommand("recv", "Write what is sent to a name to standard output");
    add_stream_options(app, *o, "NAME", "Under which name to receive, such as log/web");
    add_flag_with_size(app, "--block", o->block, block_bytes_default,
                       "Messages as they are, without newlines; small ones are gathered up to "
                       "BYTES for one write (default " +
                           show_size(block_bytes_default) + ")");
    app.add_option("--split", o->split,
                   "A file for each sender in this directory, instead of standard output; its name "
                   "is TICKET.NUMBER of the sender")
        ->type_name("DIR");
    add_count(app, "--depth", o->depth,
              fmt::format("Messages that each sender may have under way, rounded up to a power of "
                          "two (default {}; with --block {})",
                          line_depth_default, block_depth_default));
    add_size(app, "--payload-max", o->payload_max,
             fmt::format("Longest message (default {}; with --block its BYTES)",
                         show_size(line_bytes_default)));
    add_count(app, "--senders", o->senders,
              fmt::format("Senders at a time, each with memory of its own (default {})",
                          senders_max_default));
    add_count(app, "--wait-for", o->wait_for, "Do not end before N senders have come (default: 1)");
    app.add_flag("--follow", o->follow,
                 "Do not end when every sender has closed or died: wait for the next");
    add_count(app, "--count", o->count, "End after N messages");
    add_duration(app, "--timeout", o->timeout,
                 "How long to wait for a sender, and then for each message; seconds, or with a "
                 "unit: 200ms, 1.5s, 2min (default: for ever)");
    app.footer("Ends with 0 once at least one sender was there and all have closed; with 1 if one "
               "died,\nafter its last message. A name has one receiver.\n\n"
               "  partywall recv log/web --follow >> web.log\n"
               "  partywall recv copy --block > COPY");
    return {&app, [o, &common] { return run_recv(*o, common); }};
}

} // namespace partywall::cli
