// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/calls/call_options.hpp>
#include <partywall/os/clock.hpp>
#include <partywall/os/robust_word.hpp>
#include <partywall/segment/atomics.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace partywall::inline v0 {

namespace detail {
class server_core;
class respondent_core;
} // namespace detail

/// What a handler knows of the call that it answers, and hands on to the calls that it makes: they
/// inherit what is left of the deadline, and the header.
///
/// Callers   the handler, while it runs; deadline(), left() and header() of a copy at any time.
/// Cost      cancelled(): a load or two. left(), expired(): a look at the clock.
class call_context {
  public:
    call_context() noexcept = default;
    /// A copy no longer knows whether the caller has given up.
    call_context(call_context const& other) noexcept
        : deadline_ns_(other.deadline_ns_), client_(other.client_),
          wants_reply_(other.wants_reply_), header_(other.header_),
          reply_header_(other.reply_header_) {}
    call_context& operator=(call_context const& other) noexcept {
        cancel_ = nullptr;
        closed_ = nullptr;
        life_ = nullptr;
        deadline_ns_ = other.deadline_ns_;
        client_ = other.client_;
        wants_reply_ = other.wants_reply_;
        header_ = other.header_;
        reply_header_ = other.reply_header_;
        return *this;
    }
    ~call_context() = default;

    /// Until when the caller waits, on CLOCK_MONOTONIC (std::chrono::steady_clock).
    std::chrono::steady_clock::time_point deadline() const noexcept {
        auto const most = static_cast<std::uint64_t>(std::chrono::nanoseconds::max().count());
        return std::chrono::steady_clock::time_point(
            std::chrono::nanoseconds(static_cast<std::int64_t>(std::min(deadline_ns_, most))));
    }
    /// How much of that is left; negative: none.
    std::chrono::nanoseconds left() const noexcept {
        return deadline() - std::chrono::steady_clock::time_point(std::chrono::nanoseconds(
                                static_cast<std::int64_t>(os::monotonic_ns())));
    }
    /// Whether the deadline has passed: nobody will see the answer.
    bool expired() const noexcept { return left().count() <= 0; }
    /// Whether the caller has given up: nobody will see the answer. In a survey: whether the surveyor
    /// has closed or died.
    bool cancelled() const noexcept {
        // relaxed, all: hints.
        constexpr auto relaxed = std::memory_order_relaxed;
        return (cancel_ != nullptr && std_atomics::load(*cancel_, relaxed) != 0) ||
               (closed_ != nullptr && std_atomics::load(*closed_, relaxed) != 0) ||
               (life_ != nullptr && os::robust_died_now(life_));
    }
    /// What came beside the request.
    call_header const& header() const noexcept { return header_; }
    /// What goes back beside the reply; at first what came.
    void set_reply_header(call_header const& header) noexcept { reply_header_ = header; }
    /// Incarnation of the client: tells it from every other, dead ones included.
    std::uint64_t client() const noexcept { return client_; }
    /// Whether anybody waits for an answer (call(), call_async()) or not (post()).
    bool wants_reply() const noexcept { return wants_reply_; }

    /// Not for users.
    call_header const& reply_header() const noexcept { return reply_header_; }
    std::uint64_t deadline_ns() const noexcept { return deadline_ns_; }

  private:
    friend class detail::server_core;
    friend class detail::respondent_core;
    std::uint32_t const* cancel_ = nullptr;
    std::uint64_t const* closed_ = nullptr; ///< of a surveyor
    void const* life_ = nullptr;            ///< its life word
    std::uint64_t deadline_ns_ = 0;
    std::uint64_t client_ = 0;
    bool wants_reply_ = false;
    call_header header_{};
    call_header reply_header_{};
};

} // namespace partywall::inline v0
