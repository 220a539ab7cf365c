// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/topic/publisher_core.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <utility>

namespace partywall::inline v0 {

namespace detail {
/// A time-out as nanoseconds to wait; negative ones do not wait.
constexpr std::uint64_t wait_ns(std::chrono::nanoseconds timeout) noexcept {
    return timeout.count() > 0 ? static_cast<std::uint64_t>(timeout.count()) : 0;
}
} // namespace detail

/// Memory of the next message of a publisher, to be written in place. See publisher::loan().
///
/// Use when  building the message where it will be read saves a copy.
/// Callers   the publisher's thread; not after the publisher was destroyed.
/// Contents  whatever an earlier message left there: write every byte that is sent.
/// Peer dies if this process dies before send(), nothing of the message was ever visible.
template <class T>
class loan {
    using element = typename detail::payload<T>::element;
    static constexpr bool variable_length = detail::payload<T>::variable_length;

  public:
    loan(detail::publisher_core& core, std::byte* memory) noexcept
        : core_(&core), memory_(memory), position_(core.ring.position()),
          count_(variable_length ? core.ring.geometry().payload_bytes_max / sizeof(element) : 1) {}
    loan(loan&& other) noexcept
        : core_(std::exchange(other.core_, nullptr)), memory_(other.memory_),
          position_(other.position_), count_(other.count_) {}
    loan& operator=(loan&& other) noexcept {
        core_ = std::exchange(other.core_, nullptr);
        memory_ = other.memory_;
        position_ = other.position_;
        count_ = other.count_;
        return *this;
    }
    ~loan() = default; // abandoned: nothing was sent

    element& operator*() const noexcept requires(!variable_length) {
        return *std::launder(reinterpret_cast<element*>(memory_));
    }
    element* operator->() const noexcept requires(!variable_length) { return &**this; }
    /// The elements that will be sent: payload_bytes_max at first, then what resize() said.
    std::span<element> operator*() const noexcept requires(variable_length) {
        return {std::launder(reinterpret_cast<element*>(memory_)), count_};
    }
    /// Sends only the first `count` elements.
    void resize(std::size_t count) noexcept requires(variable_length) {
        count_ = std::min(count, count_);
    }

    /// Publishes the message. Errors: closed (sent before, moved from, another message was sent
    /// since the loan), forked.
    [[nodiscard]] result<void, send_errc> send() noexcept {
        if (core_ == nullptr) {
            return send_errc::closed;
        }
        if (position_ != core_->ring.position() || !core_->usable()) {
            return core_->refusal();
        }
        if constexpr (variable_length) {
            core_->ring.commit(static_cast<std::uint32_t>(count_ * sizeof(element)));
        } else {
            core_->ring.commit();
        }
        core_->announce();
        core_ = nullptr;
        return {};
    }

  private:
    detail::publisher_core* core_;
    std::byte* memory_;
    std::uint64_t position_;
    std::uint64_t count_;
};

} // namespace partywall::inline v0
