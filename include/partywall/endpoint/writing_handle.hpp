// SPDX-License-Identifier: BSL-1.0
// What users see of every handle that sends: publisher<T> and sender<T> are this and a few members
// of their own.
#pragma once

#include <partywall/endpoint/loan.hpp>
#include <partywall/endpoint/writing_end.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace partywall::inline v0 {

/// What a send returns: nothing, or why nothing was sent.
using send_result = result<void, send_errc>;

/// See publisher and sender. `Core`: what it stands on.
template <class T, class Core>
class writing_handle {
    using element = typename detail::payload<T>::element;
    static constexpr bool variable_length = detail::payload<T>::variable_length;

  public:
    explicit writing_handle(std::unique_ptr<Core> core) noexcept : core_(std::move(core)) {}
    writing_handle(writing_handle&&) noexcept = default;
    writing_handle& operator=(writing_handle&&) noexcept = default;
    ~writing_handle() = default; // closes; never blocks

    /// Sends a copy. Waits at most `block_for` (overflow::block). Inlined always: a message that its
    /// caller has just put together then goes from registers to its cell.
    [[nodiscard, gnu::always_inline]] send_result send(element const& message) noexcept
        requires(!variable_length) {
        if (auto const e = admit(); e != detail::send_ok) [[unlikely]] {
            return e;
        }
        core_->put(message);
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
        core_->put(message);
        core_->announce();
        return {};
    }

    /// Sends a copy of a variable-length message.
    [[nodiscard]] send_result send(std::span<element const> message) noexcept
        requires(variable_length) {
        return send_span(message, admit(message.size_bytes()));
    }
    [[nodiscard]] send_result send(std::span<element const> message,
                                   std::chrono::nanoseconds timeout) noexcept
        requires(variable_length) {
        return send_span(message, admit_for(timeout, message.size_bytes()));
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
    /// it sends nothing and takes no position; but if the message would lie in the ring, it has, as
    /// anybody who is about to send, taken the oldest message from readers of the past.
    [[nodiscard, gnu::always_inline]] result<partywall::loan<T>, send_errc> loan() noexcept {
        if (auto const e = admit(); e != detail::send_ok) [[unlikely]] {
            return e;
        }
        core_->lends();
        if constexpr (variable_length) {
            return partywall::loan<T>(*core_, core_->begin());
        } else {
            return partywall::loan<T>(*core_, core_->template begin_fixed<element>());
        }
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
            core_->put(messages[sent]);
            sent += 1;
        } while (sent < messages.size() && core_->has_room());
        core_->announce();
        return sent;
    }

    /// How much shared memory this endpoint has mapped, and what its memory_options came to.
    memory_report memory() const noexcept { return core_ ? core_->memory() : memory_report(); }

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

  private:
    [[gnu::always_inline]] send_errc admit(std::uint64_t bytes = 0) noexcept {
        return core_ ? core_->admit(bytes) : send_errc::closed;
    }
    send_errc admit_for(std::chrono::nanoseconds timeout, std::uint64_t bytes = 0) noexcept {
        return core_ ? core_->admit_for(detail::wait_ns(timeout), bytes) : send_errc::closed;
    }
    [[gnu::always_inline]] send_result send_span(std::span<element const> message,
                                                 send_errc admitted) noexcept {
        if (admitted != detail::send_ok) [[unlikely]] {
            return admitted;
        }
        core_->put(reinterpret_cast<std::byte const*>(message.data()), message.size_bytes());
        core_->announce();
        return {};
    }

  protected:
    std::unique_ptr<Core> core_;
};

} // namespace partywall::inline v0
