// SPDX-License-Identifier: BSL-1.0
// The names of types, the same from every compiler that we support.
#pragma once

#include <partywall/bytes.hpp>
#include <partywall/detail/message_traits_primary.hpp>

#include <bit>
#include <cstddef>
#include <string_view>
#include <type_traits>

namespace partywall::inline v0::detail {

/// `T` as this compiler spells it.
template <class T>
constexpr auto pretty_function() noexcept {
    return std::string_view(__PRETTY_FUNCTION__);
}
template <class T>
constexpr std::string_view spelled_name() noexcept {
    // What surrounds the name is the same for every T, so one known name measures it.
    constexpr std::string_view known = pretty_function<void>();
    constexpr std::size_t before = known.rfind("void");
    constexpr std::size_t after = known.size() - before - 4;
    constexpr std::string_view full = pretty_function<T>();
    return full.substr(before, full.size() - before - after);
}

/// Compilers agree on the spelling of a qualified name without templates. What they print for
/// unnamed and local types contains one of these characters: `{anonymous}::x`,
/// `(anonymous namespace)::x`, `<unnamed struct>`, `main()::x`. (Clang prints a local type like a
/// global one: it is accepted there, and talks to types of that name and those fields only.)
constexpr bool is_portable_name(std::string_view name) noexcept {
    return name.find_first_of("<({ ") == std::string_view::npos;
}

/// "u32", "i64", ...: an integer's name says its size and signedness, since compilers spell the
/// same type differently and different types of one size have the same bytes.
template <class T>
constexpr std::string_view integer_name() noexcept {
    constexpr std::string_view names[] = {"u8",  "i8",  "u16", "i16",  "u32",
                                          "i32", "u64", "i64", "u128", "i128"};
    constexpr std::size_t row = std::bit_width(sizeof(T)) - 1;
    return names[row * 2 + (T(-1) < T(0) ? 1 : 0)];
}

/// Our name of a built-in type; empty for every other type. Takes cv-unqualified types.
template <class T>
constexpr std::string_view arithmetic_name() noexcept {
    __extension__ using i128 = __int128;
    __extension__ using u128 = unsigned __int128;
    if constexpr (std::is_same_v<T, bool>) {
        return "bool";
    } else if constexpr (std::is_same_v<T, char>) {
        return "char"; // its signedness is the machine's, and both sides are on one
#ifdef __cpp_char8_t
    } else if constexpr (std::is_same_v<T, char8_t>) {
        return "char8";
#endif
    } else if constexpr (std::is_same_v<T, char16_t>) {
        return "char16";
    } else if constexpr (std::is_same_v<T, char32_t>) {
        return "char32";
    } else if constexpr (std::is_same_v<T, wchar_t>) {
        return "wchar";
    } else if constexpr (std::is_same_v<T, float>) {
        return "f32";
    } else if constexpr (std::is_same_v<T, double>) {
        return "f64";
    } else if constexpr (std::is_same_v<T, long double>) {
        return "long_double";
    } else if constexpr (std::is_integral_v<T> || std::is_same_v<T, i128> ||
                         std::is_same_v<T, u128>) {
        return integer_name<T>();
    } else {
        return {};
    }
}

/// The name of a type that is no array; empty if nobody gave it one that compilers agree on.
template <class T>
constexpr std::string_view plain_type_name() noexcept {
    if constexpr (requires { message_traits<T>::name; }) {
        return message_traits<T>::name;
    } else if constexpr (std::is_same_v<T, bytes>) {
        return "bytes";
    } else if constexpr (!arithmetic_name<T>().empty()) {
        return arithmetic_name<T>();
    } else if constexpr (std::is_class_v<T> || std::is_union_v<T> || std::is_enum_v<T>) {
        return is_portable_name(spelled_name<T>()) ? spelled_name<T>() : std::string_view();
    } else {
        return {};
    }
}

template <class T>
constexpr bool has_type_name() noexcept {
    return !plain_type_name<T>().empty();
}

/// `name` and "[]" behind one another, in memory that lasts.
template <class T>
struct unbounded_array_name {
    static constexpr std::size_t element_bytes = plain_type_name<T>().size();
    struct characters {
        char text[element_bytes + 2];
    };
    static constexpr characters made = [] {
        characters all{};
        for (std::size_t i = 0; i < element_bytes; ++i) {
            all.text[i] = plain_type_name<T>()[i];
        }
        all.text[element_bytes] = '[';
        all.text[element_bytes + 1] = ']';
        return all;
    }();
};

/// Names are printed by tools and logs.
constexpr bool is_printable(std::string_view name) noexcept {
    for (char c : name) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            return false;
        }
    }
    return true;
}

/// The name of what is sent: of a message type, `bytes`, or `T[]`.
template <class T>
constexpr std::string_view type_name() noexcept {
    using element = std::remove_extent_t<T>;
    static_assert(has_type_name<element>(),
                  "partywall: T is a template, or has no name that compilers agree on; give it "
                  "one: message_traits<T>::name");
    static_assert(is_printable(plain_type_name<element>()),
                  "partywall: message_traits<T>::name has a control byte");
    if constexpr (std::is_unbounded_array_v<T>) {
        return {unbounded_array_name<element>::made.text, plain_type_name<element>().size() + 2};
    } else {
        return plain_type_name<T>();
    }
}

} // namespace partywall::inline v0::detail
