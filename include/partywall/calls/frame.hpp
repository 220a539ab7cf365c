// SPDX-License-Identifier: BSL-1.0
// How a message lies behind a call's header.
#pragma once

#include <partywall/calls/calls_layout.hpp>
#include <partywall/endpoint/payload.hpp>
#include <partywall/segment/copy_words.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

namespace partywall::inline v0::detail {

/// The header of a message that may lie where its sender can still write. Loaded once, by accesses that
/// no compiler may repeat: what is judged is what is used.
template <class Header>
Header header_at(std::byte const* message) noexcept {
    static_assert(sizeof(Header) % 8 == 0);
    Header header;
    copy_words<>::load_fixed<sizeof header>(reinterpret_cast<std::byte*>(&header), message);
    return header;
}

/// What the non-template halves have to know of a type behind a header.
struct frame_shape {
    payload_shape payload;         ///< of header and message together
    std::uint32_t body_offset = 0; ///< from the header's start
    std::uint64_t body_bytes = 0;  ///< 0: variable
};

/// `room`: bytes that must fit behind the header, whatever the type.
template <class T, class Header, std::size_t Room>
struct frame {
    using element = typename payload<T>::element;
    static constexpr bool variable_length = payload<T>::variable_length;
    static constexpr std::size_t alignment = std::max<std::size_t>(alignof(element), 8);
    static constexpr std::uint32_t body_offset =
        static_cast<std::uint32_t>((sizeof(Header) + alignment - 1) / alignment * alignment);

    static constexpr frame_shape shape() noexcept {
        frame_shape s;
        s.body_offset = body_offset;
        s.payload.variable_length = variable_length;
        s.payload.element_bytes = 1;
        if constexpr (variable_length) {
            s.payload.payload_offset =
                alignment <= variable_payload_offset ? variable_payload_offset : alignment;
        } else {
            s.body_bytes = sizeof(element);
            s.payload.payload_offset = fixed_payload_offset(alignment);
            s.payload.payload_bytes_max = body_offset + std::max(sizeof(element), Room);
        }
        return s;
    }
    /// What the handler or caller sees of `bytes` at `data`.
    static decltype(auto) view(std::byte const* body, std::uint64_t bytes) noexcept {
        auto const* const first = std::launder(reinterpret_cast<element const*>(body));
        if constexpr (variable_length) {
            return std::span<element const>(first,
                                            static_cast<std::size_t>(bytes) / sizeof(element));
        } else {
            return *first;
        }
    }
};
template <class Req>
using request_frame = frame<Req, request_header, 0>;
/// Where a reply could have been there is room for the text of an error.
template <class Res>
using reply_frame = frame<Res, reply_header, call_text_bytes_max>;

/// What both sides of a call must agree on. Two inboxes, two fingerprints.
struct call_types {
    type_facts request;
    type_facts reply;
    frame_shape request_shape;
    frame_shape reply_shape;
};
template <class Req, class Res>
call_types call_types_of() noexcept {
    return {type_facts_of<Req>(), type_facts_of<Res>(), request_frame<Req>::shape(),
            reply_frame<Res>::shape()};
}

} // namespace partywall::inline v0::detail
