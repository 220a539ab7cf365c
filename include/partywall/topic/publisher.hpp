// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/endpoint/writing_handle.hpp>
#include <partywall/topic/publisher_core.hpp>

#include <chrono>
#include <cstdint>
#include <utility>

namespace partywall::inline v0 {

/// Publishes messages of type T on a topic, to many subscribers in any processes: as many at a
/// time as `subscribers_max` says.
///
/// Use when   one process tells many; subscribers come and go; publishing must not get dearer
///            with their number.
/// Not when   every message is for one receiver, or an answer is expected.
/// T          trivially copyable without pointers; or `bytes` or `U[]` for variable length.
/// Callers    one thread at a time; the handle may move between threads. interrupt() from any
///            thread and from signal handlers.
/// Progress   wait-free under overflow::drop_oldest. Under `block` and `reject` a send may find no
///            room; then it waits at most its deadline, or not at all.
/// Cost       two stores around the copy and one load. `block` and `reject` only: a look at each
///            subscriber's cursor once per lap, and oftener the less room the slowest one leaves. No
///            system call while nobody sleeps. The number of subscribers does not matter. A loan of a
///            large message costs the same for any size; once per few of them there is a fence and a
///            load for each of pins_max.
/// Memory     fixed and backed at creation: depth x stride + 256 bytes per possible subscriber, and
///            where messages may be longer than inline_bytes_max (depth + pins_max + 1) of the
///            longest. memory() says what it came to.
/// Peer dies  a dead subscriber holds a blocked publisher up until its death is proven (about a
///            millisecond for a small process; the more memory the kernel must tear down the
///            longer), then it goes on. If the publisher dies, what was sent stays readable, and
///            a message it was writing is never seen.
/// Errors     full, timed_out, too_large, interrupted, closed, forked.
///
///     auto me     = partywall::join("pricer").value();
///     auto quotes = me.publisher<quote>("market/eurusd").value();
///     if (auto sent = quotes.send({.bid = 1.07, .ask = 1.08}); !sent) { use(sent.error()); }
template <class T>
class publisher : public writing_handle<T, detail::publisher_core> {
  public:
    using writing_handle<T, detail::publisher_core>::writing_handle;

    /// Live subscribers, reservations of lossless subscriptions included; a system call for each.
    std::uint32_t subscriber_count() noexcept {
        return this->core_ ? this->core_->subscriber_count() : 0;
    }
    /// Blocks until that many are there. Errors: timed_out, interrupted, closed, forked.
    [[nodiscard]] send_result wait_for_subscribers(std::uint32_t count,
                                                   std::chrono::nanoseconds timeout) noexcept {
        if (!this->core_) {
            return send_errc::closed;
        }
        auto const e = this->core_->wait_for_subscribers(count, detail::wait_ns(timeout));
        return e == detail::send_ok ? send_result() : send_result(e);
    }

    /// Position that the next message gets; the number sent is position() - start_position().
    std::uint64_t position() const noexcept {
        return this->core_ ? this->core_->ring.position() : 0;
    }
    std::uint64_t start_position() const noexcept {
        return this->core_ ? this->core_->start_position() : 0;
    }
    std::uint64_t depth() const noexcept {
        return this->core_ ? this->core_->ring.geometry().cell_count : 0;
    }
    std::uint64_t payload_bytes_max() const noexcept {
        return this->core_ ? this->core_->ring.geometry().message_bytes_max() : 0;
    }
    /// Tells this publisher from every other, dead ones included: sample::publisher().
    std::uint64_t incarnation() const noexcept {
        return this->core_ ? this->core_->incarnation() : 0;
    }
    /// Shows everybody who looks the topic up that this publisher is going to leave (entry_info
    /// ::state is health::draining), or that it stays after all. Delivery does not change. Errors:
    /// not_found (closed), forked, domain_gone.
    [[nodiscard]] result<void, failure<registry_errc>> set_draining(bool draining) {
        return this->core_
                   ? this->core_->set_draining(draining)
                   : failure<registry_errc>{registry_errc::not_found, 0, "the publisher is closed"};
    }
    /// Replaces what the registry shows of this publisher. Errors: bad_metadata (a key is empty,
    /// too long or there twice, or all of it is too long), not_found (closed), forked, domain_gone.
    [[nodiscard]] result<void, failure<registry_errc>> set_metadata(metadata const& meta) {
        return this->core_
                   ? this->core_->set_metadata(meta)
                   : failure<registry_errc>{registry_errc::not_found, 0, "the publisher is closed"};
    }
};

} // namespace partywall::inline v0
