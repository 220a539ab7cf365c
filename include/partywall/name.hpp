// SPDX-License-Identifier: BSL-1.0
// Names: of endpoints ("market/eurusd"), of domains and of participants.
//
// A name is UTF-8 without control bytes. It is compared byte by byte: no case folding, no
// normalisation. '/' separates the components of an endpoint name; elsewhere it is a byte like
// any other. Names reach the file system only through encode_component().
#pragma once

#include <partywall/export.hpp>
#include <partywall/limits.hpp>
#include <partywall/result.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace partywall::inline v0 {

/// Why a name is refused.
enum class name_errc : std::uint8_t {
    empty = 1,
    too_long,      ///< more bytes than limits.hpp allows for its kind
    bad_byte,      ///< NUL, another byte below 0x20, or 0x7f
    bad_utf8,      ///< not UTF-8 (overlong forms and surrogates are not either)
    bad_component, ///< endpoint names: a component is empty, "." or ".."
};
PARTYWALL_API std::string_view to_string(name_errc) noexcept;
template <>
struct is_error_enum<name_errc> : std::true_type {};

/// What is named; decides the limit.
enum class name_kind : std::uint8_t { endpoint, domain, participant };

/// Says whether `name` may name an endpoint: 1 to `name_bytes_max` bytes, and no component is
/// empty, "." or "..", so neither a leading, a trailing nor a double '/'.
PARTYWALL_API result<void, name_errc> check_name(std::string_view name) noexcept;
/// The same for a domain: 1 to `domain_bytes_max` bytes, without rules for components.
PARTYWALL_API result<void, name_errc> check_domain(std::string_view name) noexcept;
/// The same for a participant: 1 to `participant_name_bytes_max` bytes, no rules for components.
PARTYWALL_API result<void, name_errc> check_participant_name(std::string_view name) noexcept;

/// The sentence for people: `the domain "a\x07" has a control byte (0x07) at offset 1`. The name
/// is shortened and escaped, so that it does no harm to a terminal or a log.
PARTYWALL_API std::string explain(name_errc, name_kind, std::string_view name);

/// A file name for any bytes: [A-Za-z0-9._-] stay, but for a leading '.'; every other byte
/// becomes %XX. Different inputs give different outputs; no output contains '/', starts with '.'
/// or has more than three times the bytes of its input.
PARTYWALL_API std::string encode_component(std::string_view bytes);
/// The inverse; nothing for what encode_component() cannot have made.
PARTYWALL_API std::optional<std::string> decode_component(std::string_view encoded);

} // namespace partywall::inline v0
