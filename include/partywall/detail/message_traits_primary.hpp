// SPDX-License-Identifier: BSL-1.0
// The customisation point alone. Users include <partywall/message_traits.hpp>.
#pragma once

#include <cstdint>
#include <string_view>

namespace partywall::inline v0 {

/// What only the author of a message type can say. Specialise it with any of these members:
///
///   static constexpr std::string_view name = "...";  // the type's name for both sides.
///       Needed for templates and for types in unnamed namespaces, and for types in inline
///       namespaces that GCC and Clang builds exchange: they print those differently.
///   static constexpr std::uint32_t version = 1;      // default 0.
///       Change it when the meaning of the bytes changes and the fields don't show it: units,
///       the width of a bit field, what a union holds.
///   static constexpr bool opaque = true;             // default false.
///       The fields are neither hashed nor searched for pointers. Needed for aggregates that T{}
///       cannot make: those with references, or with members without a default constructor.
template <class T>
struct message_traits {};

namespace detail {

template <class T>
constexpr bool is_opaque() noexcept {
    if constexpr (requires { message_traits<T>::opaque; }) {
        return message_traits<T>::opaque;
    }
    return false;
}

template <class T>
constexpr std::uint32_t user_version() noexcept {
    if constexpr (requires { message_traits<T>::version; }) {
        return message_traits<T>::version;
    }
    return 0;
}

} // namespace detail
} // namespace partywall::inline v0
