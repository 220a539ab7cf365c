// SPDX-License-Identifier: BSL-1.0
// What makes a file this file and not its successor of the same name.
#pragma once

#include <partywall/export.hpp>

#include <sys/types.h>

#include <optional>

struct stat;

namespace partywall::inline v0::os {

struct file_identity {
    dev_t dev = 0;
    ino_t ino = 0;
    friend bool operator==(file_identity const&, file_identity const&) noexcept = default;
};

PARTYWALL_API file_identity identity_of(struct stat const& status) noexcept;
/// Of what `path` names now, symbolic links not followed. Nothing, with errno, where it names
/// nothing.
PARTYWALL_API std::optional<file_identity> identity_of(char const* path) noexcept;
/// Of an open file.
PARTYWALL_API std::optional<file_identity> identity_of(int fd) noexcept;

} // namespace partywall::inline v0::os
