// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/export.hpp>
#include <partywall/result.hpp>

#include <cstdint>
#include <string_view>

namespace partywall::inline v0 {

/// Why there is no descriptor to wait through.
enum class descriptor_errc : std::uint8_t {
    too_many_descriptors = 1, ///< this process, or the system, has no more of them
    too_many_endpoints,       ///< endpoints_max numbers were used: join again
    no_space,                 ///< the domain's file system has no room for a pipe
    no_memory,                ///< this process could not allocate
    permission,  ///< the domain's directory may not be written, or a sandbox forbids it
    domain_gone, ///< somebody deleted the domain's directory
    closed,      ///< the handle was closed, or moved from
    forked,      ///< the handle belongs to the parent process
    system,      ///< another system call failed; see os_error
};

/// A text for people; a zero follows it.
[[nodiscard]] PARTYWALL_API std::string_view to_string(descriptor_errc e) noexcept;
template <>
struct is_error_enum<descriptor_errc> : std::true_type {};

} // namespace partywall::inline v0
