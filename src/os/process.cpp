// SPDX-License-Identifier: BSL-1.0
#include <partywall/os/process.hpp>

#include "errno_guard.hpp"

#include <array>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace partywall::inline v0::os {

unique_fd open_process(int pid) noexcept {
    // The C library of 2022 has no wrapper; the number is the same on every architecture.
    constexpr long sys_pidfd_open = 434;
    return unique_fd(static_cast<int>(::syscall(sys_pidfd_open, pid, 0U)));
}

std::uint64_t resident_bytes(int pid) noexcept {
    constexpr std::uint64_t unknown = ~std::uint64_t{0};
    errno_guard const keep;
    std::array<char, 32> path{"/proc/"}; // no heap
    char* at = std::to_chars(path.data() + 6, path.data() + 20, pid).ptr;
    std::memcpy(at, "/statm", 7);
    unique_fd const file(::open(path.data(), O_RDONLY | O_CLOEXEC));
    std::array<char, 128> text{};
    ssize_t const read = file ? ::read(file.get(), text.data(), text.size()) : -1;
    if (read <= 0) {
        return unknown;
    }
    char const* const end = text.data() + read;
    std::uint64_t pages = 0; // the first number is all that is mapped, the second what is there
    auto const mapped = std::from_chars(text.data(), end, pages);
    if (mapped.ec != std::errc{} || mapped.ptr == end ||
        std::from_chars(mapped.ptr + 1, end, pages).ec != std::errc{}) {
        return unknown;
    }
    return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::uint64_t pid_namespace() noexcept {
    errno_guard const keep;
    struct stat status {};
    return ::stat("/proc/self/ns/pid", &status) == 0 ? static_cast<std::uint64_t>(status.st_ino)
                                                     : 0;
}

} // namespace partywall::inline v0::os
