// SPDX-License-Identifier: BSL-1.0
// Names of segments. They are derived, never stored: a name that came out of shared memory would
// be a path that somebody else chose.
#pragma once

#include <partywall/export.hpp>
#include <partywall/segment/segment_layout.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace partywall::inline v0 {

/// Which segment of a domain. In normal form `ticket` and `number` are 0 where the kind has none:
/// the registry has neither, a life segment has a ticket only. Since tickets are never used
/// again, neither are names.
struct segment_id {
    segment_kind kind{};
    std::uint64_t ticket = 0;
    std::uint64_t number = 0;
    friend bool operator==(segment_id const&, segment_id const&) noexcept = default;
};

/// Normal form, ticket within limits.
PARTYWALL_API bool is_valid(segment_id const& id) noexcept;

/// "registry", "life.<ticket>", "ring.<ticket>.<number>", "readers.<ticket>.<number>"; decimal.
/// Empty for an id that is not valid.
PARTYWALL_API std::string file_name(segment_id const& id);

/// The inverse, strict: file_name(*parse_file_name(x)) == x. Nothing for any other name.
PARTYWALL_API std::optional<segment_id> parse_file_name(std::string_view name) noexcept;

} // namespace partywall::inline v0
