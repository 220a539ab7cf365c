// SPDX-License-Identifier: BSL-1.0
#include <partywall/os/unique_fd.hpp>

#include "errno_guard.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace partywall::inline v0::os {

void unique_fd::reset(int fd) noexcept {
    int const old = std::exchange(fd_, fd);
    if (old >= 0) {
        errno_guard const keep;
        // Not retried on EINTR: Linux has closed it by then, and another thread may have the
        // number already.
        ::close(old);
    }
}

unique_fd open_at(int directory, char const* path, int flags, mode_t mode) noexcept {
    int fd = -1;
    do {
        fd = ::openat(directory, path, flags | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    unique_fd opened{fd};
    if (fd >= 0 && fd <= STDERR_FILENO) {
        return unique_fd{::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)};
    }
    return opened;
}

unique_fd open(char const* path, int flags, mode_t mode) noexcept {
    return open_at(AT_FDCWD, path, flags, mode);
}

} // namespace partywall::inline v0::os
