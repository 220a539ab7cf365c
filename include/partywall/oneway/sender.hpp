// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/endpoint/writing_handle.hpp>
#include <partywall/oneway/sender_core.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

namespace partywall::inline v0 {

/// Sends one-way messages of type T to the one receiver of a name.
///
/// Use when   many tell one: logs, orders, measurements, commands without an answer.
/// Not when   several are to hear it (publisher), or an answer is expected.
/// T          trivially copyable without pointers; or `bytes` or `U[]` for variable length.
/// Order      of one sender, as sent. Between senders there is none; the receiver takes turns.
/// Delivery   under `block` and `reject` what was sent can be taken once by the receiver that was
///            attached, also if this process dies. Under `drop_oldest` the receiver learns how many
///            it missed. What a receiver that dies had not taken is lost, and counted by lost():
///            its successor never gets it.
/// Callers    one thread at a time; the handle may move between threads. interrupt() from any
///            thread and from signal handlers.
/// Progress   wait-free under overflow::drop_oldest. Otherwise a send may find no room; then it
///            waits at most its deadline, or not at all.
/// Cost       two stores around the copy and four loads; once per lap a look at the receiver's
///            cursor. No system call while the receiver does not sleep.
/// Memory     no shared memory of its own: a lane of the receiver's, which is there from the
///            beginning.
/// Peer dies  the receiver's death ends a send that waits, and is reported once (`peer_died`); then
///            `no_receiver` until a successor is there, which is found without anybody's help.
/// Errors     full, timed_out, too_large, interrupted, closed, forked, peer_died, no_receiver,
///            refused.
///
///     auto me  = partywall::join("pricer").value();
///     auto log = me.sender<partywall::bytes>("log").value();
///     if (auto sent = log.send("started"); !sent) { use(sent.error()); }
template <class T>
class sender : public writing_handle<T, detail::sender_core> {
  public:
    using writing_handle<T, detail::sender_core>::writing_handle;

    /// Blocks until a receiver is attached. Errors: timed_out, interrupted, closed, forked, refused.
    [[nodiscard]] result<void, send_errc>
    wait_for_receiver(std::chrono::nanoseconds timeout) noexcept {
        if (!this->core_) {
            return send_errc::closed;
        }
        auto const e = this->core_->wait_for_receiver(detail::wait_ns(timeout));
        return e == detail::send_ok ? result<void, send_errc>() : e;
    }

    /// Messages sent in all, and those of them that receivers which ended are not known to have
    /// taken: they give back late, so that is the most that can be lost. What drop_oldest overwrote
    /// is not among them: who missed it was to say so.
    std::uint64_t sent() const noexcept { return this->core_ ? this->core_->sent() : 0; }
    std::uint64_t lost() const noexcept { return this->core_ ? this->core_->lost() : 0; }
    /// Longest message that the receiver that is attached takes; 0: there is none.
    std::uint64_t payload_bytes_max() const noexcept {
        return this->core_ ? this->core_->payload_bytes_max() : 0;
    }
    /// Tells this sender from every other, dead ones included: sample::sender().
    std::uint64_t incarnation() const noexcept {
        return this->core_ ? this->core_->incarnation() : 0;
    }
    /// Incarnation of the receiver that was attached last; 0: there was none yet.
    std::uint64_t receiver() const noexcept { return this->core_ ? this->core_->receiver() : 0; }
    /// After send_errc::refused: what is wrong with the receiver that is there.
    std::string const& refusal() const noexcept {
        static std::string const none;
        return this->core_ ? this->core_->refusal() : none;
    }
    endpoint_errc refusal_code() const noexcept {
        return this->core_ ? this->core_->refusal_code() : endpoint_errc{};
    }
};

} // namespace partywall::inline v0
