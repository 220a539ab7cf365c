// SPDX-License-Identifier: BSL-1.0
#include "program.hpp"

#include "support/counts.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace partywall::test {
namespace {

constexpr std::chrono::milliseconds wait_limit{50'000};
constexpr int code_cannot_execute = 95;

[[noreturn]] void throw_errno(char const* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

/// The environment of this test without partywall's variables, and with this root.
std::vector<std::string> environment_with(std::string const& root) {
    std::vector<std::string> all;
    for (char** entry = ::environ; *entry != nullptr; ++entry) {
        std::string_view const one = *entry;
        if (!one.starts_with("PARTYWALL_ROOT=") && !one.starts_with("PARTYWALL_DOMAIN=")) {
            all.emplace_back(one);
        }
    }
    all.push_back("PARTYWALL_ROOT=" + root);
    return all;
}

std::vector<char*> pointers_to(std::vector<std::string>& all) {
    std::vector<char*> pointers;
    for (std::string& one : all) {
        pointers.push_back(one.data());
    }
    pointers.push_back(nullptr);
    return pointers;
}

/// In the child, between fork and exec: only async-signal-safe calls.
[[noreturn]] void execute(pid_t parent, int output, char const* path, char* const* arguments,
                          char* const* environment) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent || ::dup2(output, STDOUT_FILENO) < 0 ||
        ::dup2(output, STDERR_FILENO) < 0) {
        ::_exit(code_cannot_execute);
    }
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execve(path, arguments, environment);
    ::_exit(code_cannot_execute);
}

} // namespace

program::program(std::string name, std::vector<std::string> arguments, scratch_root const& root)
    : name_(std::move(name)) {
    std::string const path = std::string(PARTYWALL_TEST_BIN_DIR) + '/' + name_;
    arguments.insert(arguments.begin(), name_);
    std::vector<char*> const argv = pointers_to(arguments);
    std::vector<std::string> environment = environment_with(root.path());
    std::vector<char*> const envp = pointers_to(environment);
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        throw_errno("pipe2");
    }
    pid_t const parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) {
        execute(parent, ends[1], path.c_str(), argv.data(), envp.data());
    }
    int const error = errno;
    ::close(ends[1]);
    pipe_ = ends[0];
    if (pid_ < 0) {
        ::close(pipe_);
        errno = error;
        throw_errno("fork");
    }
}

program::~program() {
    if (!reaped_) {
        ::kill(pid_, SIGKILL);
        while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
    ::close(pipe_);
}

void program::fail(std::string const& what) const {
    throw std::runtime_error(name_ + " " + what + "; its output:\n" + output_);
}

bool program::read_on() {
    auto const until = std::chrono::steady_clock::now() + scaled(wait_limit);
    std::array<char, 4096> some;
    for (;;) {
        auto const left =
            std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        if (left.count() <= 0) {
            fail("says nothing and does not end");
        }
        pollfd what{pipe_, POLLIN, 0};
        if (::poll(&what, 1, static_cast<int>(left.count())) <= 0) {
            continue;
        }
        ssize_t const got = ::read(pipe_, some.data(), some.size());
        if (got >= 0) {
            output_.append(some.data(), static_cast<std::size_t>(got));
            return got != 0;
        }
        if (errno != EINTR) {
            throw_errno("read");
        }
    }
}

void program::expect(std::string_view text) {
    while (output_.find(text) == std::string::npos) {
        if (!read_on()) {
            fail("ended without saying '" + std::string(text) + "'");
        }
    }
}

void program::kill(int signal) {
    if (!reaped_ && ::kill(pid_, signal) != 0) {
        throw_errno("kill");
    }
}

exit_status program::wait() {
    while (!reaped_ && read_on()) {
    }
    int raw = 0;
    while (!reaped_) {
        if (::waitpid(pid_, &raw, 0) == pid_) {
            reaped_ = true;
            status_ = WIFEXITED(raw) ? exited(WEXITSTATUS(raw)) : killed_by(WTERMSIG(raw));
        } else if (errno != EINTR) {
            throw_errno("waitpid");
        }
    }
    return status_;
}

} // namespace partywall::test
