// SPDX-License-Identifier: BSL-1.0
// partywall call: one request to a server, and its reply to standard output.
#include "command.hpp"
#include "file_io.hpp"
#include "question.hpp"
#include "signals.hpp"
#include "stream_options.hpp"
#include "units.hpp"

#include <CLI/App.hpp>

#include <algorithm>
#include <memory>

namespace partywall::cli {
namespace {

constexpr std::chrono::seconds deadline_default{5};
constexpr std::uint64_t reply_bytes_default = 64 * 1024;

struct call_arguments : stream_options, question_options {
    std::uint64_t reply_max = reply_bytes_default;
    bool as_is = false;
    bool wait = false;

    std::chrono::nanoseconds deadline() const { return timeout.value_or(deadline_default); }
};

using bytes_client = client<bytes, bytes>;

int exit_code_of(bytes_client const& to, call_errc reason) noexcept {
    switch (reason) {
    case call_errc::no_server: return exit_not_found;
    case call_errc::corrupt: return exit_unhealthy;
    case call_errc::refused: return cli::exit_code_of(to.refusal_code());
    default: return exit_failed;
    }
}

[[noreturn]] void fail_call(call_arguments const& o, bytes_client const& to, call_error const& e) {
    if (e == call_errc::interrupted) {
        check_stopped();
    }
    std::string text = fmt::format("call to '{}': {}", o.topic, to_string(e.reason));
    if (e.fault != server_fault::none) {
        text += fmt::format(" ({}, code {})", to_string(e.fault), e.code);
    }
    if (e == call_errc::refused) {
        text += ": " + to.refusal();
    } else if (e == call_errc::deadline) {
        text += ": no reply within " + show_duration(o.deadline());
    } else if (!e.text().empty()) {
        text += ": " + printable(e.text());
    }
    text += e.executed == executed::no ? "; executed: no" : "; executed: maybe";
    throw command_error{exit_code_of(to, e.reason), text};
}

void wait_for_server(call_arguments const& o, bytes_client& to) {
    if (!o.wait) {
        if (to.servers() == 0) {
            fail_call(o, to,
                      call_error(to.refusal().empty() ? call_errc::no_server : call_errc::refused,
                                 executed::no));
        }
        return;
    }
    auto const there = to.wait_for_server(o.deadline());
    if (there) {
        return;
    }
    check_stopped();
    if (there.error() == call_errc::deadline) {
        fail(exit_not_found, "nobody serves '{}' within {}; executed: no", o.topic,
             show_duration(o.deadline()));
    }
    fail_call(o, to, call_error(there.error(), executed::no));
}

int run_call(call_arguments const& o, common_options const& common) {
    question from(o); // before anybody sees us
    participant const me = join_as(o, common);
    client_options how;
    how.deadline = o.deadline();
    how.calls_max = 1;
    how.servers_max = 1;
    how.replies_held_max = 1;
    how.reply_bytes_max = o.reply_max;
    auto to = me.client<bytes, bytes>(o.topic, how);
    if (!to) {
        fail(to.error());
    }
    interruptible const guard(*to);
    wait_for_server(o, *to);
    std::uint64_t const most = to->request_bytes_max();
    std::vector<std::byte> const request = from.read(most);
    if (request.size() > most && o.has_text->count() == 0) { // of a text the server says so
        fail(exit_failed,
             "the request has more than {} bytes, which is what the server of '{}' takes; "
             "executed: no",
             most, o.topic);
    }
    auto const reply = to->call(request);
    if (!reply) {
        fail_call(o, *to, reply.error());
    }
    output out;
    if (o.as_is) {
        out.write(reply->text());
    } else {
        out.line(reply->text());
    }
    out.close();
    return exit_ok;
}

} // namespace

command make_call(CLI::App& parent, common_options const& common) {
    auto o = std::make_shared<call_arguments>();
    o->name = "partywall call";
    CLI::App& app = *parent.add_subcommand("call", "Ask a server, and write its reply to standard "
                                                   "output");
    add_stream_options(app, *o, "NAME", "Whom to call, such as calc/add");
    add_question(app, *o, "request");
    app.add_flag("--block", o->as_is, "The reply as it is, without a newline");
    app.add_flag("--wait", o->wait, "Wait for a server, if there is none");
    add_duration(app, "--timeout", o->timeout,
                 "How long to wait for the reply, and before that for a server (--wait); seconds, "
                 "or with a unit: 200ms, 1.5s, 2min (default " +
                     show_duration(deadline_default) + ")");
    add_size(app, "--reply-max", o->reply_max,
             "Longest reply (default " + show_size(reply_bytes_default) + ")");
    app.footer("If there is no reply, standard error says why, and whether the request was "
               "executed:\n'no' is certain, 'maybe' is not.\n\n"
               "  partywall call upper 'hello world'\n"
               "  partywall call sum --block --file BIG");
    return {&app, [o, &common] { return run_call(*o, common); }};
}

} // namespace partywall::cli
