// SPDX-License-Identifier: BSL-1.0
// partywall pub: standard input or a file, line by line or block by block, to a topic.
#include "command.hpp"
#include "file_io.hpp"
#include "signals.hpp"
#include "stream_options.hpp"
#include "units.hpp"

#include <CLI/App.hpp>

#include <map>
#include <memory>
#include <vector>

namespace partywall::cli {
namespace {

std::map<std::string, overflow, std::less<>> const policies = {
    {"drop_oldest", overflow::drop_oldest},
    {"block", overflow::block},
    {"reject", overflow::reject}};

struct pub_options : stream_options {
    std::string file = "-";
    partywall::overflow policy = overflow::drop_oldest;
    std::uint64_t depth = 0;       ///< 0: the default of the mode
    std::uint64_t payload_max = 0; ///< 0: the default of the mode
};

class pump {
  public:
    pump(pub_options const& options, partywall::publisher<bytes>& to, input& from) noexcept
        : options_(options), to_(to), from_(from) {}

    void lines() {
        line_reader reader(from_, to_.payload_bytes_max());
        while (more()) {
            auto const line = reader.next();
            if (!line) {
                return;
            }
            auto const sent = to_.send(*line);
            account(sent ? send_errc{} : sent.error());
        }
    }

    void blocks() {
        std::size_t const most = static_cast<std::size_t>(*options_.block);
        std::vector<std::byte> unsent;
        while (more()) {
            // A loan takes the oldest message away from readers of the past: not before there is
            // something to put in its place.
            from_.wait();
            auto loan = to_.loan();
            if (!loan) {
                if (loan.error() == send_errc::full) {
                    unsent.resize(most); // rejected is what the loan was for
                    if (from_.read(unsent.data(), most) == 0) {
                        return;
                    }
                }
                account(loan.error());
                continue;
            }
            std::size_t const got = from_.read((**loan).data(), most);
            if (got == 0) {
                return;
            }
            loan->resize(got);
            auto const sent = loan->send();
            account(sent ? send_errc{} : sent.error());
        }
    }

    std::uint64_t rejected() const noexcept { return rejected_; }
    std::uint64_t messages() const noexcept { return messages_; }

  private:
    bool more() const {
        check_stopped();
        return options_.count == 0 || messages_ < options_.count;
    }

    void account(send_errc e) {
        messages_ += 1;
        if (e == send_errc{}) {
            return;
        }
        switch (e) {
        case send_errc::full: rejected_ += 1; return;
        case send_errc::timed_out:
            fail(exit_failed,
                 "message {} found no room{}: a lossless subscriber of '{}' does not keep up",
                 messages_, within(options_), options_.topic);
        case send_errc::interrupted: check_stopped(); break;
        case send_errc::too_large:
        case send_errc::closed:
        case send_errc::forked:
        case send_errc::peer_died: // these three are senders'
        case send_errc::no_receiver:
        case send_errc::refused: break;
        }
        fail(exit_failed, "message {} cannot be sent: {}", messages_, to_string(e));
    }

    pub_options const& options_;
    partywall::publisher<bytes>& to_;
    input& from_;
    std::uint64_t messages_ = 0; ///< sent or rejected
    std::uint64_t rejected_ = 0;
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
    pump work(o, *to, from);
    o.block ? work.blocks() : work.lines();
    if (work.rejected() != 0) {
        fail(exit_failed,
             "{} of {} messages were rejected: a lossless subscriber of '{}' did not "
             "keep up",
             work.rejected(), work.messages(), o.topic);
    }
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
    auto const take_policy = [o](std::string const& text) {
        auto const known = policies.find(text);
        if (known == policies.end()) {
            throw CLI::ValidationError("--policy",
                                       "'" + text + "' is none of drop_oldest, block, reject");
        }
        o->policy = known->second;
    };
    app.add_option_function<std::string>(
           "--policy", take_policy,
           "What happens when a lossless subscriber still needs the oldest message: "
           "drop_oldest (lossless subscribers are refused; the default), block (wait), or "
           "reject (it is not sent; the command goes on, and ends with 1)")
        ->type_name("POLICY");
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
