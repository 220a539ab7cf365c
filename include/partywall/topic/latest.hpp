// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/endpoint/reading_handle.hpp>
#include <partywall/topic/subscriber_core.hpp>

#include <chrono>
#include <cstdint>
#include <utility>

namespace partywall::inline v0 {

/// The newest value of a topic: the same ring that subscribers read, read at its end.
///
/// Use when   only the current state matters: a position, a configuration, a price.
/// Not when   every change matters (subscriber).
/// Delivery   what was published before this handle existed counts: a late joiner has the current
///            value at once. Values in between are skipped and not counted as missed. With several
///            publishers, the newest of each is delivered once, the last delivered one is kept.
/// Callers    one thread at a time. interrupt() from any thread.
/// Progress   get: wait-free but for a retry when a copy was overwritten meanwhile.
/// Cost       one load if nothing changed, then two copies; otherwise bisecting the ring's stamps
///            and two copies. Holds nothing back; takes one of the publisher's subscribers_max
///            places.
/// Memory     samples_held_max + 1 buffers of the longest message; mappings of the rings.
/// Errors     see receive_errc.
/// Peer dies  the last value stays available here; wait() reports `peer_died` once.
template <class T>
class latest {
    using copier = detail::copier<T>;

  public:
    explicit latest(detail::subscriber_core::handle core) noexcept : core_(std::move(core)) {}
    latest(latest&&) noexcept = default;
    latest& operator=(latest&&) noexcept = default;
    ~latest() = default;

    /// The newest value. Errors: empty (nothing was ever published), and those of receive_errc
    /// that concern the handle.
    [[nodiscard]] sample<T> get() noexcept {
        if (!core_) {
            return closed();
        }
        if (core_->has_descriptor()) [[unlikely]] {
            return get_and_arm();
        }
        detail::taken t = core_->template try_take_latest<copier>(false);
        while (is_event(t.error)) { // the value outlives its publisher; each has one end
            t = core_->template try_take_latest<copier>(false);
        }
        return {core_.get(), t};
    }
    /// A value that no earlier call returned, waiting for it at most `timeout`.
    [[nodiscard]] sample<T> wait(std::chrono::nanoseconds timeout) noexcept {
        if (!core_) {
            return closed();
        }
        return {core_.get(),
                core_->wait_for([this] { return core_->template try_take_latest<copier>(true); },
                                detail::wait_ns(timeout))};
    }

    void interrupt() noexcept {
        if (core_) {
            core_->interrupt();
        }
    }
    /// As subscriber::fd(). Drained by the call of get() or wait() that finds nothing new.
    [[nodiscard]] result<int, failure<descriptor_errc>> fd() noexcept {
        if (!core_) {
            return detail::no_descriptor_of_closed();
        }
        return core_->descriptor();
    }
    void close() noexcept { core_.reset(); }
    std::uint32_t publisher_count() const noexcept { return core_ ? core_->source_count() : 0; }

  private:
    friend struct detail::wait_access;
    detail::waitable* to_be_waited_for() noexcept { return core_.get(); }
    sample<T> get_and_arm() noexcept {
        auto const only_new = [this] {
            detail::taken t;
            do {
                t = core_->template try_take_latest<copier>(true);
            } while (is_event(t.error));
            return t;
        };
        detail::taken t = core_->try_for_descriptor(only_new);
        if (t.error == receive_errc::empty) {
            t = core_->again();
        }
        return {core_.get(), t};
    }
    /// What concerns a publisher and not this handle.
    static bool is_event(receive_errc e) noexcept {
        return e == receive_errc::peer_died || e == receive_errc::publisher_closed ||
               e == receive_errc::corrupt || e == receive_errc::refused;
    }
    static sample<T> closed() noexcept {
        detail::taken t;
        t.error = receive_errc::closed;
        return sample<T>(nullptr, t);
    }

    detail::subscriber_core::handle core_;
};

} // namespace partywall::inline v0
