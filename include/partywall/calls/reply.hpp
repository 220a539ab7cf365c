// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/calls/call_error.hpp>
#include <partywall/calls/call_options.hpp>
#include <partywall/calls/client_core.hpp>
#include <partywall/calls/frame.hpp>

#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace partywall::inline v0 {

/// What a call came back with.
///
/// Use when  reading a reply where it lies: in the client's inbox, which the server does not touch
///           until this is gone; a reply that came while somebody waited for another is a copy.
/// Not when  it is needed for long: copy it. Held replies are bounded (replies_held_max).
/// Callers   one thread at a time. May move to another thread and be destroyed there, and may outlive
///           its client.
/// Peer dies the memory stays mapped and unchanged.
template <class Res>
class reply {
    using frame = detail::reply_frame<Res>;
    using element = typename frame::element;
    static constexpr bool variable_length = frame::variable_length;

  public:
    /// Not for users.
    explicit reply(detail::call_result&& result) noexcept : result_(std::move(result)) {}

    element const& operator*() const noexcept requires(!variable_length) {
        return frame::view(result_.body, result_.bytes);
    }
    element const* operator->() const noexcept requires(!variable_length) { return &**this; }
    std::span<element const> operator*() const noexcept requires(variable_length) {
        return frame::view(result_.body, result_.bytes);
    }
    std::string_view text() const noexcept requires(std::is_same_v<Res, bytes>) {
        return {reinterpret_cast<char const*>(result_.body),
                static_cast<std::size_t>(result_.bytes)};
    }

    /// What came beside it.
    call_header const& header() const noexcept { return result_.user; }
    /// Incarnation of the server that answered.
    std::uint64_t server() const noexcept { return result_.server; }

  private:
    detail::call_result result_;
};

/// What a call returns.
template <class Res>
using call_outcome = result<reply<Res>, call_error>;

namespace detail {
template <class Res>
call_outcome<Res> outcome_of(call_result&& r) noexcept {
    if (r.reason == call_ok) [[likely]] {
        return call_outcome<Res>(call_outcome<Res>::in_place_value, std::move(r));
    }
    return r.error();
}
} // namespace detail

} // namespace partywall::inline v0
