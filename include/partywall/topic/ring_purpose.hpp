// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/endpoint/payload.hpp>
#include <partywall/registry/entry_info.hpp>

#include <cstdint>
#include <string_view>

namespace partywall::inline v0::detail {

/// What a ring that many read is for: under which kind of entry its readers find it.
struct ring_purpose {
    std::string_view doing; ///< for messages
    std::string_view name;
    type_info type;
    payload_shape shape;
    entry_kind kind = entry_kind::topic_publisher;
    std::uint64_t number = 0; ///< of its segments; 0: a new one
};

} // namespace partywall::inline v0::detail
