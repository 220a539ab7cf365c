// SPDX-License-Identifier: BSL-1.0
// A command that answers a request: its bytes go to the command's standard input, and the standard
// output is the reply. The command is executed as it is; no shell sees it. It has a process group of
// its own, which is killed when the deadline of who asked passes.
#pragma once

#include <partywall/calls/deferred.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <poll.h>
#include <span>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace partywall::cli {

/// Codes with which `serve` and `respond` fail by themselves, as shells and timeout(1) have them. Any
/// other is the command's exit code, or 128 + the signal that ended it.
enum job_code : int {
    job_too_late = 124,    ///< the deadline passed: killed
    job_too_long = 125,    ///< more output than there may be: killed
    job_not_started = 127, ///< no such command, or no room for another process
};

/// How every command of a server or respondent is run.
struct job_rules {
    std::vector<std::string> words; ///< of the command
    std::uint64_t output_max = 0;
    bool as_is = false;      ///< a newline at the end of the output is part of the reply
    int code_to_decline = 0; ///< the exit code that says that there is nothing to say; 0: none
};

/// Callers   one thread: step() whenever a descriptor is ready, or time has passed.
/// Progress  nothing here waits, for the command or for anybody else.
/// Ends      when the command has ended and its output is closed, or was killed; the call has its
///           answer by then.
class job {
  public:
    /// Starts the command. If it cannot be started the call has failed, and the job is over.
    job(job_rules const& rules, std::span<std::byte const> request, deferred<bytes> answer);
    ~job(); // kills what runs; the call fails
    job(job const&) = delete;
    job& operator=(job const&) = delete;

    bool over() const noexcept { return pid_ < 0; }
    /// What to wait for before the next step().
    void add_to(std::vector<pollfd>& all) const;
    /// By when there is a next step() in any case.
    std::chrono::steady_clock::time_point due() const noexcept;
    void step();
    /// Ends it now: the call fails.
    void kill(int code, std::string_view why);

  private:
    /// -1: closed.
    struct pipe_end {
        int fd = -1;
        ~pipe_end() { close(); }
        void close() noexcept;
    };

    void start();
    void feed() noexcept;
    void hear_output();
    void hear_errors();
    void look_for_end() noexcept;
    void answer();
    void bury() noexcept;

    job_rules const& rules_;
    std::vector<std::byte> request_;
    std::size_t fed_ = 0;
    deferred<bytes> answer_;
    std::string output_;
    std::string complaint_; ///< the first line of its standard error, as far as a call can carry it
    bool complained_ = false; ///< that line is complete
    pipe_end in_;
    pipe_end out_;
    pipe_end err_;
    pipe_end process_; ///< readable at its end
    pid_t pid_ = -1;   ///< -1: buried
    bool ended_ = false;
    bool answered_ = false;
    int code_ = 0; ///< its exit code, or 128 + the signal
};

} // namespace partywall::cli
