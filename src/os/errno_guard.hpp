// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cerrno>

namespace partywall::inline v0::os {

/// Gives errno back as it was found: the functions that promise so may run inside signal handlers
/// and inside the application's own error handling.
class errno_guard {
  public:
    errno_guard() noexcept = default;
    errno_guard(errno_guard const&) = delete;
    errno_guard& operator=(errno_guard const&) = delete;
    ~errno_guard() { errno = saved_; }

  private:
    int saved_ = errno;
};

} // namespace partywall::inline v0::os
