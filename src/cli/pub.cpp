// SPDX-License-Identifier: BSL-1.0
// partywall pub: standard input or a file, line by line or block by block, to a topic.
#include "command.hpp"
#include "file_io.hpp"
#include "pump.hpp"
#include "signals.hpp"
#include "stream_options.hpp"
#include "units.hpp"

#include <CLI/App.hpp>

#include <memory>
#include <vector>

namespace partywall::cli {
namespace {

struct pub_options : stream_options {
    std::string file = "-";
    partywall::overflow policy = overflow::drop_oldest;
    std::uint64_t depth = 0;       ///< 0: the default of the mode
    std::uint64_t payload_max = 0; ///< 0: the default of the mode
};

publisher_options ring_of(pub_options const& o) {
    publisher_options ring;
    ring.overflow = o.policy;
    ring.depth = o.depth != 0 ? o.depth : o.block ? block_depth_default : line_depth_default;
    ring.payload_bytes_max = o.payload_max != 0 ? o.payload_max
                             : o.block          ? *o.block
                                                : line_bytes_default;
    ring.block_for = o.patience();
    if (o.block && *o.block > ring.payload_bytes_max) {
        fail(exit_usage, "blocks of {} do not fit into messages of at most {} (--payload-max)",
             show_size(*o.block), show_size(ring.payload_bytes_max));
    }
    return ring;
}

void wait_for_subscribers(pub_options const& o, partywall::publisher<bytes>& to) {
    if (o.wait_for == 0) {
        return;
    }
    auto const there =
        to.wait_for_subscribers(static_cast<std::uint32_t>(o.wait_for), o.patience());
    if (there) {
        return;
    }
    check_stopped();
    if (there.error() != send_errc::timed_out) {
        fail(exit_failed, "cannot wait for subscribers of '{}': {}", o.topic,
             to_string(there.error()));
    }
    fail(exit_not_found, "{} of {} subscribers of '{}' came{}", to.subscriber_count(), o.wait_for,
         o.topic, within(o));
}

int run_pub(pub_options const& o, common_options const& common) {
    publisher_options const ring = ring_of(o);
    if (o.wait_for > ring.subscribers_max) {
        fail(exit_usage, "--wait-for {}: a publisher has at most {} subscribers", o.wait_for,
             ring.subscribers_max);
    }
    input from(o.file); // before anybody sees us
    participant const me = join_as(o, common);
    auto to = me.publisher<bytes>(o.topic, ring);
    if (!to) {
        fail(to.error());
    }
    interruptible const guard(*to);
    wait_for_subscribers(o, *to);
    pump(o, *to, from, "a lossless subscriber of '" + o.topic + "'").run();
    return exit_ok;
}

} // namespace

command make_pub(CLI::App& parent, common_options const& common) {
    auto o = std::make_shared<pub_options>();
    o->name = "partywall pub";
    CLI::App& app = *parent.add_subcommand("pub", "Publish lines or blocks of a file on a topic");
    add_stream_options(app, *o);
    app.add_option("--file", o->file, "What to publish; standard input without, or with '-'")
        ->type_name("PATH");
    add_flag_with_size(app, "--block", o->block, block_bytes_default,
                       "Raw blocks of at most BYTES (default " + show_size(block_bytes_default) +
                           ") instead of lines: each read is a message");
    add_policy(app, o->policy,
               "What happens when a lossless subscriber still needs the oldest message: "
               "drop_oldest (lossless subscribers are refused; the default), block (wait), or "
               "reject (it is not sent; the command goes on, and ends with 1)");
    add_count(app, "--depth", o->depth,
              fmt::format("Messages that the ring holds, rounded up to a power of two (default {}; "
                          "with --block {})",
                          line_depth_default, block_depth_default));
    add_size(app, "--payload-max", o->payload_max,
             fmt::format("Longest message; a longer line is an error (default {}; with --block "
                         "its BYTES)",
                         show_size(line_bytes_default)));
    add_count(app, "--wait-for", o->wait_for, "Begin when N subscribers are there");
    add_count(app, "--count", o->count, "End after N messages");
    add_duration(app, "--timeout", o->timeout,
                 "How long to wait for subscribers (--wait-for), and for room (--policy block); "
                 "seconds, or with a unit: 200ms, 1.5s, 2min (default: for ever)");
    app.footer("Ends when the input ends. Messages that were sent can still be read by who is\n"
               "subscribed.\n\n"
               "  partywall pub log/web --file /var/log/syslog\n"
               "  partywall pub copy --policy block --wait-for 1 --block --file BIG");
    return {&app, [o, &common] { return run_pub(*o, common); }};
}

} // namespace partywall::cli
