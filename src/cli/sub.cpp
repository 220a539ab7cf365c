// SPDX-License-Identifier: BSL-1.0
// partywall sub: the messages of a topic, as lines or as they are, to standard output.
#include "command.hpp"
#include "file_io.hpp"
#include "signals.hpp"
#include "stream_options.hpp"
#include "units.hpp"

#include <CLI/App.hpp>

#include <array>
#include <memory>

namespace partywall::cli {
namespace {

/// Messages that are held in place to be written together.
constexpr std::uint32_t gathered_max = 16;

struct sub_options : stream_options {
    std::uint64_t history = 0;
    bool lossless = false;
    bool any_type = false;
    bool follow = false;
};

class drain {
  public:
    drain(sub_options const& options, bool quiet, subscriber<bytes>& from)
        : options_(options), quiet_(quiet), from_(from) {}

    /// Until the end; returns the exit code.
    int run() {
        try {
            options_.block ? blocks() : lines();
        } catch (...) {
            flush_if_possible(); // what was taken was taken for good
            throw;
        }
        out_.close();
        return died_ ? exit_failed : exit_ok;
    }

  private:
    void lines() {
        while (wanted()) {
            sample<bytes> message = from_.try_receive();
            if (message.error() == receive_errc::empty) {
                out_.flush(); // nothing more for now: show what is there
                if (all_gone()) {
                    return;
                }
                message = from_.receive(options_.patience());
            }
            if (message) {
                out_.line(message.text());
                taken_ += 1;
            } else {
                hear(message.error());
            }
        }
    }

    void blocks() {
        std::array<sample<bytes>, gathered_max> held;
        std::array<iovec, gathered_max> parts{};
        while (wanted()) {
            std::size_t count = 0;
            std::uint64_t size = 0;
            sample<bytes> message = from_.try_receive();
            if (message.error() == receive_errc::empty) {
                if (all_gone()) {
                    return;
                }
                message = from_.receive(options_.patience());
            }
            while (message) {
                std::string_view const text = message.text();
                parts[count] = {const_cast<char*>(text.data()), text.size()};
                size += text.size();
                held[count] = std::move(message);
                count += 1;
                taken_ += 1;
                if (count == held.size() || size >= *options_.block || !wanted()) {
                    break;
                }
                message = from_.try_receive();
            }
            out_.write(std::span(parts.data(), count)); // from where the publisher put it
            for (std::size_t i = 0; i < count; ++i) {
                held[i].reset();
            }
            if (!message) {
                hear(message.error());
            }
        }
    }

    bool wanted() const {
        check_stopped();
        return options_.count == 0 || taken_ < options_.count;
    }

    /// Publishers that have to come before their end is ours.
    std::uint64_t awaited() const { return options_.wait_for != 0 ? options_.wait_for : 1; }
    /// Everybody who was to come has come and gone. Asked only when a look at the registry after
    /// the last one's end found nobody new.
    bool all_gone() const {
        return !options_.follow && from_.publishers_seen() >= awaited() &&
               from_.publisher_count() == 0;
    }

    void flush_if_possible() {
        try {
            out_.flush();
        } catch (...) { // the output was the problem, or blocks
        }
    }

    /// There was no message: says why, and ends the command if that is the end.
    void hear(receive_errc why) {
        switch (why) {
        case receive_errc::none:
        case receive_errc::empty:
        case receive_errc::publisher_closed: return;
        case receive_errc::interrupted: check_stopped(); return;
        case receive_errc::timed_out: timed_out();
        case receive_errc::peer_died:
            tell(fmt::format("a publisher of '{}' died; what it sent has been delivered",
                             options_.topic));
            died_ = died_ || !options_.follow;
            return;
        case receive_errc::refused:
            refuse(exit_code_of(from_.refusal_code()), from_.refusal());
            return;
        case receive_errc::corrupt:
            refuse(exit_unhealthy, fmt::format("a publisher of '{}' has a ring that holds what no "
                                               "correct publisher writes",
                                               options_.topic));
            return;
        case receive_errc::no_memory:
        case receive_errc::closed:
        case receive_errc::too_many_samples:
        case receive_errc::forked: break;
        }
        fail(exit_failed, "cannot receive from '{}': {}", options_.topic, to_string(why));
    }

    [[noreturn]] void timed_out() {
        std::uint64_t const seen = from_.publishers_seen();
        if (seen == 0) {
            fail(exit_not_found, "no publisher of '{}' came{}", options_.topic, within(options_));
        }
        if (seen < awaited()) {
            fail(exit_not_found, "{} of {} publishers of '{}' came, and nothing more{}", seen,
                 awaited(), options_.topic, within(options_));
        }
        fail(exit_failed, "no message on '{}'{}", options_.topic, within(options_));
    }

    /// Ends the command, unless it follows the topic: then the others go on.
    void refuse(int code, std::string what) {
        if (!options_.follow) {
            throw command_error{code, std::move(what)};
        }
        tell(what);
    }

    void tell(std::string const& what) {
        out_.flush(); // on a terminal, in the order in which it happened
        if (!quiet_ || !options_.follow) {
            say(what);
        }
    }

    sub_options const& options_;
    bool quiet_;
    subscriber<bytes>& from_;
    output out_;
    std::uint64_t taken_ = 0;
    bool died_ = false;
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
    how.samples_held_max = gathered_max;
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
    return drain(o, common.quiet, *from).run();
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
