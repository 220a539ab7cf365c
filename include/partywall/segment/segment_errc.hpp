// SPDX-License-Identifier: BSL-1.0
// Why a segment or its directory could not be created or attached. What is refused is refused
// before it is mapped, and nothing is ever written to it.
#pragma once

#include <partywall/export.hpp>
#include <partywall/result.hpp>

#include <cstdint>
#include <string_view>

namespace partywall::inline v0 {

enum class segment_errc : std::uint8_t {
    not_found,            ///< no such file; or the directory itself is gone or was replaced
    exists,               ///< create: the name is taken
    no_space,             ///< the file system is full, or out of inodes or quota
    no_memory,            ///< memory, address space or descriptors ran out
    permission,           ///< the kernel refused access
    wrong_owner,          ///< belongs to another user (group-shared: to another group)
    wrong_mode,           ///< not exactly the permissions that we would have given
    wrong_type,           ///< not a regular file (for a directory: not a directory)
    linked,               ///< has more or fewer than one name
    wrong_size,           ///< shorter than a header, or not the size that its header says
    wrong_magic,          ///< not a partywall segment, or of the other byte order
    wrong_kind,           ///< another kind of segment
    wrong_layout_version, ///< made by an older or newer release
    wrong_layout,         ///< same version, other sizes or offsets: a differently built library
    wrong_identity,       ///< ticket or number in the header are not those of the name
    too_large,            ///< beyond segment_bytes_max, or the process's file size limit
    bad_argument,         ///< the caller's name, id or size makes no sense
    system,               ///< any other failure of a system call; see os_error
};

PARTYWALL_API std::string_view to_string(segment_errc code) noexcept;
template <>
struct is_error_enum<segment_errc> : std::true_type {};

using segment_failure = failure<segment_errc>;

} // namespace partywall::inline v0
