// SPDX-License-Identifier: BSL-1.0
// What both sides of a survey make of its types.
#pragma once

#include "../calls/call_parts.hpp"

#include <partywall/registry/participant_core.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace partywall::inline v0::detail {

/// Part of the fingerprints: two sides of different versions never meet.
inline constexpr std::uint64_t survey_protocol_version = 1;

/// As call_type(), but no client ever fits a surveyor's ring or inbox.
inline type_info survey_type(call_types const& types, call_way way) {
    type_info one = call_type(types, way);
    fnv1a hash;
    hash.mark('s');
    hash.number(survey_protocol_version);
    hash.number(one.fingerprint);
    one.fingerprint = hash.value();
    return one;
}

/// Whether all who live under that name ask and answer the same types; `mine` is the entry that
/// asks, visible to everybody, so that of two that come at the same time at least one sees the other.
result<void, endpoint_failure> check_survey(participant_core& participant, entry_info const& mine,
                                            std::string_view doing);

} // namespace partywall::inline v0::detail
