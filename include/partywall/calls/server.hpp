// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/calls/handler.hpp>
#include <partywall/calls/server_core.hpp>
#include <partywall/endpoint/writing_end.hpp>
#include <partywall/registry/wait_descriptor.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace partywall::inline v0 {

/// Answers the calls of any number of clients.
///
/// Use when   others need an answer to what they ask.
/// Handler    what it can be called with says how it answers; Req const& is a std::span of elements
///            for variable length:
///              Res  f(Req const&[, call_context&])      by value; result<Res, call_failure> to fail
///              void f(Req const&, response<Res>&, call_context&)    in place, in the client's memory
///              void f(Req const&, deferred<Res>, call_context&)     later, from any thread
///              void f(Req const&, stream_writer<Res>, call_context&)  in several replies, as deferred
///            Runs inside run() and poll(), one request at a time. What it throws fails the call
///            (server_fault::threw). It may make calls, and close its own server; a run() or poll()
///            of its own server does nothing.
/// Delivery   a request is executed at most once. One whose deadline has passed, or whose client has
///            given up, is left out, and counted.
/// Order      of each client, as sent; clients take turns, request by request.
/// Servers    several may serve one name, in one process or in many: clients spread their calls.
/// Callers    one thread at a time; the handle may move between threads. stop() and interrupt()
///            from any thread and from signal handlers.
/// Progress   never waits for a client. run(): until stop().
/// Cost       per request, when there is one: no heap, no system call, no locked instruction; one
///            load per idle client, up to 64 of them, and a few for all when there are more.
/// Memory     clients_max lanes of depth requests, backed at creation. Replies lie in the clients'.
/// Peer dies  what a dead client had sent is still executed, unless its deadline has passed; its
///            replies go nowhere. Its lane is free for another one when the death is proven.
/// Errors     of making one: see endpoint_errc.
///
///     auto me  = partywall::join("calculator").value();
///     auto add = me.server<operands, double>("calc/add", [](operands const& o) { return o.a + o.b; }).value();
///     add.run();
template <class Req, class Res>
class server {
    using core_handle = detail::server_core::handle;

  public:
    explicit server(core_handle core) noexcept : core_(std::move(core)) {}
    server(server&&) noexcept = default;
    server& operator=(server&&) noexcept = default;
    ~server() = default; // closes; never blocks

    /// Deals with the requests that are there, up to `most`. Returns how many.
    std::size_t poll(std::size_t most = ~std::size_t{0}) noexcept {
        return core_ ? core_->poll(most) : 0;
    }
    /// Deals with requests until stop(). Returns why it ended: interrupted; closed, forked.
    wait_errc run() noexcept {
        return core_ ? core_->run_until(~std::uint64_t{0}) : wait_errc::closed;
    }
    /// The same until the time: timed_out.
    wait_errc run_until(std::chrono::steady_clock::time_point deadline) noexcept {
        auto const since =
            std::chrono::duration_cast<std::chrono::nanoseconds>(deadline.time_since_epoch());
        return core_ ? core_->run_until(detail::wait_ns(since)) : wait_errc::closed;
    }
    wait_errc run_for(std::chrono::nanoseconds time) noexcept {
        return core_
                   ? core_->run_until(os::deadline_after(os::monotonic_ns(), detail::wait_ns(time)))
                   : wait_errc::closed;
    }
    /// Ends the run() that runs, or else the next one. Any thread, any signal handler.
    void stop() noexcept {
        if (core_) {
            core_->interrupt();
        }
    }
    /// As every handle has it: stop().
    void interrupt() noexcept { stop(); }

    /// In service from now on: after server_options::starts_ready = false, or drain(). Errors: as
    /// publisher::set_metadata().
    result<void, failure<registry_errc>> ready() noexcept { return say(health::ready); }
    /// Takes nothing new: clients go elsewhere, and what they have sent is refused as not executed.
    result<void, failure<registry_errc>> drain() noexcept { return say(health::draining); }
    /// Drains, waits until every deferred answer was given, or the deadline, and closes. True: every
    /// request that was begun has got its answer.
    bool shutdown(std::chrono::nanoseconds timeout) noexcept {
        if (!core_) {
            return true;
        }
        bool const all =
            core_->drain(os::deadline_after(os::monotonic_ns(), detail::wait_ns(timeout)));
        core_.reset();
        return all;
    }
    health state() const noexcept { return core_ ? core_->state() : health::closed; }

    /// Requests that were executed, and what became of the others: too late; given up by their
    /// clients; refused while draining or beyond deferred_max. Of all: answered with an error;
    /// answers that found nobody.
    std::uint64_t executed() const noexcept { return core_ ? core_->executed() : 0; }
    std::uint64_t expired() const noexcept { return core_ ? core_->expired() : 0; }
    std::uint64_t cancelled() const noexcept { return core_ ? core_->cancelled() : 0; }
    std::uint64_t refused() const noexcept { return core_ ? core_->refused() : 0; }
    std::uint64_t failed() const noexcept { return core_ ? core_->failed() : 0; }
    std::uint64_t lost() const noexcept { return core_ ? core_->lost() : 0; }
    /// Answers that are still owed.
    std::uint32_t deferred() const noexcept { return core_ ? core_->deferred() : 0; }
    /// Clients that are attached now, and that ever were.
    std::uint32_t client_count() const noexcept { return core_ ? core_->source_count() : 0; }
    std::uint64_t clients_seen() const noexcept { return core_ ? core_->sources_seen() : 0; }
    /// Tells this server from every other, dead ones included: reply::server().
    std::uint64_t incarnation() const noexcept { return core_ ? core_->incarnation() : 0; }
    memory_report memory() const noexcept { return core_ ? core_->memory() : memory_report(); }
    /// Replaces what the registry shows of this server. Errors: as publisher::set_metadata().
    [[nodiscard]] result<void, failure<registry_errc>> set_metadata(metadata const& meta) {
        return core_ ? core_->set_metadata(meta)
                     : failure<registry_errc>{registry_errc::not_found, 0, "the server is closed"};
    }

    /// A descriptor for event loops: readable when poll() may have something to do. As
    /// reading_handle::fd(); drained by the poll() that finds nothing.
    [[nodiscard]] result<int, failure<descriptor_errc>> fd() noexcept {
        if (!core_) {
            return detail::no_descriptor_of_closed();
        }
        return core_->descriptor();
    }
    /// Also done by the destructor. Requests that were not begun are not executed, and their
    /// clients are told so.
    void close() noexcept { core_.reset(); }

  private:
    friend struct detail::wait_access;
    detail::waitable* to_be_waited_for() noexcept { return core_.get(); }
    result<void, failure<registry_errc>> say(health value) noexcept {
        return core_ ? core_->say_health(value)
                     : failure<registry_errc>{registry_errc::not_found, 0, "the server is closed"};
    }

    core_handle core_;
};

} // namespace partywall::inline v0
