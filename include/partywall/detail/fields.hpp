// SPDX-License-Identifier: BSL-1.0
// The types of the direct members of an aggregate, at compile time.
//
// Boost.PFR does this for aggregates without C arrays, packed or bit-field members and bases, and
// answers the others with a hard error; and it tries initialiser lists of up to 8 * sizeof(T)
// clauses, which a compiler does not survive for a message of a megabyte. Messages are just such
// types. So the members are counted with `{}` clauses, each of which initialises one member of
// whatever type, by bisection; and their types are read from a structured binding, without
// binding anything to a member. tests/types compares the result with PFR's.
//
// Not visible, and then simply opaque: more than 100 members, base classes, members of unnamed
// classes (anonymous unions cannot be bound), types that follow the tuple protocol, and
// aggregates that T{} cannot make.
#pragma once

#include <partywall/detail/clauses.hpp>
#include <partywall/detail/message_traits_primary.hpp>
#include <partywall/detail/type_name.hpp>

#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

namespace partywall::inline v0::detail {

/// `struct { ... } member;` and `union { ... };`, as GCC and Clang print their types.
constexpr bool is_unnamed_class(std::string_view name) noexcept {
    for (std::string_view mark : {"<unnamed ", "{unnamed ", "(unnamed ", "(anonymous union",
                                  "(anonymous struct", "(anonymous class", "<lambda", "(lambda"}) {
        if (name.find(mark) != std::string_view::npos) {
            return true;
        }
    }
    return false;
}

// Probes convert to what they are named after, and to nothing else.
struct anything_probe {
    template <class U>
    operator U&() const noexcept;
};
template <class T>
struct base_probe {
    template <class U>
        requires(std::is_base_of_v<U, T> && !std::is_same_v<U, T>)
    operator U&() const noexcept;
};
struct unnamed_class_probe {
    template <class U>
        requires((std::is_class_v<U> || std::is_union_v<U>)&&is_unnamed_class(spelled_name<U>()))
    operator U() const noexcept; // by value: GCC finds copies of anonymous unions inaccessible
};

/// The number of members, bases included, if it is at least Valid and less than Above.
template <class T, std::size_t Valid = 0, std::size_t Above = fields_max + 1>
constexpr std::size_t count_members() noexcept {
    if constexpr (Above - Valid <= 1) {
        return Valid;
    } else if constexpr (clauses<T, (Valid + Above) / 2>::valid) {
        return count_members<T, (Valid + Above) / 2, Above>();
    } else {
        return count_members<T, Valid, (Valid + Above) / 2>();
    }
}

template <class T, std::size_t... I>
constexpr bool has_unnamed_member(std::index_sequence<I...>) noexcept {
    return (clauses<T, I>::template valid_with<unnamed_class_probe> || ...);
}

template <class T>
constexpr bool is_tuple_like() noexcept {
    return requires { std::tuple_size<T>::value; };
}

template <class T>
constexpr bool is_plain_aggregate() noexcept {
    return std::is_class_v<T> && std::is_aggregate_v<T> && !is_tuple_like<T>();
}

/// Whether the members of T can be listed. Opaque types can be, too: who asks decides.
template <class T>
constexpr bool has_visible_fields() noexcept {
    if constexpr (is_plain_aggregate<T>()) {
        if constexpr (clauses<T, 0>::valid) {
            constexpr std::size_t count = count_members<T>();
            // `more`: too many. `anything`: one that `{}` does not initialise, but its own
            // initialiser does.
            return !clauses<T, count>::more &&
                   !clauses<T, count>::template valid_with<anything_probe> &&
                   !clauses<T, 0>::template valid_with<base_probe<T>> &&
                   !has_unnamed_member<T>(std::make_index_sequence<count>());
        }
    }
    return false;
}

/// type_list of the members of T, in their order. Only for types with visible fields.
template <class T>
using fields_of = decltype(clauses<T, count_members<T>()>::types(std::declval<T&>()));

/// std::array and its like: nothing but `count` elements of one type.
template <class T>
struct array_like {
    static constexpr bool value = false;
};
template <class T, std::size_t Count>
struct array_like<T[Count]> {
    static constexpr bool value = true;
    static constexpr std::size_t count = Count;
    using element = std::remove_cv_t<T>;
};
template <class T>
    requires(std::is_aggregate_v<T>&& is_tuple_like<T>() && requires { typename T::value_type; })
struct array_like<T> {
    using element = std::remove_cv_t<typename T::value_type>;
    static constexpr std::size_t count = std::tuple_size<T>::value;
    static constexpr bool value = count * sizeof(element) == sizeof(T);
};

} // namespace partywall::inline v0::detail
