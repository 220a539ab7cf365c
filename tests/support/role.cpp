// SPDX-License-Identifier: BSL-1.0
#include "role.hpp"

#include "counts.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <map>
#include <ostream>
#include <poll.h>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace partywall::test {
namespace {

constexpr std::string_view role_flag = "--partywall-role=";
constexpr std::string_view control_flag = "--partywall-control=";
constexpr std::size_t line_bytes_max = 64 * 1024;
constexpr std::chrono::milliseconds wait_limit{50'000};
constexpr int code_unexpected_line = 97;
constexpr int code_exception = 98;
constexpr int code_check = 99;
constexpr int code_no_such_role = 96;
constexpr int code_cannot_execute = 95;

using role_map = std::map<std::string, role_registry::role_function, std::less<>>;
role_map& roles() {
    static role_map all;
    return all;
}

[[noreturn]] void throw_errno(std::string const& what) {
    throw std::runtime_error(what + ": " + std::generic_category().message(errno));
}

/// Waits until one of the descriptors (-1: none) is readable; false when the limit ran out.
bool wait_readable(int descriptor, int other = -1) {
    auto const until = std::chrono::steady_clock::now() + scaled(wait_limit);
    for (;;) {
        auto const left =
            std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        if (left.count() <= 0) {
            return false;
        }
        pollfd what[] = {{descriptor, POLLIN, 0}, {other, POLLIN, 0}};
        int const ready = ::poll(what, 2, static_cast<int>(left.count()));
        if (ready > 0) {
            return true;
        }
        if (ready < 0 && errno != EINTR) {
            throw_errno("poll");
        }
    }
}

std::string in_quotes(std::string_view line) {
    std::string text(1, '\''); // "'" + ... looks like an overlapping copy to GCC 12 at -O3
    text += line;
    text += '\'';
    return text;
}

/// In the child, between fork and exec: only async-signal-safe calls.
[[noreturn]] void execute_role(pid_t parent, int control, char* const* arguments) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) { // it died before the line above
        ::_exit(code_cannot_execute);
    }
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::fcntl(control, F_SETFD, 0);
    ::execv("/proc/self/exe", arguments);
    ::_exit(code_cannot_execute);
}

} // namespace

std::ostream& operator<<(std::ostream& out, exit_status s) {
    return s.exited ? out << "exited with code " << s.value
                    : out << "killed by signal " << s.value << " (" << ::strsignal(s.value) << ")";
}

line_socket::~line_socket() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
}
line_socket::line_socket(line_socket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}
line_socket& line_socket::operator=(line_socket&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
}

bool line_socket::send(std::string_view line) {
    if (line.empty() || line.size() > line_bytes_max) { // an empty one would look like the end
        throw std::invalid_argument("a line has 1 to 65536 bytes");
    }
    for (;;) {
        if (::send(descriptor_, line.data(), line.size(), MSG_NOSIGNAL) >= 0) {
            return true;
        }
        if (errno != EINTR) {
            return false;
        }
    }
}

std::optional<std::string> line_socket::receive(int pidfd) {
    if (!wait_readable(descriptor_, pidfd)) {
        throw std::runtime_error("no line within the limit");
    }
    std::string line(line_bytes_max, '\0');
    for (;;) {
        // Does not wait: if only the pidfd was readable, nothing more will come.
        ssize_t const got = ::recv(descriptor_, line.data(), line.size(), MSG_DONTWAIT);
        if (got > 0) {
            line.resize(static_cast<std::size_t>(got));
            return line;
        }
        if (got == 0 || errno != EINTR) {
            return std::nullopt;
        }
    }
}

void role_context::send(std::string_view line) {
    if (!socket_.send(line)) {
        ::_exit(code_exception);
    }
}
std::string role_context::receive() {
    auto line = socket_.receive();
    if (!line) {
        ::_exit(code_exception);
    }
    return *std::move(line);
}
void role_context::expect(std::string_view line) {
    if (std::string const got = receive(); got != line) {
        std::fprintf(stderr, "role: expected %s, the test said %s\n", in_quotes(line).c_str(),
                     in_quotes(got).c_str());
        ::_exit(code_unexpected_line);
    }
}
void role_context::hang() {
    for (;;) {
        ::pause();
    }
}

child::~child() {
    if (pid_ > 0 && !status_) {
        ::kill(pid_, SIGKILL);
        while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
    if (pidfd_ >= 0) {
        ::close(pidfd_);
    }
}
child::child(child&& other) noexcept { *this = std::move(other); }
child& child::operator=(child&& other) noexcept {
    std::swap(role_, other.role_);
    std::swap(pid_, other.pid_);
    std::swap(pidfd_, other.pidfd_);
    std::swap(socket_, other.socket_);
    std::swap(status_, other.status_);
    return *this;
}

void child::fail(std::string const& what) {
    throw std::runtime_error("role " + role_ + " (pid " + std::to_string(pid_) + "): " + what);
}

void child::send(std::string_view line) {
    if (!socket_.send(line)) {
        fail("is gone; " + in_quotes(line) + " could not be sent");
    }
}
std::string child::receive() {
    std::optional<std::string> line;
    try {
        line = socket_.receive(pidfd_);
    } catch (std::exception const& e) {
        fail(e.what());
    }
    if (!line) {
        exit_status const status = wait();
        fail((status.exited ? "ended with exit code " : "ended by signal ") +
             std::to_string(status.value) + " while a line was waited for");
    }
    return *std::move(line);
}
void child::expect(std::string_view line) {
    if (std::string const got = receive(); got != line) {
        fail("expected " + in_quotes(line) + ", it said " + in_quotes(got));
    }
}

void child::kill(int signal) {
    if (pid_ > 0 && !status_ && ::kill(pid_, signal) != 0) {
        throw_errno("kill");
    }
}
void child::stop() {
    kill(SIGSTOP);
    siginfo_t info{};
    while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED | WEXITED | WNOWAIT) < 0) {
        if (errno != EINTR) {
            throw_errno("waitid");
        }
    }
    if (info.si_code != CLD_STOPPED) {
        fail("ended instead of stopping");
    }
}
void child::resume() { kill(SIGCONT); }

exit_status child::wait() {
    if (status_) {
        return *status_;
    }
    if (!wait_readable(pidfd_)) {
        fail("did not end within the limit");
    }
    int raw = 0;
    while (::waitpid(pid_, &raw, 0) < 0) {
        if (errno != EINTR) {
            throw_errno("waitpid");
        }
    }
    status_ = WIFEXITED(raw) ? exited(WEXITSTATUS(raw)) : killed_by(WTERMSIG(raw));
    return *status_;
}

child spawn(std::string_view role, std::vector<std::string> arguments) {
    if (!roles().contains(role)) {
        throw std::invalid_argument("there is no role " + std::string(role));
    }
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        throw_errno("socketpair");
    }
    line_socket ours(ends[0]);
    line_socket theirs(ends[1]);
    arguments.insert(arguments.begin(),
                     {"partywall-role", std::string(role_flag) + std::string(role),
                      std::string(control_flag) + std::to_string(theirs.descriptor())});
    std::vector<char*> pointers;
    for (std::string& argument : arguments) {
        pointers.push_back(argument.data());
    }
    pointers.push_back(nullptr);

    child started;
    started.role_ = role;
    started.socket_ = std::move(ours);
    pid_t const parent = ::getpid();
    started.pid_ = ::fork();
    if (started.pid_ < 0) {
        throw_errno("fork");
    }
    if (started.pid_ == 0) {
        execute_role(parent, theirs.descriptor(), pointers.data());
    }
    started.pidfd_ = static_cast<int>(::syscall(SYS_pidfd_open, started.pid_, 0)); // is CLOEXEC
    if (started.pidfd_ < 0) {
        throw_errno("pidfd_open");
    }
    return started;
}

std::optional<int> run_asked_role(int argc, char** argv) {
    if (argc < 3 || !std::string_view(argv[1]).starts_with(role_flag) ||
        !std::string_view(argv[2]).starts_with(control_flag)) {
        return std::nullopt;
    }
    std::string_view const name = std::string_view(argv[1]).substr(role_flag.size());
    int const control = std::atoi(argv[2] + control_flag.size());
    ::fcntl(control, F_SETFD, FD_CLOEXEC); // grandchildren must not keep the socket open
    auto const found = roles().find(name);
    if (found == roles().end()) {
        return code_no_such_role;
    }
    try {
        role_context context(line_socket(control), std::vector<std::string>(argv + 3, argv + argc));
        return found->second(context);
    } catch (std::exception const& e) {
        std::fprintf(stderr, "role %.*s: %s\n", static_cast<int>(name.size()), name.data(),
                     e.what());
    }
    return code_exception;
}

void role_check_failed(char const* condition, char const* file, int line) {
    std::fprintf(stderr, "%s:%d: in a role: %s does not hold\n", file, line, condition);
    std::fflush(nullptr);
    ::_exit(code_check);
}

namespace role_registry {
bool register_role(char const* name, role_function body) {
    if (!roles().emplace(name, body).second) {
        std::fprintf(stderr, "two roles are named %s\n", name);
        std::abort();
    }
    return true;
}
} // namespace role_registry

} // namespace partywall::test
