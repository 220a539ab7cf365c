// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/export.hpp>
#include <partywall/result.hpp>

#include <cstdint>
#include <string_view>

namespace partywall::inline v0 {

/// Why an operation on the registry did not succeed.
enum class registry_errc : std::uint8_t {
    bad_name = 1,     ///< the name of the endpoint is not one
    bad_metadata,     ///< a key is empty, too long or twice there, or all together too long
    too_many_entries, ///< entries_max are in use, by the living
    not_found,        ///< no such entry (any more), or not an entry of this participant
    domain_gone,      ///< somebody removed the registry file: this domain has no future
    timed_out,        ///< nothing changed before the deadline
    interrupted,      ///< interrupt() was called
    forked,           ///< this is a forked child of the process that joined
    corrupt,          ///< bytes of the registry cannot be what a participant wrote
    too_many_records, ///< records_max are in use, by the living
    incompatible,     ///< another version of partywall made the record: its layout is another
    system,           ///< a system call failed: see os_error
};

PARTYWALL_API std::string_view to_string(registry_errc e) noexcept;
template <>
struct is_error_enum<registry_errc> : std::true_type {};

} // namespace partywall::inline v0
