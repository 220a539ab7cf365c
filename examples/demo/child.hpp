// SPDX-License-Identifier: BSL-1.0
// A process that runs a role of the demo.
#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

namespace demo {

/// This very program, executed anew. Killed and reaped with the object, and by the kernel if we
/// are killed ourselves.
class child {
  public:
    explicit child(std::vector<std::string> role_arguments);
    ~child();
    child(child const&) = delete;
    child& operator=(child const&) = delete;

    /// Its next line; throws std::runtime_error when it ended, or said nothing for 20 s.
    std::string line();
    /// The next line must be `expected`, or begin with it and a space: returns the rest.
    std::string expect(std::string const& expected);
    /// SIGKILL, and waits until it is gone. Returns the time just before.
    std::uint64_t kill();
    /// Waits for its end; throws unless its exit code is 0.
    void end();

  private:
    [[noreturn]] void fail(std::string const& what) const;
    int reap();

    std::string name_;
    std::string unread_;
    pid_t pid_ = -1;
    int pipe_ = -1;
};

/// Makes waiting in a child fail when the demo is interrupted, so that everything is cleaned up.
void catch_interrupts();

} // namespace demo
