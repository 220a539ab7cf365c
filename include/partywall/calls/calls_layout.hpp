// SPDX-License-Identifier: BSL-1.0
// What stands before a request and before a reply. Both travel as messages of ordinary lanes
// (inbox/lanes_layout.hpp): requests in a lane of the server's inbox, replies in a lane of the
// client's. Golden bytes: tests/golden/calls_v1.hex.
//
//   request |  0 id u64           slot of the client's table, and the slot's generation
//           |  8 deadline u64     ns of CLOCK_MONOTONIC
//           | 16 flags u32 | cancel u32      cancel: 0, and not 0 once the client has given up
//           |    of a note about a stream: instead of the deadline, how many replies were read
//           | 24 user: 16 bytes   handed on as they are
//           | 40 the message, further on if its type is aligned to more than 8
//
//   reply   |  0 id u64           the request's
//           |  8 status u16 | text_bytes u16 | code i32
//           | 16 user: 16 bytes
//           | 32 the message, or text_bytes of text; further on as above
//           |    `missed`, to a surveyor: `user` is two positions of its ring, u64 each: the first
//           |    question that was lost, and the first one that was not
//
// All of a request is written by its client, and read by its server while the cell is the
// request's; `cancel` also after it was sent. All of a reply is written before it is sent.
#pragma once

#include <partywall/limits.hpp>
#include <partywall/segment/segment_layout.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace partywall::inline v0::detail {

/// Part of the fingerprint that both inboxes carry: two sides of different versions never meet.
inline constexpr std::uint64_t calls_protocol_version = 1;

struct request_header {
    std::uint64_t id;
    std::uint64_t deadline_ns;
    std::uint32_t flags; ///< request_flag
    std::uint32_t cancel;
    std::uint8_t user[call_header_bytes];
};
static_assert(sizeof(request_header) == 40 && std::is_trivially_copyable_v<request_header>);
static_assert(offsetof(request_header, cancel) == 20 && offsetof(request_header, user) == 24);

namespace request_flag {
inline constexpr std::uint32_t wants_reply = 1; ///< otherwise nothing comes back, not even an error
inline constexpr std::uint32_t stream = 2;      ///< any number of replies, and an end
inline constexpr std::uint32_t note = 4;        ///< no request: how far the stream `id` was read
inline constexpr std::uint32_t stop = 8;        ///< of a note: nobody reads on
inline constexpr unsigned window_shift = 16;    ///< of a stream, above it: its window
} // namespace request_flag
inline constexpr std::uint32_t stream_window_max = 0xffff;

enum class reply_status : std::uint16_t {
    value = 1,  ///< the message follows
    failed,     ///< the handler said so: code, text
    threw,      ///< the handler threw: text
    unanswered, ///< whoever was to answer let it go
    too_large,  ///< the reply did not fit the client's lane
    expired,    ///< not executed: the deadline had passed
    cancelled,  ///< not executed: the client had given up
    draining,   ///< not executed: the server takes nothing new
    overloaded, ///< not executed: as many calls under way as the server may have
    declined,   ///< the handler had nothing to say
    missed,     ///< surveys: no answer, but questions that were lost before they could be taken
    item,       ///< of a stream: the message follows, and another reply
    end,        ///< of a stream: there are no more
};

struct reply_header {
    std::uint64_t id;
    std::uint16_t status; ///< enum class reply_status
    std::uint16_t text_bytes;
    std::int32_t code;
    std::uint8_t user[call_header_bytes];
};
static_assert(sizeof(reply_header) == 32 && std::is_trivially_copyable_v<reply_header>);
static_assert(offsetof(reply_header, code) == 12 && offsetof(reply_header, user) == 16);

/// Which slot of its client's table a call is, and which life of that slot.
constexpr std::uint64_t call_id(std::uint32_t slot, std::uint32_t generation) noexcept {
    return std::uint64_t{generation} << 32 | slot;
}
constexpr std::uint32_t slot_of(std::uint64_t id) noexcept {
    return static_cast<std::uint32_t>(id);
}
constexpr std::uint32_t generation_of(std::uint64_t id) noexcept {
    return static_cast<std::uint32_t>(id >> 32);
}

} // namespace partywall::inline v0::detail
