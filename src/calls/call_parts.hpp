// SPDX-License-Identifier: BSL-1.0
// What both sides of a call make of its types and sizes.
#pragma once

#include "../endpoint/endpoint_failure.hpp"

#include <partywall/calls/call_errc.hpp>
#include <partywall/calls/calls_layout.hpp>
#include <partywall/calls/frame.hpp>
#include <partywall/detail/fingerprint.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>

namespace partywall::inline v0::detail {

inline server_fault fault_of(reply_status s) noexcept {
    switch (s) {
    case reply_status::failed: return server_fault::failed;
    case reply_status::threw: return server_fault::threw;
    case reply_status::unanswered: return server_fault::unanswered;
    case reply_status::too_large: return server_fault::too_large;
    case reply_status::declined: return server_fault::declined;
    default: return server_fault::none;
    }
}

/// Which of a call's two inboxes.
enum class call_way : char { request = 'q', reply = 'r' };

/// Clients and servers fit when both their types do, and their protocol. The name is for people.
inline type_info call_type(call_types const& types, call_way way) {
    fnv1a hash;
    hash.mark(static_cast<char>(way));
    hash.number(calls_protocol_version);
    hash.number(types.request.fingerprint);
    hash.number(types.reply.fingerprint);
    type_facts const& one = way == call_way::request ? types.request : types.reply;
    return {hash.value(), one.size, one.alignment,
            std::string(types.request.name) + " -> " + std::string(types.reply.name)};
}

/// Memory for messages of any type, that grows and stays.
class message_memory {
  public:
    /// False: there is none.
    bool reserve(std::uint64_t bytes) noexcept {
        if (bytes > capacity_ || memory_ == nullptr) {
            memory_.reset(new (std::nothrow) std::byte[bytes + spacing_bytes]);
            capacity_ = memory_ != nullptr ? bytes : 0;
        }
        return memory_ != nullptr;
    }
    std::byte* data() const noexcept { return aligned(memory_.get()); }
    /// The first byte from there on that suits any message.
    static std::byte* aligned(std::byte* memory) noexcept {
        auto const address = reinterpret_cast<std::uintptr_t>(memory);
        return memory + (spacing_bytes - address % spacing_bytes) % spacing_bytes;
    }

  private:
    std::unique_ptr<std::byte[]> memory_;
    std::uint64_t capacity_ = 0;
};

/// Bytes of header and message together that a lane must have room for; `body_bytes_max` from the
/// options, for variable length.
inline std::uint64_t framed_bytes_max(frame_shape const& shape, std::uint64_t body_bytes_max,
                                      std::uint64_t room) noexcept {
    std::uint64_t const body = std::min(std::max(body_bytes_max, room), payload_bytes_max_limit);
    return shape.body_offset + (body + 7) / 8 * 8;
}

} // namespace partywall::inline v0::detail
