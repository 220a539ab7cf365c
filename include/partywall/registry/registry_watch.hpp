// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/export.hpp>
#include <partywall/registry/descriptor_errc.hpp>
#include <partywall/registry/domain_snapshot.hpp>
#include <partywall/registry/registry_errc.hpp>
#include <partywall/result.hpp>

#include <chrono>
#include <memory>

namespace partywall::inline v0 {

namespace detail {
class participant_core;
class waitable;
struct wait_access;
} // namespace detail

/// Waits for changes of a domain: who is there, which endpoints, in which health.
///
/// Use when     something follows the domain: a monitor, a balancer, a supervisor.
/// Not when     one peer is waited for: endpoints do that themselves.
/// Callers      one thread at a time; interrupt() from any thread and from signal handlers.
/// Progress     next() waits at most until its deadline, and for nobody in particular.
/// Cost         a full snapshot per change; sleeping costs a look at the registry every 100 ms.
/// Peer dies    its death is a change: noticed, proven, recovered, delivered.
/// Errors       timed_out · interrupted · domain_gone · forked · system
///
/// Level-triggered: what is delivered is the state as it is now, with its sequence number, never
/// a list of what happened. Changes that follow each other quickly may be delivered as one.
class PARTYWALL_API registry_watch {
  public:
    explicit registry_watch(std::shared_ptr<detail::participant_core> participant);
    registry_watch(registry_watch&&) noexcept;
    registry_watch& operator=(registry_watch&&) noexcept;
    ~registry_watch();

    /// The first call delivers at once; every later one when something has changed since the
    /// snapshot that was delivered last.
    result<domain_snapshot, failure<registry_errc>>
    next(std::chrono::steady_clock::time_point deadline);
    result<domain_snapshot, failure<registry_errc>> next(std::chrono::nanoseconds timeout);

    /// A descriptor for epoll, poll, Asio or libuv: readable (level-triggered) when next() may have
    /// something to deliver, from the start on. Drained by the call of next() that finds nothing,
    /// be it with a time-out of 0. The death of any participant matters to it. For the rest see
    /// subscriber::fd().
    result<int, failure<descriptor_errc>> fd();

    /// Ends the call of next() that runs now, or else the following one. Async-signal-safe.
    void interrupt() noexcept;

  private:
    friend struct detail::wait_access;
    detail::waitable* to_be_waited_for() noexcept;
    struct state;
    std::unique_ptr<state> state_;
};

} // namespace partywall::inline v0
