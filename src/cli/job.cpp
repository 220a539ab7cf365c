// SPDX-License-Identifier: BSL-1.0
#include "job.hpp"

#include "command.hpp"
#include "units.hpp"

#include <partywall/limits.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace partywall::cli {
namespace {

/// Of one pipe in one step, so that other jobs get their turn.
constexpr std::size_t step_bytes = 64 * 1024;
/// What the kernel keeps of a pipe, unless its administrator chose more.
constexpr std::size_t pipe_bytes_max = 1024 * 1024;
/// How often to look where the kernel cannot tell that a process has ended.
constexpr std::chrono::milliseconds look_interval{10};

/// Both ends are closed on exec; posix_spawn hands on copies.
struct pipe_pair {
    int read_end = -1;
    int write_end = -1;
    pipe_pair() {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) == 0) {
            read_end = ends[0];
            write_end = ends[1];
        }
    }
    ~pipe_pair() {
        for (int const fd : {read_end, write_end}) {
            if (fd >= 0) {
                ::close(fd);
            }
        }
    }
    pipe_pair(pipe_pair const&) = delete;
    pipe_pair& operator=(pipe_pair const&) = delete;
    bool made() const noexcept { return read_end >= 0; }
    /// One end for us, which never waits.
    static int keep(int& end) noexcept {
        ::fcntl(end, F_SETFL, ::fcntl(end, F_GETFL) | O_NONBLOCK);
        return std::exchange(end, -1);
    }
};

/// A process as any other: nothing of our signals, and a process group of its own. 0, or why not.
int spawn(pid_t& pid, std::vector<std::string> const& words, int in, int out, int err) {
    std::vector<char*> arguments;
    for (std::string const& word : words) {
        arguments.push_back(const_cast<char*>(word.c_str())); // is only read
    }
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    if (int const e = ::posix_spawn_file_actions_init(&files); e != 0) {
        return e;
    }
    if (int const e = ::posix_spawnattr_init(&how); e != 0) {
        ::posix_spawn_file_actions_destroy(&files);
        return e;
    }
    ::posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&files, err, STDERR_FILENO);
    sigset_t signals;
    ::sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&how, &signals);
    ::sigaddset(&signals, SIGPIPE); // which we ignore; what is caught is its default again
    ::posix_spawnattr_setsigdefault(&how, &signals);
    ::posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                         POSIX_SPAWN_SETSIGDEF);
    int const e = ::posix_spawnp(&pid, arguments[0], &files, &how, arguments.data(), ::environ);
    ::posix_spawnattr_destroy(&how);
    ::posix_spawn_file_actions_destroy(&files);
    return e;
}

/// Reads once. More than 0: bytes; 0: its end; less: nothing for now.
ssize_t read_some(int fd, std::span<char> target) noexcept {
    for (;;) {
        ssize_t const got = ::read(fd, target.data(), target.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        return got < 0 && errno != EAGAIN ? 0 : got;
    }
}

} // namespace

void job::pipe_end::close() noexcept {
    if (fd >= 0) {
        ::close(std::exchange(fd, -1));
    }
}

job::job(job_rules const& rules, std::span<std::byte const> request, deferred<bytes> answer)
    : rules_(rules), request_(request.begin(), request.end()), answer_(std::move(answer)) {
    start();
}

job::~job() {
    if (!over()) {
        ::kill(-pid_, SIGKILL);
        ended_ = true; // it will have
        bury();
    }
}

void job::start() {
    pipe_pair in;
    pipe_pair out;
    pipe_pair err;
    pid_t pid = -1;
    int const e = in.made() && out.made() && err.made()
                      ? spawn(pid, rules_.words, in.read_end, out.write_end, err.write_end)
                      : errno;
    if (e != 0) {
        std::string const why =
            fmt::format("cannot execute '{}': {}", printable(rules_.words[0]), std::strerror(e));
        say(why);
        answer_.fail(job_not_started, why);
        answered_ = true;
        return;
    }
    pid_ = pid;
    in_.fd = pipe_pair::keep(in.write_end);
    out_.fd = pipe_pair::keep(out.read_end);
    err_.fd = pipe_pair::keep(err.read_end);
    process_.fd =
        static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)); // see due() if there is none
}

void job::add_to(std::vector<pollfd>& all) const {
    auto const add = [&all](int fd, short events) {
        if (fd >= 0) {
            all.push_back({fd, events, 0});
        }
    };
    add(in_.fd, POLLOUT);
    add(out_.fd, POLLIN);
    add(err_.fd, POLLIN);
    add(process_.fd, POLLIN);
}

std::chrono::steady_clock::time_point job::due() const noexcept {
    auto const by =
        answered_ ? std::chrono::steady_clock::time_point::max() : answer_.context().deadline();
    return process_.fd < 0 && !ended_
               ? std::min(by, std::chrono::steady_clock::now() + look_interval)
               : by;
}

void job::step() {
    if (over()) {
        return;
    }
    look_for_end(); // before the last look at what it says
    feed();
    hear_output();
    hear_errors();
    if (!answered_ && ended_ && out_.fd < 0) {
        answer();
    }
    if (!answered_ && std::chrono::steady_clock::now() >= answer_.context().deadline()) {
        kill(job_too_late, "killed: the deadline has passed");
    }
    if (answered_ && ended_) {
        bury();
    }
}

/// A command need not read its input.
void job::feed() noexcept {
    while (in_.fd >= 0) {
        if (fed_ == request_.size()) {
            in_.close();
            return;
        }
        ssize_t const put = ::write(in_.fd, request_.data() + fed_, request_.size() - fed_);
        if (put >= 0) {
            fed_ += static_cast<std::size_t>(put);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR) {
            in_.close();
        }
    }
}

void job::hear_output() {
    std::array<char, 4096> some;
    for (std::size_t heard = 0; out_.fd >= 0 && heard < step_bytes;) {
        ssize_t const got = read_some(out_.fd, some);
        if (got == 0) {
            out_.close();
        }
        if (got <= 0) {
            return;
        }
        output_.append(some.data(), static_cast<std::size_t>(got));
        heard += static_cast<std::size_t>(got);
        // A newline that is no part of the reply may be one more.
        if (output_.size() > rules_.output_max + (rules_.as_is ? 0 : 1)) {
            kill(job_too_long,
                 fmt::format("killed: more than {} of output", show_size(rules_.output_max)));
            return;
        }
    }
}

/// Whoever runs the server sees all of it; the caller gets the first line, if the command fails.
void job::hear_errors() {
    std::array<char, 4096> some;
    // Not more than a pipe holds, once it has ended: its children may go on.
    std::size_t const most = ended_ ? pipe_bytes_max : step_bytes;
    for (std::size_t heard = 0; err_.fd >= 0 && heard < most;) {
        ssize_t const got = read_some(err_.fd, some);
        if (got == 0) {
            err_.close();
        }
        if (got <= 0) {
            return;
        }
        std::string_view text(some.data(), static_cast<std::size_t>(got));
        heard += text.size();
        if (!complained_) {
            std::size_t const end = text.find('\n');
            complaint_ += text.substr(0, end);
            complaint_.resize(std::min(complaint_.size(), call_text_bytes_max));
            complained_ = end != std::string_view::npos;
        }
        while (!text.empty()) {
            ssize_t const put = ::write(STDERR_FILENO, text.data(), text.size());
            if (put < 0 && errno != EINTR) {
                break; // nobody is left to hear it
            }
            text.remove_prefix(put < 0 ? 0 : static_cast<std::size_t>(put));
        }
    }
}

/// It stays a zombie until bury(): so its process group is nobody else's.
void job::look_for_end() noexcept {
    siginfo_t how{};
    if (ended_ ||
        ::waitid(P_PID, static_cast<id_t>(pid_), &how, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        how.si_pid == 0) {
        return;
    }
    ended_ = true;
    code_ = how.si_code == CLD_EXITED ? how.si_status : 128 + how.si_status;
    process_.close();
}

void job::answer() {
    answered_ = true;
    if (code_ != 0 && code_ == rules_.code_to_decline) {
        answer_.decline();
        return;
    }
    if (code_ != 0) {
        if (complaint_.empty()) {
            complaint_ = code_ > 128 ? fmt::format("ended by signal {}", code_ - 128)
                                     : fmt::format("exit code {}", code_);
        }
        answer_.fail(code_, complaint_);
        return;
    }
    std::string_view reply = output_;
    if (!rules_.as_is && reply.ends_with('\n')) {
        reply.remove_suffix(1);
    }
    if (reply.size() > rules_.output_max) {
        answer_.fail(job_too_long,
                     fmt::format("more than {} of output", show_size(rules_.output_max)));
        return;
    }
    answer_.answer(reply);
}

void job::kill(int code, std::string_view why) {
    if (over() || answered_) {
        return;
    }
    ::kill(-pid_, SIGKILL); // the group: children of the command too
    in_.close();
    out_.close();
    err_.close();
    answered_ = true;
    answer_.fail(code, why);
}

void job::bury() noexcept {
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    err_.close();
    process_.close();
}

} // namespace partywall::cli
