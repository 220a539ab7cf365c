// SPDX-License-Identifier: BSL-1.0
#include "tool.hpp"

#include "support/counts.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <poll.h>
#include <stdexcept>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
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

int checked(int value, char const* what) {
    if (value < 0) {
        throw_errno(what);
    }
    return value;
}

void close_fd(int& fd) {
    if (fd >= 0) {
        ::close(std::exchange(fd, -1));
    }
}

/// Waits until the descriptor is ready; false after the limit.
bool wait_ready(int fd, short events) {
    auto const until = std::chrono::steady_clock::now() + scaled(wait_limit);
    for (;;) {
        auto const left =
            std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        if (left.count() <= 0) {
            return false;
        }
        pollfd one{fd, events, 0};
        int const ready = ::poll(&one, 1, static_cast<int>(left.count()));
        if (ready > 0) {
            return true;
        }
        if (ready < 0 && errno != EINTR) {
            throw_errno("poll");
        }
    }
}

std::vector<std::string> environment_with(std::string const& root,
                                          std::vector<std::string> const& more) {
    std::vector<std::string> all;
    for (char** entry = ::environ; *entry != nullptr; ++entry) {
        std::string_view const one = *entry;
        if (!one.starts_with("PARTYWALL_ROOT=") && !one.starts_with("PARTYWALL_DOMAIN=")) {
            all.emplace_back(one);
        }
    }
    if (!root.empty()) {
        all.push_back("PARTYWALL_ROOT=" + root);
    }
    all.insert(all.end(), more.begin(), more.end());
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

/// Descriptors for the child's three standard streams; -1: closed.
using standard = std::array<int, 3>;

/// In the child, between fork and exec: only async-signal-safe calls.
[[noreturn]] void execute(pid_t parent, standard const& fds, char* const* argv, char* const* envp) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) {
        ::_exit(code_cannot_execute);
    }
    for (int i = 0; i < 3; ++i) {
        int const fd = fds[static_cast<std::size_t>(i)];
        if (fd < 0) {
            ::close(i);
        } else if (::dup2(fd, i) < 0) {
            ::_exit(code_cannot_execute);
        }
    }
    std::signal(SIGPIPE, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execve(PARTYWALL_TEST_TOOL, argv, envp);
    ::_exit(code_cannot_execute);
}

std::string content_of(int fd) {
    std::string text;
    std::array<char, 65536> some;
    for (off_t at = 0; fd >= 0;) {
        ssize_t const got = ::pread(fd, some.data(), some.size(), at);
        if (got <= 0) {
            break;
        }
        text.append(some.data(), static_cast<std::size_t>(got));
        at += got;
    }
    return text;
}

} // namespace

tool::tool(std::string const& root, arguments args, streams const& how) : args_(std::move(args)) {
    std::signal(SIGPIPE, SIG_IGN); // a command that ends early is no reason for the test to die
    std::vector<std::string> words = args_;
    words.insert(words.begin(), "partywall");
    std::vector<char*> const argv = pointers_to(words);
    std::vector<std::string> environment = environment_with(root, how.env);
    std::vector<char*> const envp = pointers_to(environment);
    kept_err_ = checked(::memfd_create("standard error", MFD_CLOEXEC), "memfd_create");
    standard fds{-1, -1, kept_err_};
    if (how.in == streams::kind::pipe) {
        int ends[2];
        checked(::pipe2(ends, O_CLOEXEC), "pipe2");
        fds[0] = ends[0];
        in_ = ends[1];
    } else if (how.in == streams::kind::file) {
        fds[0] = checked(::open(how.in_path.c_str(), O_RDONLY | O_CLOEXEC), "open");
    }
    if (how.out == streams::kind::pipe) {
        int ends[2];
        checked(::pipe2(ends, O_CLOEXEC), "pipe2");
        out_ = ends[0];
        fds[1] = ends[1];
    } else if (how.out == streams::kind::file && how.out_path.empty()) {
        kept_out_ = checked(::memfd_create("standard output", MFD_CLOEXEC), "memfd_create");
        fds[1] = kept_out_;
    } else if (how.out == streams::kind::file) {
        fds[1] = checked(
            ::open(how.out_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), "open");
    }
    pid_t const parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) {
        execute(parent, fds, argv.data(), envp.data());
    }
    checked(pid_, "fork");
    for (int i = 0; i < 2; ++i) {
        int& fd = fds[static_cast<std::size_t>(i)];
        if (fd != kept_out_) {
            close_fd(fd);
        }
    }
    pidfd_ = checked(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)), "pidfd_open");
}

tool::~tool() {
    if (!reaped_ && pid_ > 0) {
        ::kill(pid_, SIGKILL);
        while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
    for (int* const fd : {&pidfd_, &in_, &out_, &kept_out_, &kept_err_}) {
        close_fd(*fd);
    }
}

std::string tool::describe() const {
    std::string text = "partywall";
    for (std::string const& word : args_) {
        text += ' ' + word;
    }
    return text + " (standard error: " + err() + ")";
}

void tool::write(std::string_view text) {
    while (!text.empty()) {
        if (!wait_ready(in_, POLLOUT)) {
            throw std::runtime_error(describe() + " does not read");
        }
        // Not more than a pipe takes at once when it is ready: does not block.
        ssize_t const put = ::write(in_, text.data(), std::min<std::size_t>(text.size(), 4096));
        if (put < 0 && errno == EPIPE) {
            return;
        }
        if (put < 0 && errno != EINTR) {
            throw_errno("write");
        }
        text.remove_prefix(put < 0 ? 0 : static_cast<std::size_t>(put));
    }
}

void tool::close_in() { close_fd(in_); }
void tool::close_out() { close_fd(out_); }

std::size_t tool::bytes_waiting() const {
    int bytes = 0;
    checked(::ioctl(out_, FIONREAD, &bytes), "ioctl");
    return static_cast<std::size_t>(bytes);
}

bool tool::read_on() {
    std::array<char, 65536> some;
    for (;;) {
        if (!wait_ready(out_, POLLIN)) {
            throw std::runtime_error(describe() + " says nothing");
        }
        ssize_t const got = ::read(out_, some.data(), some.size());
        if (got >= 0) {
            pending_.append(some.data(), static_cast<std::size_t>(got));
            return got != 0;
        }
        if (errno != EINTR) {
            throw_errno("read");
        }
    }
}

std::string tool::read(std::size_t bytes) {
    while (pending_.size() < bytes && read_on()) {
    }
    std::string text = pending_.substr(0, bytes);
    pending_.erase(0, text.size());
    return text;
}

std::string tool::read_line() {
    std::size_t newline = 0;
    while ((newline = pending_.find('\n')) == std::string::npos) {
        if (!read_on()) {
            return std::exchange(pending_, {});
        }
    }
    std::string line = pending_.substr(0, newline);
    pending_.erase(0, newline + 1);
    return line;
}

std::string tool::read_all() {
    while (read_on()) {
    }
    return std::exchange(pending_, {});
}

void tool::kill(int signal) {
    if (!reaped_ && ::kill(pid_, signal) != 0) {
        throw_errno("kill");
    }
}

void tool::stop() {
    kill(SIGSTOP);
    int raw = 0;
    if (::waitpid(pid_, &raw, WUNTRACED) != pid_ || !WIFSTOPPED(raw)) {
        throw std::runtime_error(describe() + " ended instead of stopping");
    }
}

void tool::resume() { kill(SIGCONT); }

exit_status tool::wait() {
    if (!reaped_) {
        if (!wait_ready(pidfd_, POLLIN)) {
            throw std::runtime_error(describe() + " does not end");
        }
        int raw = 0;
        if (::waitpid(pid_, &raw, 0) != pid_) {
            throw_errno("waitpid");
        }
        reaped_ = true;
        status_ = WIFEXITED(raw) ? exited(WEXITSTATUS(raw)) : killed_by(WTERMSIG(raw));
    }
    return status_;
}

std::string tool::out() const { return content_of(kept_out_); }
std::string tool::err() const { return content_of(kept_err_); }

finished run(std::string const& root, arguments const& args, std::string_view input) {
    tool one(root, args, input.empty() ? streams{} : from_pipe());
    if (!input.empty()) {
        one.write(input);
        one.close_in();
    }
    exit_status const status = one.wait();
    return {status, one.out(), one.err()};
}

finished run(std::string const& root, arguments const& args, streams const& how) {
    tool one(root, args, how);
    exit_status const status = one.wait();
    return {status, one.out(), one.err()};
}

std::string read_file(std::string const& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void write_file(std::string const& path, std::string_view content) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
    if (!file.flush()) {
        throw std::runtime_error("cannot write " + path);
    }
}

} // namespace partywall::test
