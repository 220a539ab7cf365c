// SPDX-License-Identifier: BSL-1.0
// Rounds of other kinds: instruction by instruction, and with a recoverer that dies first.
#include "stage.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <system_error>
#include <thread>

namespace partywall::test {
namespace {

[[noreturn]] void fail(char const* what) {
    throw std::runtime_error(std::string(what) + ": " + std::generic_category().message(errno));
}

/// The signal that stopped it; 0 when it ended.
int wait_for_stop_of(pid_t pid) {
    int status = 0;
    // WNOWAIT is not for stops of the traced; its end is left to child::wait().
    siginfo_t info{};
    while (::waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED | WEXITED | WNOWAIT) != 0) {
        if (errno != EINTR) {
            fail("waitid");
        }
    }
    if (info.si_code == CLD_EXITED || info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED) {
        return 0;
    }
    while (::waitpid(pid, &status, __WALL) < 0) {
        if (errno != EINTR) {
            fail("waitpid");
        }
    }
    return WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
}

void go_on(__ptrace_request how, pid_t pid) {
    if (::ptrace(how, pid, nullptr, nullptr) != 0) {
        fail("ptrace");
    }
}

} // namespace

void stage::follow(pid_t pid) {
    if (::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) != 0) {
        fail("ptrace");
    }
}

/// From the first signal on `steps` instructions are made. True when that is beyond the second
/// signal: then the victim runs on.
bool stage::step_to_end(std::uint64_t steps) {
    pid_t const pid = victim_->pid();
    while (wait_for_stop_of(pid) != SIGUSR1) {
        go_on(PTRACE_CONT, pid);
    }
    for (std::uint64_t i = 0; i < steps; ++i) {
        go_on(PTRACE_SINGLESTEP, pid);
        int const signal = wait_for_stop_of(pid);
        if (signal == SIGUSR2) {
            instructions_ = i;
            if (::ptrace(PTRACE_DETACH, pid, nullptr, nullptr) != 0) {
                fail("ptrace");
            }
            return true;
        }
        if (signal != SIGTRAP) {
            violation("while stepping: signal " + std::to_string(signal));
            return false;
        }
    }
    return false;
}

bool stage::round_stepped(std::uint64_t steps) {
    begin_round("step", steps);
    moment_ = "after " + std::to_string(steps) + " instructions";
    bool const completed = step_to_end(steps);
    if (!completed) {
        victim_->kill(SIGKILL);
    }
    finish_round(wait_for_end());
    return !completed;
}

void stage::round_timed(std::chrono::microseconds life) {
    begin_round("run", 0);
    moment_ = "killed after " + std::to_string(life.count()) + " us";
    auto const until = std::chrono::steady_clock::now() + life;
    while (std::chrono::steady_clock::now() < until) {
        if (what_.meanwhile != nullptr) {
            what_.meanwhile(*this);
        }
        std::this_thread::yield();
    }
    victim_->kill(SIGKILL);
    finish_round(wait_for_end());
}

} // namespace partywall::test
