// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/topic/loan.hpp>
#include <partywall/topic/publisher_core.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace partywall::inline v0 {

/// What a send returns: nothing, or why nothing was sent.
using send_result = result<void, send_errc>;

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
///            subscriber's cursor once per lap, and oftener the less room the slowest one leaves. No system call while nobody sleeps. The number
///            of subscribers does not matter.
/// Memory     fixed and backed at creation: depth x stride + 256 bytes per possible subscriber.
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
class publisher {
    using element = typename detail::payload<T>::element;
    static constexpr bool variable_length = detail::payload<T>::variable_length;

  public:
    explicit publisher(std::unique_ptr<detail::publisher_core> core) noexcept
        : core_(std::move(core)) {}
    publisher(publisher&&) noexcept = default;
    publisher& operator=(publisher&&) noexcept = default;
    ~publisher() = default; // closes; never blocks

    /// Sends a copy. Waits at most `block_for` (overflow::block).
    [[nodiscard]] send_result send(element const& message) noexcept requires(!variable_length) {
        if (auto const e = admit(); e != detail::send_ok) [[unlikely]] {
            return e;
        }
        core_->ring.put(message);
        core_->announce();
        return {};
    }
    /// Same with a deadline of its own.
    [[nodiscard]] send_result send(element const& message,
                                   std::chrono::nanoseconds timeout) noexcept
        requires(!variable_length) {
        if (auto const e = admit_for(timeout); e != detail::send_ok) [[unlikely]] {
            return e;
        }
        core_->ring.put(message);
        core_->announce();
        return {};
    }

    /// Sends a copy of a variable-length message.
    [[nodiscard]] send_result send(std::span<element const> message) noexcept
        requires(variable_length) {
        return too_large(message) ? send_result(send_errc::too_large) : send_span(message, admit());
    }
    [[nodiscard]] send_result send(std::span<element const> message,
                                   std::chrono::nanoseconds timeout) noexcept
        requires(variable_length) {
        return too_large(message) ? send_result(send_errc::too_large)
                                  : send_span(message, admit_for(timeout));
    }
    [[nodiscard]] send_result send(std::string_view text) noexcept
        requires(std::is_same_v<T, bytes>) {
        return send(std::as_bytes(std::span(text.data(), text.size())));
    }
    [[nodiscard]] send_result send(std::string_view text, std::chrono::nanoseconds timeout) noexcept
        requires(std::is_same_v<T, bytes>) {
        return send(std::as_bytes(std::span(text.data(), text.size())), timeout);
    }

    /// Memory of the next message, to be written in place and then sent with `loan.send()`. One
    /// loan at a time; a second one before the first was sent is the same memory again. Dropping
    /// it sends nothing and takes no position; but as any publisher that is about to send, it has
    /// taken the oldest message from readers of the past if the ring was full of them.
    [[nodiscard]] result<partywall::loan<T>, send_errc> loan() noexcept {
        if (auto const e = admit(); e != detail::send_ok) [[unlikely]] {
            return e;
        }
        return partywall::loan<T>(*core_, core_->ring.begin());
    }

    /// Sends as many as there is room for, waiting for the first one only, and wakes sleepers
    /// once. Returns how many were sent: all of them, or fewer under `block` and `reject`.
    [[nodiscard]] result<std::size_t, send_errc>
    send_batch(std::span<element const> messages) noexcept requires(!variable_length) {
        if (messages.empty()) {
            return core_ && core_->usable() ? result<std::size_t, send_errc>(0) : admit();
        }
        if (auto const e = admit(); e != detail::send_ok) [[unlikely]] {
            return e;
        }
        std::size_t sent = 0;
        do {
            core_->ring.put(messages[sent]);
            sent += 1;
        } while (sent < messages.size() && core_->has_room());
        core_->announce();
        return sent;
    }

    /// Live subscribers, reservations of lossless subscriptions included; a system call for each.
    std::uint32_t subscriber_count() noexcept { return core_ ? core_->subscriber_count() : 0; }
    /// Blocks until that many are there. Errors: timed_out, interrupted, closed, forked.
    [[nodiscard]] send_result wait_for_subscribers(std::uint32_t count,
                                                   std::chrono::nanoseconds timeout) noexcept {
        if (!core_) {
            return send_errc::closed;
        }
        auto const e = core_->wait_for_subscribers(count, detail::wait_ns(timeout));
        return e == detail::send_ok ? send_result() : send_result(e);
    }

    /// Ends the call that is blocked in this handle, or the next one that would block, with
    /// `interrupted`. Any thread, any signal handler.
    void interrupt() noexcept {
        if (core_) {
            core_->interrupt();
        }
    }
    /// Subscribers read what is there, and then see that the publisher closed. Also done by the
    /// destructor. Later calls return `closed`.
    void close() noexcept {
        if (core_) {
            core_->close();
        }
    }

    /// Position that the next message gets; the number sent is position() - start_position().
    std::uint64_t position() const noexcept { return core_ ? core_->ring.position() : 0; }
    std::uint64_t start_position() const noexcept { return core_ ? core_->start_position() : 0; }
    std::uint64_t depth() const noexcept { return core_ ? core_->ring.geometry().cell_count : 0; }
    std::uint64_t payload_bytes_max() const noexcept {
        return core_ ? core_->ring.geometry().payload_bytes_max : 0;
    }
    /// Tells this publisher from every other, dead ones included: sample::publisher().
    std::uint64_t incarnation() const noexcept { return core_ ? core_->incarnation() : 0; }
    /// Shows everybody who looks the topic up that this publisher is going to leave (entry_info
    /// ::state is health::draining), or that it stays after all. Delivery does not change. Errors:
    /// not_found (closed), forked, domain_gone.
    [[nodiscard]] result<void, failure<registry_errc>> set_draining(bool draining) {
        return core_
                   ? core_->set_draining(draining)
                   : failure<registry_errc>{registry_errc::not_found, 0, "the publisher is closed"};
    }
    /// Replaces what the registry shows of this publisher. Errors: bad_metadata (a key is empty,
    /// too long or there twice, or all of it is too long), not_found (closed), forked, domain_gone.
    [[nodiscard]] result<void, failure<registry_errc>> set_metadata(metadata const& meta) {
        return core_
                   ? core_->set_metadata(meta)
                   : failure<registry_errc>{registry_errc::not_found, 0, "the publisher is closed"};
    }

  private:
    [[gnu::always_inline]] send_errc admit() noexcept {
        return core_ ? core_->admit() : send_errc::closed;
    }
    send_errc admit_for(std::chrono::nanoseconds timeout) noexcept {
        return core_ ? core_->admit_for(detail::wait_ns(timeout)) : send_errc::closed;
    }
    /// Asked before there is room: waiting would not help.
    [[gnu::always_inline]] bool too_large(std::span<element const> message) const noexcept {
        return core_ && message.size_bytes() > core_->ring.geometry().payload_bytes_max;
    }
    [[gnu::always_inline]] send_result send_span(std::span<element const> message,
                                                 send_errc admitted) noexcept {
        if (admitted != detail::send_ok) [[unlikely]] {
            return admitted;
        }
        core_->ring.put(reinterpret_cast<std::byte const*>(message.data()),
                        static_cast<std::uint32_t>(message.size_bytes()));
        core_->announce();
        return {};
    }

    std::unique_ptr<detail::publisher_core> core_;
};

} // namespace partywall::inline v0
