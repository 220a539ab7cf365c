// SPDX-License-Identifier: BSL-1.0
#include "roles.hpp"

#include "large.hpp"
#include "logbook.hpp"
#include "text.hpp"

#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <unistd.h>

namespace demo {
namespace {

using namespace std::chrono_literals;
using partywall::bytes;
using partywall::delivery;
using partywall::overflow;
using partywall::receive_errc;

/// To the process that started us.
void tell(std::string line) {
    line += '\n';
    if (::write(STDOUT_FILENO, line.data(), line.size()) < 0) {
        throw std::runtime_error("nobody listens any more");
    }
}

void sleep_until(std::uint64_t ns) {
    std::this_thread::sleep_until(
        std::chrono::steady_clock::time_point(std::chrono::nanoseconds(ns)));
}

/// Sends one line and returns what to note about it.
record send(partywall::publisher<bytes>& lines, std::uint64_t number, std::string_view text) {
    record r;
    r.what = event::sent;
    r.publisher = lines.incarnation();
    r.position = lines.position();
    r.number = number;
    r.hash = hash_of(text);
    r.at_ns = now_ns();
    line_header const header{number, r.at_ns};
    auto line = lines.loan().value(); // written where it will be read
    line.resize(sizeof header + text.size());
    std::memcpy((*line).data(), &header, sizeof header);
    std::memcpy((*line).data() + sizeof header, text.data(), text.size());
    line.send().value();
    r.took_ns = now_ns() - r.at_ns;
    return r;
}

int publish(std::string const& domain, std::string const& log_path, std::string const& file,
            std::uint64_t hold_at) {
    text const source(file);
    auto const before = read_log(log_path);
    std::uint64_t const first = before.empty() ? 0 : before.back().number + 1;
    logbook log(log_path);

    auto me = partywall::join("publisher", {.domain = domain}).value();
    auto lines =
        me.publisher<bytes>(topic, {.overflow = overflow::block,
                                    .depth = depth,
                                    .payload_bytes_max = sizeof(line_header) + line_bytes_max,
                                    .block_for = 10s,
                                    .metadata = {{"file", file.substr(0, 200)}}})
            .value();
    tell("publishing " + std::to_string(first));
    std::uint64_t const start = now_ns();
    for (std::uint64_t n = first; n < lines_in_all; ++n) {
        sleep_until(start + (n - first) * interval_ns); // the pace of the story
        record const r = send(lines, n, source.line(n));
        if (hold_at != 0 && n == hold_at) {
            tell("holding");
            ::pause();
        }
        log.append(r);
        if (n + 1 == ledger_dies_at || n + 1 == publisher_dies_at) {
            tell("sent " + std::to_string(n + 1));
        }
    }
    lines.close();
    tell("done");
    return 0;
}

/// How fast a subscriber works, apart from partywall.
struct habits {
    std::chrono::microseconds per_line{0};
    std::uint64_t pause_every = 0;
    std::chrono::milliseconds pause{0};
};

int subscribe(std::string const& name, std::string const& domain, std::string const& log_path,
              partywall::subscriber_options options, habits const& habit,
              std::string const& old_log_path) {
    // A second life: what the first one has noted need not be taken again.
    auto const before = old_log_path.empty() ? std::vector<record>() : read_log(old_log_path);
    record const last = before.empty() ? record() : before.back();
    options.history = before.empty() ? 0 : depth;
    options.report_close = true;
    logbook log(log_path);

    auto me = partywall::join(name, {.domain = domain}).value();
    auto lines = me.subscriber<bytes>(topic, options).value();
    record r;
    r.what = event::subscribed;
    r.at_ns = now_ns();
    log.append(r);
    tell("ready");
    for (;;) {
        auto line = lines.receive(20s);
        r = record();
        r.publisher = line.publisher();
        r.missed = line.missed();
        r.at_ns = now_ns();
        if (line) {
            if (last.publisher == line.publisher() && line.position() <= last.position) {
                continue;
            }
            line_header header;
            std::memcpy(&header, line.text().data(), sizeof header);
            r.what = event::received;
            r.position = line.position();
            r.number = header.number;
            r.hash = hash_of(line.text().substr(sizeof header));
            r.took_ns = r.at_ns - header.sent_ns;
            log.append(r);
            line.reset();
            std::this_thread::sleep_for(habit.per_line);
            if (habit.pause_every != 0 && lines.received() % habit.pause_every == 0) {
                std::this_thread::sleep_for(habit.pause);
            }
        } else if (line.error() == receive_errc::peer_died) {
            r.what = event::publisher_died;
            log.append(r);
            tell("died " + std::to_string(r.at_ns));
        } else if (line.error() == receive_errc::publisher_closed) {
            r.what = event::publisher_closed;
            log.append(r);
            tell("closed");
            return 0;
        } else {
            throw std::runtime_error("receive: " + std::string(to_string(line.error())));
        }
    }
}

} // namespace

int run_role(std::vector<std::string> const& arguments) try {
    std::string const& role = arguments.at(0);
    std::string const& domain = arguments.at(1);
    std::string const& log = arguments.at(2);
    if (role == "publisher") {
        return publish(domain, log, arguments.at(3), std::stoull(arguments.at(4)));
    }
    if (role == "ledger") {
        return subscribe(role, domain, log, {.delivery = delivery::lossless}, {},
                         arguments.size() > 3 ? arguments[3] : "");
    }
    if (role == "screen") {
        return subscribe(role, domain, log, {.delivery = delivery::lossy},
                         {.pause_every = 5000, .pause = 600ms}, "");
    }
    if (role == "peek") {
        return subscribe(role, domain, log, {.delivery = delivery::looking}, {.per_line = 600us},
                         "");
    }
    if (role == "sender") {
        return send_large(domain, arguments.at(3));
    }
    if (role == "viewer") {
        return view_large(domain);
    }
    throw std::runtime_error("there is no such role");
} catch (std::exception const& e) {
    std::fprintf(stderr, "%s: %s\n", arguments.empty() ? "role" : arguments[0].c_str(), e.what());
    return 1;
}

} // namespace demo
