// SPDX-License-Identifier: BSL-1.0
// A root directory of a test's own, in shared memory.
#pragma once

#include <string>
#include <vector>

namespace partywall::test {

/// What      creates <shm>/partywall-test-<pid>-<n>, mode 0700, and removes it with all that is
///           in it at the end. <shm> is $PARTYWALL_TEST_SHM, else /dev/shm.
/// Use when  a test needs a place for domains: pass path() as the root of every join.
/// Not when  in a role: the test makes the root and passes its path to the role.
class scratch_root {
  public:
    scratch_root();
    ~scratch_root();
    scratch_root(scratch_root const&) = delete;
    scratch_root& operator=(scratch_root const&) = delete;

    std::string const& path() const noexcept { return path_; }

    /// Everything below the root, as sorted relative paths; directories end with '/'.
    std::vector<std::string> leftovers() const;

  private:
    std::string path_;
};

/// Removes the scratch roots that killed test runs left behind: those of this user whose process
/// is gone and that nobody touched for an hour. Returns how many.
int sweep_scratch_roots();

} // namespace partywall::test
