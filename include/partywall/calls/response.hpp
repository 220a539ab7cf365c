// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/calls/call_error.hpp>
#include <partywall/calls/server_core.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>

namespace partywall::inline v0 {

/// What a handler returns that cannot answer, in a result<Res, call_failure>: the caller gets
/// server_error, server_fault::failed with this code and text.
struct call_failure {
    std::int32_t code = 0;
    std::array<char, call_text_bytes_max> text_memory{};
    std::uint32_t text_bytes = 0;

    call_failure() noexcept = default;
    /// Always with a text, if an empty one: so that a handler may return a number, which would be one
    /// or the other, as the result<Res, call_failure> that it is.
    call_failure(std::int32_t with, std::string_view text) noexcept : code(with) {
        text_bytes = static_cast<std::uint32_t>(std::min(text.size(), text_memory.size()));
        std::copy_n(text.data(), text_bytes, text_memory.data());
    }
    std::string_view text() const noexcept { return {text_memory.data(), text_bytes}; }
};

/// Memory of the answer, to be written in place, in the client's inbox. For handlers that take it.
///
/// Contents  whatever an earlier reply left there: write every byte that is sent.
/// Callers   the handler, while it runs. What it leaves is sent when it returns.
template <class Res>
class response {
    using element = typename detail::payload<Res>::element;
    static constexpr bool variable_length = detail::payload<Res>::variable_length;

  public:
    /// Not for users.
    explicit response(detail::exchange& x) noexcept : x_(x) {
        x.answer_bytes = variable_length ? 0 : sizeof(element);
    }
    response(response const&) = delete;
    response& operator=(response const&) = delete;
    ~response() = default;

    element& operator*() const noexcept requires(!variable_length) {
        return *std::launder(reinterpret_cast<element*>(x_.answer));
    }
    element* operator->() const noexcept requires(!variable_length) { return &**this; }
    /// How many elements there is room for: the client's reply_bytes_max.
    std::size_t capacity() const noexcept requires(variable_length) {
        return static_cast<std::size_t>(x_.room / sizeof(element));
    }
    /// All of that; resize() says how many of them are sent, at first none.
    std::span<element> operator*() const noexcept requires(variable_length) {
        return {std::launder(reinterpret_cast<element*>(x_.answer)), capacity()};
    }
    void resize(std::size_t count) noexcept requires(variable_length) {
        x_.answer_bytes = std::min(count, capacity()) * sizeof(element);
    }
    /// Nothing of it is sent; the caller gets server_error, server_fault::failed.
    void fail(std::int32_t code, std::string_view text = {}) noexcept {
        x_.fail(detail::reply_status::failed, code, text);
    }
    /// Nothing of it is sent: there is nothing to say. A surveyor is told so; to a caller it is
    /// server_error, server_fault::declined.
    void decline() noexcept { x_.fail(detail::reply_status::declined, 0, {}); }

  private:
    detail::exchange& x_;
};

} // namespace partywall::inline v0
