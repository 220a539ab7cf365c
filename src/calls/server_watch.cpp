// SPDX-License-Identifier: BSL-1.0
#include <partywall/calls/server_watch.hpp>

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

namespace partywall::inline v0 {

server_watch::server_watch(std::shared_ptr<detail::participant_core> participant,
                           std::string_view name)
    : domain_(std::move(participant)), name_(name) {}

/// True: the servers are not what they were.
bool server_watch::update(domain_snapshot const& all) {
    std::vector<server_state> now;
    for (entry_info const& e : all.entries) {
        bool const dead = std::any_of(
            all.participants.begin(), all.participants.end(),
            [&](participant_info const& p) { return p.ticket == e.owner_ticket && !p.alive; });
        if (e.kind == entry_kind::service && e.name == name_ && e.state != health::closed &&
            !dead) {
            now.push_back({e.incarnation, e.owner_ticket, e.state});
        }
    }
    for (server_state const& was : servers_) {
        bool const still = std::any_of(
            now.begin(), now.end(), [&](server_state const& s) { return s.server == was.server; });
        if (!still && was.state != health::closed) {
            now.push_back({was.server, was.ticket, health::closed});
        }
    }
    std::sort(now.begin(), now.end(),
              [](server_state const& a, server_state const& b) { return a.server < b.server; });
    // Those whose end was delivered are not mentioned again, and that is no change.
    std::erase_if(servers_, [](server_state const& s) { return s.state == health::closed; });
    bool const same = std::equal(now.begin(), now.end(), servers_.begin(), servers_.end(),
                                 [](server_state const& a, server_state const& b) {
                                     return a.server == b.server && a.state == b.state;
                                 });
    servers_ = std::move(now);
    return !same;
}

result<std::vector<server_state>, failure<registry_errc>>
server_watch::next(std::chrono::steady_clock::time_point deadline) {
    for (;;) {
        auto all = domain_.next(deadline);
        if (!all) {
            return all.error();
        }
        try {
            if (update(*all) || !delivered_) {
                delivered_ = true;
                return servers_;
            }
        } catch (...) {
            return failure<registry_errc>{registry_errc::system, ENOMEM, {}};
        }
    }
}

result<std::vector<server_state>, failure<registry_errc>>
server_watch::next(std::chrono::nanoseconds timeout) {
    auto const now = std::chrono::steady_clock::now();
    auto const most = std::chrono::steady_clock::time_point::max() - now;
    return next(timeout < most ? now + std::max(timeout, std::chrono::nanoseconds{0})
                               : std::chrono::steady_clock::time_point::max());
}

} // namespace partywall::inline v0
