// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/endpoint/payload.hpp>
#include <partywall/endpoint/writing_end.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <utility>

namespace partywall::inline v0 {

/// Memory of the next message, to be written in place. See publisher::loan() and sender::loan().
///
/// Use when  building the message where it will be read saves a copy.
/// Callers   the sending handle's thread; not after that handle was destroyed, and to write into it
///           not after another call that sends through that handle. A receiver's end takes no
///           memory away from under it.
/// Contents  whatever an earlier message left there: write every byte that is sent.
/// Peer dies if this process dies before send(), nothing of the message was ever visible.
template <class T>
class loan {
    using element = typename detail::payload<T>::element;
    static constexpr bool variable_length = detail::payload<T>::variable_length;

  public:
    loan(detail::writing_end& core, std::byte* memory) noexcept
        : core_(&core), memory_(memory), position_(core.ring.position()), ring_(core.rings_used),
          count_(variable_length ? core.ring.geometry().message_bytes_max() / sizeof(element) : 1) {
    }
    loan(loan&& other) noexcept
        : core_(std::exchange(other.core_, nullptr)), memory_(other.memory_),
          position_(other.position_), ring_(other.ring_), count_(other.count_) {}
    loan& operator=(loan&& other) noexcept {
        core_ = std::exchange(other.core_, nullptr);
        memory_ = other.memory_;
        position_ = other.position_;
        ring_ = other.ring_;
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
    [[nodiscard, gnu::always_inline]] result<void, send_errc> send() noexcept {
        if (core_ == nullptr) [[unlikely]] {
            return send_errc::closed;
        }
        if (position_ != core_->ring.position() || ring_ != core_->rings_used || !core_->usable())
            [[unlikely]] {
            return core_->refusal();
        }
        if constexpr (variable_length) {
            core_->commit(count_ * sizeof(element));
        } else {
            core_->template commit_fixed<element>(memory_);
        }
        core_->announce();
        core_ = nullptr;
        return {};
    }

  private:
    detail::writing_end* core_;
    std::byte* memory_;
    std::uint64_t position_;
    std::uint32_t ring_;
    std::uint64_t count_;
};

} // namespace partywall::inline v0
