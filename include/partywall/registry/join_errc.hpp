// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/export.hpp>
#include <partywall/result.hpp>

#include <cstdint>
#include <string_view>

namespace partywall::inline v0 {

/// Why a process could not join a domain, or a viewer could not open it.
enum class join_errc : std::uint8_t {
    bad_name = 1, ///< the participant's name is not one
    bad_domain,   ///< the domain's name is not one
    bad_root,     ///< no directory, not to be made, or on a file system without lasting locks
    permission,   ///< a file or directory belongs to somebody else, or its mode is wrong
    no_space,     ///< the file system of the root is full
    incompatible, ///< the registry has another layout: another version of partywall
    too_many_participants, ///< participants_max processes are there, all alive
    domain_gone,           ///< the registry is removed again and again while we join
    out_of_tickets,        ///< ticket_max joins were made: remove the domain's directory
    not_found,             ///< registry_view only: there is no such domain
    system,                ///< a system call failed: see os_error
};

PARTYWALL_API std::string_view to_string(join_errc e) noexcept;
template <>
struct is_error_enum<join_errc> : std::true_type {};

} // namespace partywall::inline v0
