// SPDX-License-Identifier: BSL-1.0
// Runs the real `partywall` command as a shell would.
#pragma once

#include "support/role.hpp"

#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace partywall::test {

using arguments = std::vector<std::string>;

/// Where the standard streams of a command go.
struct streams {
    enum class kind : unsigned char { file, pipe, closed };
    kind in = kind::file;
    std::string in_path = "/dev/null";
    kind out = kind::file;
    std::string out_path = {};         ///< empty: kept, see tool::out()
    std::vector<std::string> env = {}; ///< more of the environment: "NAME=value"
};
inline streams from_pipe() { return {.in = streams::kind::pipe}; }
inline streams to_pipe() { return {.out = streams::kind::pipe}; }
inline streams to_file(std::string path) { return {.out_path = std::move(path)}; }

/// What      `partywall` with its arguments, PARTYWALL_ROOT set to `root` (unset if empty), and
///           its standard error kept.
/// Callers   one thread, which outlives the command: the kernel kills the command when it ends.
/// Errors    these throw, and so fail the test, where something must be broken: after 50 s.
class tool {
  public:
    tool(std::string const& root, arguments args, streams const& how = {});
    ~tool(); // killed and reaped
    tool(tool const&) = delete;
    tool& operator=(tool const&) = delete;

    pid_t pid() const noexcept { return pid_; }
    /// To its standard input (streams::kind::pipe).
    void write(std::string_view text);
    void close_in();
    /// So many bytes of its standard output; fewer at its end.
    std::string read(std::size_t bytes);
    /// From its standard output (streams::kind::pipe), without the newline; what was left of the
    /// last line at the end of the output.
    std::string read_line();
    /// The bytes of its standard output up to its end.
    std::string read_all();
    void close_out();
    /// Bytes that wait in the pipe from its standard output.
    std::size_t bytes_waiting() const;

    void kill(int signal);
    /// SIGSTOP, and waits until the process is stopped; resume() lets it go on.
    void stop();
    void resume();
    /// Waits for the end and reaps. May be asked again.
    exit_status wait();

    /// What it wrote up to now, if that was kept.
    std::string out() const;
    std::string err() const;

  private:
    std::string describe() const;
    bool read_on();

    arguments args_;
    pid_t pid_ = -1;
    int pidfd_ = -1;
    int in_ = -1;
    int out_ = -1;
    int kept_out_ = -1;
    int kept_err_ = -1;
    std::string pending_; ///< read from its output, not yet asked for
    bool reaped_ = false;
    exit_status status_;
};

/// A command that ran to its end.
struct finished {
    exit_status status;
    std::string out;
    std::string err;
};
finished run(std::string const& root, arguments const& args, std::string_view input = {});
finished run(std::string const& root, arguments const& args, streams const& how);

std::string read_file(std::string const& path);
void write_file(std::string const& path, std::string_view content);

} // namespace partywall::test
