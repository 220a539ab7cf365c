// SPDX-License-Identifier: BSL-1.0
// Key/value pairs that an endpoint shows to whoever looks at the registry: version, unit, host
// name. Small (metadata_bytes_max encoded), replaced as a whole, read whole or not at all.
#pragma once

#include <partywall/export.hpp>
#include <partywall/limits.hpp>
#include <partywall/registry/registry_errc.hpp>
#include <partywall/result.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace partywall::inline v0 {

/// In the order in which they were given. Keys are unique, not empty, at most
/// metadata_key_bytes_max bytes; values are any bytes.
using metadata = std::vector<std::pair<std::string, std::string>>;

namespace detail {

//   +----------------+------------------+-----+-------+
//   | key_bytes u16  | value_bytes u16  | key | value |   one pair after the other, no padding
//   +----------------+------------------+-----+-------+

/// Little-endian, at most metadata_bytes_max bytes, or the reason why not (`bad_metadata`).
PARTYWALL_API result<std::vector<std::byte>, failure<registry_errc>>
encode_metadata(metadata const& pairs);

/// The inverse, over bytes that anybody may have written: nothing unless every length fits, every
/// key is valid and the last pair ends where the bytes end.
PARTYWALL_API std::optional<metadata> decode_metadata(std::span<std::byte const> bytes);

} // namespace detail
} // namespace partywall::inline v0
