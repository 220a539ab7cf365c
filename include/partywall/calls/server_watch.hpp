// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/export.hpp>
#include <partywall/registry/entry_info.hpp>
#include <partywall/registry/registry_watch.hpp>
#include <partywall/wait/waitable.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace partywall::inline v0 {

/// One server of a name, as a watch of them sees it.
struct server_state {
    std::uint64_t server = 0; ///< its incarnation, as in reply::server(): a successor has another
    std::uint64_t ticket = 0; ///< the participant that has it
    health state = health::starting; ///< `closed`: it has gone, and is not mentioned again
};

/// Waits for changes among the servers of a name: who is there, in which health.
///
/// Use when     something follows a service: a supervisor, a balancer of your own, a page of states.
/// Not when     one wants to call it: clients follow their servers by themselves
///              (client::wait_for_server).
/// Callers      one thread at a time; interrupt() from any thread and from signal handlers.
/// Progress     next() waits at most until its deadline, and for nobody in particular.
/// Cost         as registry_watch, which it is made of: a snapshot of the domain for each change
///              there, of this name or of others.
/// Peer dies    its death is a change: noticed, proven, recovered, delivered as `closed`.
/// Errors       timed_out · interrupted · domain_gone · forked · system
///
/// Level-triggered: what is delivered is the state as it is now, all servers of the name in the
/// order of their incarnations, and those that have gone since the last time. What follows each
/// other quickly may be delivered as one: a server that was only there in between is never seen.
class PARTYWALL_API server_watch {
  public:
    server_watch(std::shared_ptr<detail::participant_core> participant, std::string_view name);

    /// The first call delivers at once, an empty list where nobody serves; every later one when
    /// something has changed since the list that was delivered last.
    [[nodiscard]] result<std::vector<server_state>, failure<registry_errc>>
    next(std::chrono::steady_clock::time_point deadline);
    [[nodiscard]] result<std::vector<server_state>, failure<registry_errc>>
    next(std::chrono::nanoseconds timeout);

    /// A descriptor for event loops; see registry_watch::fd(). Readable for nothing where something
    /// else in the domain has changed: next() with a time-out of 0 drains it.
    [[nodiscard]] result<int, failure<descriptor_errc>> fd() { return domain_.fd(); }
    /// Ends the call of next() that runs now, or else the following one. Async-signal-safe.
    void interrupt() noexcept { domain_.interrupt(); }
    std::string const& name() const noexcept { return name_; }

  private:
    friend struct detail::wait_access;
    detail::waitable* to_be_waited_for() noexcept { return detail::wait_access::of(domain_); }
    bool update(domain_snapshot const& all);

    registry_watch domain_;
    std::string name_;
    std::vector<server_state> servers_; ///< delivered last, or to be delivered
    bool delivered_ = false;
};

} // namespace partywall::inline v0
