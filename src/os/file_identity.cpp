// SPDX-License-Identifier: BSL-1.0
#include <partywall/os/file_identity.hpp>

#include <sys/stat.h>

namespace partywall::inline v0::os {

file_identity identity_of(struct stat const& status) noexcept {
    return {status.st_dev, status.st_ino};
}

std::optional<file_identity> identity_of(char const* path) noexcept {
    struct stat status {};
    if (::lstat(path, &status) != 0) {
        return std::nullopt;
    }
    return identity_of(status);
}

std::optional<file_identity> identity_of(int fd) noexcept {
    struct stat status {};
    if (::fstat(fd, &status) != 0) {
        return std::nullopt;
    }
    return identity_of(status);
}

} // namespace partywall::inline v0::os
