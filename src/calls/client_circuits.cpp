// SPDX-License-Identifier: BSL-1.0
// A client's breakers: one for each server, or one for all clients of the name.
#include <partywall/calls/client_core.hpp>

#include "call_parts.hpp"

#include <partywall/breaker/breaker_rules.hpp>
#include <partywall/breaker/domain_breaker.hpp>
#include <partywall/os/clock.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace partywall::inline v0::detail {
namespace {

endpoint_errc as_endpoint_error(breaker_errc e) noexcept {
    switch (e) {
    case breaker_errc::mismatch: return endpoint_errc::option_mismatch;
    case breaker_errc::too_many_breakers: return endpoint_errc::too_many_entries;
    case breaker_errc::no_memory: return endpoint_errc::no_memory;
    case breaker_errc::no_space: return endpoint_errc::no_space;
    case breaker_errc::permission: return endpoint_errc::permission;
    case breaker_errc::incompatible: return endpoint_errc::incompatible;
    case breaker_errc::domain_gone: return endpoint_errc::domain_gone;
    case breaker_errc::forked: return endpoint_errc::forked;
    case breaker_errc::system: return endpoint_errc::system;
    default: return endpoint_errc::bad_option;
    }
}

/// What a result says of the server; nothing: that it is not there, or will not be, in good order.
std::optional<outcome> said_of_server(call_result const& r) noexcept {
    if (r.reason == call_ok) [[likely]] {
        return outcome::success;
    }
    if (r.reason == call_errc::no_server || r.reason == call_errc::draining) {
        return std::nullopt;
    }
    call_error e(r.reason, r.executed);
    e.fault = fault_of(r.status);
    return error_traits<call_error>::facts(e).what;
}

} // namespace

void callee_circuit::server_came(std::uint64_t incarnation, std::uint64_t now_ns) noexcept {
    servers_ += 1;
    if (shared_) {
        body_->core().callee_is_new(incarnation, now_ns);
        server_ = std::max(server_, incarnation); // what the others were told, too
        return;
    }
    bool const is_younger = incarnation > server_;
    bool const is_other = incarnation != server_;
    server_ = incarnation;
    if (is_younger) {
        lone_.callee_is_new(incarnation, now_ns);
    } else if (is_other && lone_.view(now_ns).state == breaker_state::open) {
        // Its participant joined before its predecessor's. Only this breaker is between us.
        (void)lone_.move_to(breaker_state::half_open, now_ns);
    }
}

/// A shared breaker is between us and all servers: while another one lives, they are not dead.
void callee_circuit::server_left(bool died, std::uint64_t now_ns) noexcept {
    servers_ -= 1;
    if (!died || servers_ != 0) {
        return;
    }
    shared_ ? body_->core().callee_died(server_, now_ns) : lone_.callee_died(0, now_ns);
}

/// Before there is any server. What is wrong with the rules is found here.
result<void, endpoint_failure> client_core::make_circuits(std::string const& doing) {
    if (!options_.with_breaker) {
        return {};
    }
    if (!options_.breaker) {
        options_.breaker = breaker_options::for_deadline(options_.deadline);
    }
    circuits_.reserve(options_.servers_max);
    breaker_options const& rules = *options_.breaker;
    auto const bad = [&doing](failure<breaker_errc> const& f) {
        return endpoint_failure{as_endpoint_error(f.code), f.os_error, doing + ": " + f.message};
    };
    if (rules.scope != breaker_scope::host) {
        auto const good = breaker_rules(rules);
        return good ? result<void, endpoint_failure>() : bad(good.error());
    }
    auto body = make_domain_breaker(participant_, name(), rules);
    if (!body) {
        return bad(body.error());
    }
    circuits_.push_back(std::make_unique<callee_circuit>(std::move(*body), true));
    return {};
}

/// For a server that was found; nullptr: without one. May throw.
callee_circuit* client_core::circuit_for(std::uint64_t server) {
    if (!options_.with_breaker) {
        return nullptr;
    }
    if (options_.breaker->scope == breaker_scope::host) {
        return circuits_.front().get();
    }
    callee_circuit* vacant = nullptr;
    for (auto const& each : circuits_) {
        if (each->is_vacant() && (vacant == nullptr || each->server() == server)) {
            vacant = each.get();
        }
    }
    if (vacant != nullptr) {
        return vacant;
    }
    auto body = make_domain_breaker(participant_, name(), *options_.breaker);
    if (!body) { // then one that nobody else sees
        body = make_breaker(*options_.breaker, nullptr, record_use::own,
                            {participant_->ticket(), {}, nullptr, participant_->mark()},
                            os::monotonic_ns());
    }
    if (!body) {
        return nullptr; // no memory: a call without one is better than none
    }
    circuits_.push_back(std::make_unique<callee_circuit>(std::move(*body), false));
    return circuits_.back().get();
}

/// The breaker of `l` refuses. True: that of another server does not.
bool client_core::pass_elsewhere(call_draft& draft, link*& l, std::uint64_t now_ns) noexcept {
    link* const refused = l;
    std::uint64_t retry_after_ns = draft.slip.retry_after_ns;
    std::size_t const count = links_.size();
    for (std::size_t i = 0; i < count && !draft.circuit->is_shared(); ++i) {
        std::size_t const at = (next_link_ + i) % count;
        link& other = links_[at];
        if (&other == refused || !usable(other)) {
            continue;
        }
        draft.circuit = other.circuit;
        if (draft.circuit != nullptr) {
            draft.slip = draft.circuit->admit([now_ns] { return now_ns; });
        }
        if (draft.circuit == nullptr || draft.slip.how != admission_slip::kind::rejected) {
            next_link_ = static_cast<std::uint32_t>(at + 1);
            l = &other;
            return true;
        }
        retry_after_ns = std::min(retry_after_ns, draft.slip.retry_after_ns);
    }
    draft.circuit = nullptr;
    draft.retry_after_ns = retry_after_ns;
    return false;
}

/// Once for each call: what comes later says nothing new.
void client_core::record(call_slot& s, call_result const& how) noexcept {
    callee_circuit* const circuit = std::exchange(s.circuit, nullptr);
    if (circuit == nullptr) {
        return;
    }
    std::optional<outcome> const what = said_of_server(how);
    if (!what) {
        circuit->release(s.slip);
        return;
    }
    if (!circuit->may_round(s.slip, *what)) {
        seen_ns_ = os::monotonic_ns();
    }
    circuit->complete(s.slip, *what, s.start_ns, [this] { return seen_ns_; });
}

std::vector<breaker_stats> client_core::breakers() const {
    std::vector<breaker_stats> all;
    std::uint64_t const now_ns = os::monotonic_ns();
    all.reserve(circuits_.size());
    for (auto const& each : circuits_) {
        all.push_back(each->stats(now_ns));
    }
    return all;
}

} // namespace partywall::inline v0::detail
