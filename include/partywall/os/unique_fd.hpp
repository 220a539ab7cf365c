// SPDX-License-Identifier: BSL-1.0
// A file descriptor that closes itself. The library keeps none of them for longer than one call:
// an application may close every descriptor that it did not open (daemons do).
#pragma once

#include <partywall/export.hpp>

#include <sys/types.h>

#include <utility>

namespace partywall::inline v0::os {

class unique_fd {
  public:
    unique_fd() noexcept = default;
    explicit unique_fd(int fd) noexcept : fd_(fd) {}
    unique_fd(unique_fd&& other) noexcept : fd_(other.release()) {}
    unique_fd& operator=(unique_fd&& other) noexcept {
        reset(other.release());
        return *this;
    }
    unique_fd(unique_fd const&) = delete;
    unique_fd& operator=(unique_fd const&) = delete;
    ~unique_fd() { reset(); }

    int get() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }
    int release() noexcept { return std::exchange(fd_, -1); }
    /// Closes what it held; errno stays what it was.
    PARTYWALL_API void reset(int fd = -1) noexcept;

  private:
    int fd_ = -1;
};

/// openat() that adds O_CLOEXEC, retries EINTR, and never answers 0, 1 or 2: an application that
/// closed its standard descriptors would print into our segment. Empty on failure, with errno.
PARTYWALL_API unique_fd open_at(int directory, char const* path, int flags,
                                mode_t mode = 0) noexcept;
PARTYWALL_API unique_fd open(char const* path, int flags, mode_t mode = 0) noexcept;

} // namespace partywall::inline v0::os
