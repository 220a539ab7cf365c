// SPDX-License-Identifier: BSL-1.0
#include "child.hpp"

#include "logbook.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace demo {
namespace {

constexpr std::uint64_t patience_ns = 20'000'000'000;

volatile std::sig_atomic_t interrupted = 0;

/// In the child, between fork and exec: only async-signal-safe calls.
[[noreturn]] void execute(pid_t parent, int output, char* const* arguments) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() == parent && ::dup2(output, STDOUT_FILENO) >= 0) {
        ::execv("/proc/self/exe", arguments);
    }
    ::_exit(127);
}

} // namespace

void catch_interrupts() {
    struct sigaction action {}; // without SA_RESTART: it must end the wait
    action.sa_handler = [](int) { interrupted = 1; };
    for (int const signal : {SIGINT, SIGTERM, SIGHUP}) {
        ::sigaction(signal, &action, nullptr);
    }
}

child::child(std::vector<std::string> role_arguments) : name_(role_arguments.at(0)) {
    role_arguments.insert(role_arguments.begin(), {"partywall-demo", "--role"});
    std::vector<char*> arguments;
    for (std::string& one : role_arguments) {
        arguments.push_back(one.data());
    }
    arguments.push_back(nullptr);
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        throw std::system_error(errno, std::generic_category(), "pipe2");
    }
    pid_t const parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) {
        execute(parent, ends[1], arguments.data());
    }
    int const error = errno;
    ::close(ends[1]);
    pipe_ = ends[0];
    if (pid_ < 0) {
        ::close(pipe_);
        throw std::system_error(error, std::generic_category(), "fork");
    }
}

child::~child() {
    if (pid_ > 0) {
        kill();
    }
    ::close(pipe_);
}

void child::fail(std::string const& what) const {
    throw std::runtime_error("the process '" + name_ + "' " + what);
}

std::string child::line() {
    std::uint64_t const until = now_ns() + patience_ns;
    std::array<char, 4096> some;
    for (;;) {
        if (auto const end = unread_.find('\n'); end != std::string::npos) {
            std::string one = unread_.substr(0, end);
            unread_.erase(0, end + 1);
            return one;
        }
        pollfd what{pipe_, POLLIN, 0};
        std::uint64_t const now = now_ns();
        int const left_ms = now < until ? static_cast<int>((until - now) / 1'000'000) : 0;
        int const ready = ::poll(&what, 1, left_ms);
        if (interrupted != 0) {
            throw std::runtime_error("interrupted");
        }
        if (ready == 0) {
            fail("says nothing");
        }
        ssize_t const got = ready > 0 ? ::read(pipe_, some.data(), some.size()) : -1;
        if (got == 0) {
            fail("ended too early");
        }
        unread_.append(some.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    }
}

std::string child::expect(std::string const& expected) {
    std::string const said = line();
    if (said == expected) {
        return {};
    }
    if (!said.starts_with(expected + ' ')) {
        fail("said '" + said + "' instead of '" + expected + "'");
    }
    return said.substr(expected.size() + 1);
}

std::uint64_t child::kill() {
    std::uint64_t const when = now_ns();
    ::kill(pid_, SIGKILL);
    reap();
    return when;
}

void child::end() {
    if (int const status = reap(); !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail("did not end well");
    }
}

int child::reap() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
}

} // namespace demo
