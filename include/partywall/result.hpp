// SPDX-License-Identifier: BSL-1.0
// Results and errors. Every operation has an enum of its own for what can go wrong.
//
// Hot-path operations return `result<T, x_errc>`: the enum is the whole error. Control-plane
// operations (join, create, attach, look up) return `result<T, failure<x_errc>>`, which adds the
// sentence a person needs: what was tried, on which object, and why it was refused.
#pragma once

#include <partywall/export.hpp>

#include <boost/assert/source_location.hpp>
#include <boost/system/result.hpp>

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace partywall::inline v0 {

/// A value or the reason why there is none. `.value()` throws `partywall::error`; everything
/// else is usable without exceptions.
template <class T, class E>
using result = boost::system::result<T, E>;

/// The error of a control-plane operation: `code` for programs, `message` for people.
/// `message` names the operation, the object and the reason, e.g.
/// `cannot attach ring.7.1: layout version 3, this library reads 1`.
template <class Errc>
struct failure {
    Errc code{};
    int os_error = 0; ///< errno of the system call that failed, or 0
    std::string message;

    /// Programs compare codes: `if (r.error() == join_errc::no_space)`.
    friend bool operator==(failure const& f, Errc c) noexcept { return f.code == c; }
};

/// Says which enums are partywall's error enums; each has `std::string_view to_string(E)`.
template <class E>
struct is_error_enum : std::false_type {};

namespace detail {
/// Defined in the library, which is always compiled with exceptions: throws `partywall::error`.
[[noreturn]] PARTYWALL_API void throw_error(std::string_view message,
                                            boost::source_location const& where);
} // namespace detail

template <class E>
concept error_enum = is_error_enum<E>::value;

// Found by argument-dependent look-up from boost::system::result::value().
template <error_enum E>
[[noreturn]] void throw_exception_from_error(E const& e, boost::source_location const& where) {
    detail::throw_error(to_string(e), where);
}
template <class E>
[[noreturn]] void throw_exception_from_error(failure<E> const& f,
                                             boost::source_location const& where) {
    detail::throw_error(f.message, where);
}

} // namespace partywall::inline v0
