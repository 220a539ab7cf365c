// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>
#include <sys/stat.h>

namespace partywall::test {

class umask_guard {
  public:
    explicit umask_guard(mode_t mask) : old_(::umask(mask)) {}
    ~umask_guard() { ::umask(old_); }
    umask_guard(umask_guard const&) = delete;
    umask_guard& operator=(umask_guard const&) = delete;

  private:
    mode_t old_;
};

/// The permission bits of what `path` names, links not followed.
inline mode_t mode_of(std::string const& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
}

} // namespace partywall::test
