// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/export.hpp>
#include <partywall/result.hpp>

#include <cstdint>
#include <string_view>
#include <type_traits>

namespace partywall::inline v0 {

/// Why something could not be put into a wait_set. The set is as it was.
enum class wait_add_errc : std::uint8_t {
    closed = 1,           ///< the handle, or the set, was closed or moved from
    forked,               ///< the set belongs to the parent process
    already_waited_for,   ///< the handle or the descriptor is in this or in another set
    other_participant,    ///< the handle was made by another participant than the set
    bad_argument,         ///< a negative period, no events, the own ticket, no descriptor
    not_pollable,         ///< epoll cannot wait for such a descriptor: a regular file, for instance
    too_many_descriptors, ///< this process, or the system, has no more of them
    no_memory,            ///< this process could not allocate
    system,               ///< another system call failed
};

/// Why a wait returned without anything being ready.
enum class wait_errc : std::uint8_t {
    timed_out = 1, ///< nothing was ready before the deadline
    interrupted,   ///< interrupt() was called
    closed,        ///< the set was moved from
    forked,        ///< the set belongs to the parent process
};

/// A text for people; a zero follows it.
[[nodiscard]] PARTYWALL_API std::string_view to_string(wait_add_errc e) noexcept;
[[nodiscard]] PARTYWALL_API std::string_view to_string(wait_errc e) noexcept;
template <>
struct is_error_enum<wait_add_errc> : std::true_type {};
template <>
struct is_error_enum<wait_errc> : std::true_type {};

} // namespace partywall::inline v0
