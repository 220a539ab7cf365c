// SPDX-License-Identifier: BSL-1.0
#include <partywall/os/process.hpp>

#include "errno_guard.hpp"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace partywall::inline v0::os {

unique_fd open_process(int pid) noexcept {
    // The C library of 2022 has no wrapper; the number is the same on every architecture.
    constexpr long sys_pidfd_open = 434;
    return unique_fd(static_cast<int>(::syscall(sys_pidfd_open, pid, 0U)));
}

std::uint64_t pid_namespace() noexcept {
    errno_guard const keep;
    struct stat status {};
    return ::stat("/proc/self/ns/pid", &status) == 0 ? static_cast<std::uint64_t>(status.st_ino)
                                                     : 0;
}

} // namespace partywall::inline v0::os
