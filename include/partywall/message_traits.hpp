// SPDX-License-Identifier: BSL-1.0
// Which types can be messages, and how two programs find out that they mean the same type.
//
// A message is copied byte by byte into another process: any trivially copyable type will do, as
// long as it holds no pointers. Two endpoints talk when the fingerprints of their types are equal.
// The fingerprint is made at compile time from name, size, alignment, version and fields (how:
// detail/fingerprint.hpp) and is the same from GCC and Clang, with and without RTTI.
//
//     struct quote { double bid, ask; };                        // nothing to declare
//
//     template <class T> struct level { T price; std::uint32_t lots; };
//     template <> struct partywall::message_traits<level<double>> {
//         static constexpr std::string_view name = "level<double>";   // a template needs a name
//     };
#pragma once

#include <partywall/bytes.hpp>
#include <partywall/detail/fields.hpp>
#include <partywall/detail/fingerprint.hpp>
#include <partywall/detail/message_traits_primary.hpp>
#include <partywall/detail/type_name.hpp>

#include <concepts>
#include <type_traits>

namespace partywall::inline v0 {

/// What can be sent as one message of fixed size: trivially copyable and copy constructible, not
/// const or volatile, no array, no pointer or reference, with a name, and without a member that
/// is a pointer, a reference, a std::string_view or a std::span where they can be seen. Members
/// can be seen in aggregates; see message_traits<T>::opaque.
template <class T>
concept message =
    std::is_object_v<T> && !std::is_array_v<T> && std::same_as<T, std::remove_cv_t<T>> &&
    std::is_trivially_copyable_v<T> && std::is_copy_constructible_v<T> &&
    detail::can_look_inside<T>() && !detail::has_pointer<T>() && detail::has_type_name<T>();

namespace detail {

/// `static_assert(message_check<T>::passed)` is `static_assert(message<T>)` with reasons.
template <class T>
struct message_check {
    static_assert(std::is_object_v<T>, "partywall: T is not an object type");
    static_assert(!std::is_array_v<T>,
                  "partywall: T is an array; put it into a struct, or send T[] for any number");
    static_assert(std::same_as<T, std::remove_cv_t<T>>, "partywall: T is const or volatile");
    static_assert(std::is_trivially_copyable_v<T>, "partywall: T is not trivially copyable");
    static_assert(std::is_copy_constructible_v<T>, "partywall: T cannot be copied");
    static_assert(can_look_inside<T>(),
                  "partywall: T{} is not valid: T has a reference member, or a member without "
                  "default constructor; message_traits<T>::opaque = true sends it unseen");
    static_assert(!has_pointer<T>(),
                  "partywall: T has a pointer member (or string_view, span); it would mean nothing "
                  "in another process; message_traits<T>::opaque = true sends it all the same");
    static_assert(has_type_name<T>(),
                  "partywall: T is a template, or has no name that compilers agree on; give it "
                  "one: message_traits<T>::name");
    static constexpr bool passed = true;
};
template <>
struct message_check<bytes> {
    static constexpr bool passed = true;
};
template <class T>
struct message_check<T[]> : message_check<T> {};

} // namespace detail

} // namespace partywall::inline v0
