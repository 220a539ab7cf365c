// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/topic/loan.hpp>
#include <partywall/topic/sample.hpp>
#include <partywall/topic/subscriber_core.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <span>
#include <string>
#include <utility>

namespace partywall::inline v0 {

namespace detail {
template <class T>
using copier = std::conditional_t<payload<T>::variable_length, copy_any_size,
                                  copy_fixed_size<sizeof(typename payload<T>::element)>>;
} // namespace detail

/// Receives the messages of every publisher of a topic, those that come later included.
///
/// Use when   a process wants what others publish, as others do.
/// Not when   only the newest value matters (latest).
/// Order      per publisher as sent; publishers take turns. Between publishers there is no order.
/// Delivery   lossy: may be overtaken, and learns by how much (sample::missed). lossless: every
///            message sent while subscribed, once, also of a publisher that dies, or that comes
///            and goes while this subscriber is busy.
/// Callers    one thread at a time; the handle may move between threads. interrupt() from any
///            thread and from signal handlers.
/// Progress   try_receive: wait-free but for a retry when a copy was overwritten meanwhile, and
///            for the registry: after a publisher came or went, the next call that finds nothing
///            attaches or lets go (system calls, memory, tens of microseconds).
///            receive: waits at most its timeout; nanoseconds::max() is for ever.
/// Cost       one load per publisher looked at, the copy (lossy) or nothing (lossless), and per
///            quarter of a ring one store of the cursor (lossless).
/// Memory     samples_held_max buffers of the longest message; mappings of the publishers' rings.
/// Peer dies  everything that a dead publisher sent is delivered first; then `peer_died` is
///            reported once, and receive goes on with the others and waits for a successor.
/// Errors     see receive_errc.
///
///     auto quotes = me.subscriber<quote>("market/eurusd").value();
///     while (auto q = quotes.receive(100ms)) { use(*q); }
template <class T>
class subscriber {
    using element = typename detail::payload<T>::element;
    using copier = detail::copier<T>;

  public:
    explicit subscriber(detail::subscriber_core::handle core) noexcept : core_(std::move(core)) {}
    subscriber(subscriber&&) noexcept = default;
    subscriber& operator=(subscriber&&) noexcept = default;
    ~subscriber() = default; // closes; never blocks

    /// The next message if there is one now.
    [[nodiscard]] sample<T> try_receive() noexcept {
        if (!core_) {
            return closed();
        }
        return {core_.get(), core_->template try_take<copier>()};
    }
    /// The next message, waiting for it at most `timeout`.
    [[nodiscard]] sample<T> receive(std::chrono::nanoseconds timeout) noexcept {
        if (!core_) {
            return closed();
        }
        return {core_.get(), core_->wait_for([this] { return core_->template try_take<copier>(); },
                                             detail::wait_ns(timeout))};
    }
    [[nodiscard]] sample<T> receive_until(std::chrono::steady_clock::time_point deadline) noexcept {
        auto const now = std::chrono::steady_clock::now();
        return receive(deadline > now ? deadline - now : std::chrono::nanoseconds(0));
    }

    /// Copies messages that are there now into `out`; returns how many. An end that it comes upon
    /// (peer_died, ...) is reported by the next call of receive() or try_receive() that finds no
    /// message; missed() counts what was lost in between.
    std::size_t receive_batch(std::span<element> out) noexcept
        requires(!detail::payload<T>::variable_length) {
        std::size_t count = 0;
        while (count < out.size()) {
            sample<T> const s = next_of_several();
            if (!s) {
                break;
            }
            out[count] = *s;
            count += 1;
        }
        return count;
    }

    /// Range-for over what is there now. The sample is valid until the loop's next round. An end
    /// that it comes upon is reported as by receive_batch().
    class iterator {
      public:
        using difference_type = std::ptrdiff_t;
        using value_type = sample<T>;

        explicit iterator(subscriber& from) noexcept : from_(&from) { ++*this; }
        sample<T>& operator*() noexcept { return current_; }
        iterator& operator++() noexcept {
            current_.reset();
            current_ = from_->next_of_several();
            return *this;
        }
        void operator++(int) noexcept { ++*this; }
        friend bool operator==(iterator const& i, std::default_sentinel_t) noexcept {
            return !i.current_;
        }

      private:
        subscriber* from_;
        sample<T> current_;
    };
    iterator begin() noexcept { return iterator(*this); }
    std::default_sentinel_t end() const noexcept { return {}; }

    /// Ends the call that is blocked in this handle, or the next one that would block, with
    /// `interrupted`. Any thread, any signal handler.
    void interrupt() noexcept {
        if (core_) {
            core_->interrupt();
        }
    }
    /// Also done by the destructor. Samples that are held stay valid.
    void close() noexcept { core_.reset(); }

    /// Publishers that are attached now: alive, or with messages still to be read.
    std::uint32_t publisher_count() const noexcept { return core_ ? core_->publisher_count() : 0; }
    /// Publishers that were ever attached.
    std::uint64_t publishers_seen() const noexcept { return core_ ? core_->publishers_seen() : 0; }
    /// Messages taken, and messages missed, in total.
    std::uint64_t received() const noexcept { return core_ ? core_->received() : 0; }
    std::uint64_t missed() const noexcept { return core_ ? core_->missed() : 0; }
    /// Why the last publisher that was `refused` cannot be read.
    std::string refusal() const { return core_ ? core_->refusal() : std::string(); }
    /// The same for programs; means nothing before the first refusal.
    endpoint_errc refusal_code() const noexcept {
        return core_ ? core_->refusal_code() : endpoint_errc{};
    }

  private:
    /// For loops that end where there is nothing and cannot say why.
    sample<T> next_of_several() noexcept {
        if (!core_) {
            return closed();
        }
        detail::taken const t = core_->template try_take<copier>();
        if (t.error != receive_errc::none) {
            core_->postpone(t);
        }
        return {core_.get(), t};
    }
    static sample<T> closed() noexcept {
        detail::taken t;
        t.error = receive_errc::closed;
        return sample<T>(nullptr, t);
    }

    detail::subscriber_core::handle core_;
};

} // namespace partywall::inline v0
