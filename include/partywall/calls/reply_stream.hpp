// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/calls/client_core.hpp>
#include <partywall/calls/reply.hpp>

#include <chrono>
#include <cstdint>
#include <utility>

namespace partywall::inline v0 {

/// The replies to one request that is answered in several, and how they end.
///
/// Use when   the server streams (stream_writer). One that answers at once is a stream of one reply.
/// Not when   one reply will do: call().
/// Order      as the server sent them, none missing: a stream that loses its server, or is too late,
///            still gives what came before.
/// Window     at most call_options::window replies are sent and not read: who reads slowly slows its
///            server down for this stream, and for nothing else. A reply counts as read when the next
///            one is asked for; while other replies are held in place for long the stream may stop.
/// Deadline   of the whole stream, as of a call.
/// Callers    the thread that uses the client: this is a part of it. It may outlive the client's
///            handle; then the stream has ended with `closed`.
/// Progress   nothing runs by itself: next(), and every call of the client, deal with replies. For
///            event loops: client::fd(), client::poll(), and next() while ready().
/// Cost       next(): a reply that is waited for is read in place, without heap; one that came while
///            somebody waited for another is a copy. Heap for the window, once per stream.
/// Breaker    one outcome per stream, at its end; its length is not a slow call.
/// Destroyed  before its end: nobody reads on, and the server is told so.
/// Errors     those of calls, and end_of_stream, which is no failure.
///
///     auto in = quotes.stream(everything);
///     while (auto quote = in.next()) { show(**quote); }
///     if (in.error() != call_errc::end_of_stream) { handle(in.error()); }
template <class Res>
class reply_stream {
  public:
    /// Not for users.
    reply_stream(detail::client_core* core, std::uint32_t slot) noexcept
        : core_(core), slot_(slot) {}
    explicit reply_stream(call_error const& error) noexcept : error_(error) {}
    reply_stream(reply_stream&& other) noexcept
        : core_(std::exchange(other.core_, nullptr)), slot_(other.slot_), error_(other.error_) {}
    reply_stream& operator=(reply_stream&& other) noexcept {
        if (this != &other) {
            let_go();
            core_ = std::exchange(other.core_, nullptr);
            slot_ = other.slot_;
            error_ = other.error_;
        }
        return *this;
    }
    ~reply_stream() { let_go(); }

    /// The next reply, waiting at most until the stream's deadline. `end_of_stream`: there are no
    /// more. Any other error ended it as well; but not `interrupted`, which leaves it as it was.
    [[nodiscard]] call_outcome<Res> next() noexcept { return next_until(~std::uint64_t{0}); }
    /// The same, waiting at most so long. `deadline`, and has_ended() says no: nothing came yet.
    [[nodiscard]] call_outcome<Res> next(std::chrono::nanoseconds timeout) noexcept {
        return next_until(os::deadline_after(os::monotonic_ns(), detail::wait_ns(timeout)));
    }
    /// Whether next() says something at once, as far as the client has looked (client::poll()).
    bool ready() const noexcept { return core_ == nullptr || core_->has_next(slot_); }
    /// Nobody reads on: what came before can still be read, and then `cancelled`.
    void cancel() noexcept {
        if (core_ != nullptr) {
            core_->cancel(slot_);
        }
    }
    /// Whether next() has said how it ended.
    bool has_ended() const noexcept { return core_ == nullptr; }
    /// The last error that next() has said.
    call_error const& error() const noexcept { return error_; }

  private:
    call_outcome<Res> next_until(std::uint64_t until_ns) noexcept {
        if (core_ == nullptr) {
            return error_;
        }
        bool over = false;
        detail::call_result r = core_->next_of(slot_, until_ns, over);
        if (r.reason != detail::call_ok) {
            error_ = r.error();
        }
        if (over) {
            core_ = nullptr;
            if (r.reason == detail::call_ok) { // a server that answers at once
                error_ = call_error(call_errc::end_of_stream, executed::maybe);
            }
        }
        return detail::outcome_of<Res>(std::move(r));
    }
    void let_go() noexcept {
        if (core_ != nullptr) {
            std::exchange(core_, nullptr)->abandon(slot_);
        }
    }

    detail::client_core* core_ = nullptr; ///< nullptr: it has ended, as error_ says
    std::uint32_t slot_ = 0;
    call_error error_;
};

} // namespace partywall::inline v0
