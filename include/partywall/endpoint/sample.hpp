// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/endpoint/payload.hpp>
#include <partywall/endpoint/reading_end.hpp>

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace partywall::inline v0 {

template <class T, class Core>
class reading_handle;

namespace detail {
/// A message of `bytes` bytes at `data`, as its receiver sees it.
template <class T>
decltype(auto) view(std::byte const* data, std::uint64_t bytes) noexcept {
    using element = typename payload<T>::element;
    auto const* const first = std::launder(reinterpret_cast<element const*>(data));
    if constexpr (payload<T>::variable_length) {
        return std::span<element const>(first, static_cast<std::size_t>(bytes / sizeof(element)));
    } else {
        static_cast<void>(bytes);
        return *first;
    }
}
} // namespace detail

/// A received message, or the reason why there is none.
///
/// Use when  reading a message where it lies. Of a lossless subscription it is the publisher's
///           memory itself, which the publisher may not touch until the sample is gone; of a lossy
///           one it is a copy in a buffer of the subscriber. A message that lies in a chunk is not
///           copied for either, and not touched by anybody until the sample is gone, as long as the
///           subscriber has a pin for it (pins_per_subscriber).
/// Not when  the message is needed for long: copy it. Held samples are bounded (samples_held_max),
///           and a lossless one that is not pinned holds the publisher back.
/// Callers   one thread at a time. May move to another thread and be destroyed there, and may
///           outlive its subscriber. What another thread than the subscriber's gives back is the
///           publisher's again when the subscriber is next called, or at once if it sleeps.
/// Peer dies the memory stays mapped and unchanged.
template <class T>
class sample {
    using element = typename detail::payload<T>::element;
    static constexpr bool variable_length = detail::payload<T>::variable_length;

  public:
    sample() noexcept = default;
    /// Not for users: takes over the hold that `taken` names.
    sample(detail::reading_end* core, detail::taken const& taken) noexcept
        : core_(taken.error == receive_errc::none ? core : nullptr), taken_(taken) {}
    sample(sample&& other) noexcept
        : core_(std::exchange(other.core_, nullptr)), taken_(other.taken_) {}
    sample& operator=(sample&& other) noexcept {
        if (this != &other) {
            reset();
            core_ = std::exchange(other.core_, nullptr);
            taken_ = other.taken_;
        }
        return *this;
    }
    ~sample() { reset(); }

    /// Whether there is a message.
    explicit operator bool() const noexcept { return core_ != nullptr; }
    /// Why there is none; `none` if there is one.
    receive_errc error() const noexcept { return taken_.error; }

    element const& operator*() const noexcept requires(!variable_length) {
        return detail::view<T>(taken_.data, taken_.bytes);
    }
    element const* operator->() const noexcept requires(!variable_length) { return &**this; }
    std::span<element const> operator*() const noexcept requires(variable_length) {
        return detail::view<T>(taken_.data, taken_.bytes);
    }
    std::string_view text() const noexcept requires(std::is_same_v<T, bytes>) {
        return {reinterpret_cast<char const*>(taken_.data), static_cast<std::size_t>(taken_.bytes)};
    }

    /// Messages of this publisher that were overwritten between the one before and this one.
    std::uint64_t missed() const noexcept { return taken_.missed; }
    /// Position in its publisher's ring; consecutive but for what was missed.
    std::uint64_t position() const noexcept { return taken_.position; }
    /// Incarnation of the publisher that sent it, died or closed.
    std::uint64_t publisher() const noexcept { return taken_.publisher; }
    /// The same, of a receiver's sample: which sender sent it, died or closed.
    std::uint64_t sender() const noexcept { return taken_.publisher; }

    /// Gives the message back early.
    void reset() noexcept {
        if (core_ != nullptr) {
            std::exchange(core_, nullptr)->release(taken_.hold);
            taken_.error = receive_errc::empty;
        }
    }

  private:
    template <class, class>
    friend class reading_handle;

    detail::reading_end* core_ = nullptr;
    detail::taken taken_;
};

} // namespace partywall::inline v0
