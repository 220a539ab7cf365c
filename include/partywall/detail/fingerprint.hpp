// SPDX-License-Identifier: BSL-1.0
// One number for a type, made at compile time. It is stored in shared memory and compared with
// what another program made of its type: changing anything here is a change of layout.
//
//   fingerprint(T)   = FNV-1a 64 of: text(name of T), tree(T)
//   fingerprint(T[]) = FNV-1a 64 of: text(name of T and "[]"), 'v', tree(T)
//   tree of arithmetic types       'n', text(our name), size
//           enums                  'm', text(last component of the name), tree(underlying type)
//           arrays, std::array     'a', count, tree(element)
//           visible aggregates     's', size, alignment, user version, trees of members, 'e'
//           everything else        'o', text(last component of the name), size, alignment,
//                                  user version
//   text(s)          = the bytes of s, 0
//   numbers          = 8 bytes, little-endian
//
// Names of members' types count only up to their last component and only where compilers agree
// on them: inline namespaces are printed by GCC and not by Clang. Offsets follow from sizes,
// alignments and order, but for alignas and packed on single members that happen to change
// neither size nor alignment of the whole.
#pragma once

#include <partywall/detail/fields.hpp>
#include <partywall/detail/message_traits_primary.hpp>
#include <partywall/detail/type_name.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace partywall::inline v0::detail {

/// Whether tree(T) lists T's members.
template <class T>
constexpr bool looks_inside() noexcept {
    if constexpr (is_opaque<T>()) {
        return false;
    } else {
        return has_visible_fields<T>();
    }
}

/// False for aggregates that may hide a reference, and whose author did not vouch for them.
template <class T>
constexpr bool can_look_inside() noexcept {
    if constexpr (is_opaque<T>() || !std::is_class_v<T> || !std::is_aggregate_v<T>) {
        return true;
    } else {
        return clauses<T, 0>::valid;
    }
}

template <class T>
constexpr bool has_pointer() noexcept;

template <class... T>
constexpr bool any_has_pointer(type_list<T...>) noexcept {
    return (has_pointer<T>() || ... || false);
}

/// Whether T is, or visibly holds, something that means nothing in another process.
template <class T>
constexpr bool has_pointer() noexcept {
    if constexpr (is_opaque<T>()) {
        return false;
    } else if constexpr (array_like<T>::value) {
        return has_pointer<typename array_like<T>::element>();
    } else if constexpr (looks_inside<T>()) {
        return any_has_pointer(fields_of<T>{});
    } else if constexpr (std::is_class_v<T>) {
        return std::ranges::enable_borrowed_range<T>; // string_view, span and their like
    } else {
        return std::is_pointer_v<T> || std::is_member_pointer_v<T> || std::is_reference_v<T> ||
               std::is_null_pointer_v<T>;
    }
}

class fnv1a {
  public:
    constexpr void byte(unsigned value) noexcept {
        state_ = (state_ ^ (value & 0xff)) * 0x0000'0100'0000'01b3;
    }
    constexpr void mark(char c) noexcept { byte(static_cast<unsigned char>(c)); }
    constexpr void number(std::uint64_t value) noexcept {
        for (unsigned shift = 0; shift < 64; shift += 8) {
            byte(static_cast<unsigned>(value >> shift));
        }
    }
    constexpr void text(std::string_view s) noexcept {
        for (char c : s) {
            mark(c);
        }
        byte(0);
    }
    constexpr std::uint64_t value() const noexcept { return state_; }

  private:
    std::uint64_t state_ = 0xcbf2'9ce4'8422'2325;
};

constexpr std::string_view last_component(std::string_view name) noexcept {
    return name.substr(name.rfind(':') + 1); // npos + 1 is 0
}

template <class T>
constexpr void add_tree(fnv1a& hash) noexcept;

template <class... T>
constexpr void add_trees(fnv1a& hash, type_list<T...>) noexcept {
    (add_tree<T>(hash), ...);
}

template <class T>
constexpr void add_tree(fnv1a& hash) noexcept {
    if constexpr (!arithmetic_name<T>().empty()) {
        hash.mark('n');
        hash.text(arithmetic_name<T>());
        hash.number(sizeof(T));
    } else if constexpr (std::is_enum_v<T>) {
        hash.mark('m');
        hash.text(last_component(plain_type_name<T>()));
        add_tree<std::underlying_type_t<T>>(hash);
    } else if constexpr (array_like<T>::value && !is_opaque<T>()) {
        hash.mark('a');
        hash.number(array_like<T>::count);
        add_tree<typename array_like<T>::element>(hash);
    } else {
        hash.mark(looks_inside<T>() ? 's' : 'o');
        if constexpr (!looks_inside<T>()) {
            hash.text(last_component(plain_type_name<T>()));
        }
        hash.number(sizeof(T));
        hash.number(alignof(T));
        hash.number(user_version<T>());
        if constexpr (looks_inside<T>()) {
            add_trees(hash, fields_of<T>{});
            hash.mark('e');
        }
    }
}

template <class T>
constexpr std::uint64_t make_type_fingerprint() noexcept {
    fnv1a hash;
    hash.text(type_name<T>());
    if constexpr (std::is_unbounded_array_v<T>) {
        hash.mark('v');
    }
    add_tree<std::remove_extent_t<T>>(hash);
    return hash.value();
}
template <class T>
inline constexpr std::uint64_t type_fingerprint_v = make_type_fingerprint<T>();

/// The fingerprint of what is sent: of a message type, `bytes`, or `T[]`. Made when compiling.
template <class T>
constexpr std::uint64_t type_fingerprint() noexcept {
    return type_fingerprint_v<T>;
}

} // namespace partywall::inline v0::detail
