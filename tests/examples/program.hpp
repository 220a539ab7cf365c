// SPDX-License-Identifier: BSL-1.0
// Runs a program of examples/ as a person would: by its name, with its own output, in a domain of
// the test's own.
#pragma once

#include "support/role.hpp"
#include "support/scratch_root.hpp"

#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace partywall::test {

/// What      <build>/bin/<name> with its arguments, PARTYWALL_ROOT set to `root`, and standard
///           output and error caught.
/// Callers   one thread, which outlives the program: the kernel kills the program when it ends.
/// Errors    these throw, and so fail the test, when the program does not do as expected within
///           50 s; the exception shows what it printed.
class program {
  public:
    program(std::string name, std::vector<std::string> arguments, scratch_root const& root);
    ~program(); // killed and reaped
    program(program const&) = delete;
    program& operator=(program const&) = delete;

    /// Reads on until the output has `text` in it, anywhere.
    void expect(std::string_view text);
    void kill(int signal);
    /// Reads on to the end, and reaps. May be asked again.
    exit_status wait();
    /// What was read up to now.
    std::string const& output() const noexcept { return output_; }

  private:
    /// False at the end of the output.
    bool read_on();
    [[noreturn]] void fail(std::string const& what) const;

    std::string name_;
    std::string output_;
    pid_t pid_ = -1;
    int pipe_ = -1;
    bool reaped_ = false;
    exit_status status_;
};

} // namespace partywall::test
