// SPDX-License-Identifier: BSL-1.0
// partywall send: standard input or a file, line by line or block by block, to a receiver.
#include "command.hpp"
#include "file_io.hpp"
#include "pump.hpp"
#include "signals.hpp"
#include "stream_options.hpp"
#include "units.hpp"

#include <CLI/App.hpp>

#include <chrono>
#include <memory>
#include <utility>

namespace partywall::cli {
namespace {

struct send_options : stream_options {
    std::string file = "-";
    partywall::overflow policy = overflow::block;
};

/// A sender that has a lane, if there is a receiver. Others may have all of its lanes: then the next
/// one that becomes free is ours.
sender<bytes> make_sender(send_options const& o, participant const& me) {
    sender_options how;
    how.overflow = o.policy;
    how.block_for = o.patience();
    auto const begun = std::chrono::steady_clock::now();
    registry_watch watch = me.watch();
    interruptible const guard(watch);
    for (;;) {
        auto to = me.sender<bytes>(o.topic, how);
        if (to) {
            return *std::move(to);
        }
        auto const left =
            o.timeout ? *o.timeout - (std::chrono::steady_clock::now() - begun) : o.patience();
        if (to.error().code != endpoint_errc::no_lane || left <= std::chrono::nanoseconds(0)) {
            fail(to.error());
        }
        check_stopped();
        // The first one comes at once: for whatever has changed before the watch.
        if (auto const change = watch.next(left);
            !change && change.error().code != registry_errc::timed_out) {
            check_stopped();
            fail(to.error());
        }
    }
}

void wait_for_receiver(send_options const& o, sender<bytes>& to) {
    auto const there = to.wait_for_receiver(o.patience());
    if (there) {
        return;
    }
    check_stopped();
    switch (there.error()) {
    case send_errc::timed_out:
        if (to.refusal_code() == endpoint_errc::no_lane) {
            throw command_error{exit_code_of(to.refusal_code()), to.refusal()};
        }
        fail(exit_not_found, "nobody receives as '{}'{}", o.topic, within(o));
    case send_errc::refused: throw command_error{exit_code_of(to.refusal_code()), to.refusal()};
    default:
        fail(exit_failed, "cannot wait for the receiver of '{}': {}", o.topic,
             to_string(there.error()));
    }
}

int run_send(send_options const& o, common_options const& common) {
    input from(o.file); // before anybody sees us
    participant const me = join_as(o, common);
    auto to = make_sender(o, me);
    interruptible const guard(to);
    wait_for_receiver(o, to);
    pump(o, to, from, "the receiver of '" + o.topic + "'").run();
    return exit_ok;
}

} // namespace

command make_send(CLI::App& parent, common_options const& common) {
    auto o = std::make_shared<send_options>();
    o->name = "partywall send";
    CLI::App& app = *parent.add_subcommand("send", "Send lines or blocks of a file to a receiver");
    add_stream_options(app, *o, "NAME", "Whom to send to, such as log/web");
    app.add_option("--file", o->file, "What to send; standard input without, or with '-'")
        ->type_name("PATH");
    add_flag_with_size(app, "--block", o->block, block_bytes_default,
                       "Raw blocks of at most BYTES (default " + show_size(block_bytes_default) +
                           ", and never more than the receiver takes) instead of lines: each read "
                           "is a message");
    add_policy(app, o->policy,
               "What happens when the receiver does not keep up: block (wait; the default), "
               "drop_oldest, or reject (it is not sent; the command goes on, and ends with 1)");
    add_count(app, "--count", o->count, "End after N messages");
    add_duration(app, "--timeout", o->timeout,
                 "How long to wait for the receiver, for a lane if others have them all, and for "
                 "room (--policy block); seconds, or "
                 "with a unit: 200ms, 1.5s, 2min (default: for ever)");
    app.footer("Waits for the receiver, and ends when the input ends: what was sent can still be\n"
               "received. Ends with 1 if the receiver dies or closes before.\n\n"
               "  partywall send log/web --file /var/log/syslog\n"
               "  partywall send copy --block --file BIG");
    return {&app, [o, &common] { return run_send(*o, common); }};
}

} // namespace partywall::cli
