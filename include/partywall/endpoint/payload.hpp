// SPDX-License-Identifier: BSL-1.0
// How a message type maps to cells: a fixed size, or a variable number of elements.
#pragma once

#include <partywall/bytes.hpp>
#include <partywall/limits.hpp>
#include <partywall/message_traits.hpp>
#include <partywall/registry/entry_info.hpp>
#include <partywall/ring/ring_geometry.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

namespace partywall::inline v0::detail {

/// What the non-template half of an endpoint has to know about its type.
struct payload_shape {
    bool variable_length = false;
    std::uint32_t payload_offset = 8;
    std::uint64_t payload_bytes_max = 0; ///< fixed size, or 0: from the options
    std::uint32_t element_bytes = 1;
};

template <class T>
struct payload {
    static_assert(message_check<T>::passed);
    static_assert(alignof(T) <= spacing_bytes,
                  "partywall: T is aligned to more than 128 bytes, which cells are not");
    using element = T;
    static constexpr bool variable_length = false;
    static constexpr payload_shape shape() noexcept {
        return {false, fixed_payload_offset(alignof(T)), sizeof(T), sizeof(T)};
    }
};

template <>
struct payload<bytes> {
    using element = std::byte;
    static constexpr bool variable_length = true;
    static constexpr payload_shape shape() noexcept {
        return {true, variable_payload_offset, 0, 1};
    }
};

template <class T>
struct payload<T[]> {
    static_assert(message_check<T>::passed);
    static_assert(alignof(T) <= spacing_bytes,
                  "partywall: T is aligned to more than 128 bytes, which cells are not");
    using element = T;
    static constexpr bool variable_length = true;
    static constexpr payload_shape shape() noexcept {
        return {true,
                alignof(T) <= variable_payload_offset ? variable_payload_offset
                                                      : std::uint32_t{alignof(T)},
                0, sizeof(T)};
    }
};

/// What becomes a type_info where there is memory for the name.
struct type_facts {
    std::uint64_t fingerprint = 0;
    std::uint32_t size = 0; ///< 0: variable
    std::uint32_t alignment = 0;
    std::string_view name;
};

template <class T>
type_facts type_facts_of() noexcept {
    using element = typename payload<T>::element;
    constexpr bool variable = payload<T>::variable_length;
    return {type_fingerprint<T>(), variable ? 0 : std::uint32_t{sizeof(element)},
            std::uint32_t{alignof(element)}, type_name<T>()};
}

} // namespace partywall::inline v0::detail
