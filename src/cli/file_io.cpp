// SPDX-License-Identifier: BSL-1.0
#include "file_io.hpp"

#include "command.hpp"
#include "signals.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace partywall::cli {
namespace {

constexpr std::size_t buffer_bytes = 64 * 1024;
/// A line that is too long is read on to tell its length, but not for ever.
constexpr std::uint64_t length_told_max = 64 * 1024 * 1024;

void wait_for(int fd, short events) {
    pollfd one{fd, events, 0};
    while (::poll(&one, 1, -1) < 0 && errno == EINTR) {
        check_stopped();
    }
}

} // namespace

void occupy_standard_streams() {
    for (int fd = 0; fd < 3; ++fd) {
        if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            // The lowest free number is this one. Opened the wrong way round: every use fails.
            (void)::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        }
    }
}

input::input(std::string const& path)
    : name_(path == "-" ? "standard input" : "'" + path + "'"),
      fd_(path == "-" ? STDIN_FILENO : -1) {
    while (fd_ < 0 && (fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC)) < 0 && errno == EINTR) {
        check_stopped(); // a fifo waits for its writer
    }
    struct stat status {};
    if (fd_ < 0) {
        failed("open");
    }
    if (::fstat(fd_, &status) == 0 && S_ISREG(status.st_mode)) {
        waits_ = false;
        (void)::posix_fadvise(fd_, 0, 0, POSIX_FADV_SEQUENTIAL); // advice: may be ignored
    }
}

input::~input() {
    if (fd_ != STDIN_FILENO && fd_ >= 0) {
        ::close(fd_);
    }
}

void input::failed(char const* what) {
    fail(exit_failed, "cannot {} {}: {}", what, name_, std::strerror(errno));
}

void input::wait() {
    if (waits_) {
        wait_for(fd_, POLLIN);
    }
}

std::size_t input::read(std::byte* target, std::size_t bytes) {
    for (;;) {
        ssize_t const got = ::read(fd_, target, bytes);
        if (got >= 0) {
            return static_cast<std::size_t>(got);
        }
        if (errno == EINTR) {
            check_stopped();
        } else if (errno == EAGAIN) {
            wait_for(fd_, POLLIN);
        } else {
            failed("read");
        }
    }
}

line_reader::line_reader(input& from, std::size_t line_bytes_max)
    : from_(from), line_max_(line_bytes_max),
      buffer_(std::max(buffer_bytes, 2 * (line_bytes_max + 1))) {}

std::optional<std::string_view> line_reader::next() {
    for (;;) {
        auto const* const newline =
            static_cast<char const*>(std::memchr(buffer_.data() + scanned_, '\n', end_ - scanned_));
        std::size_t const line_end =
            newline != nullptr ? static_cast<std::size_t>(newline - buffer_.data()) : end_;
        scanned_ = line_end;
        if (line_end - begin_ > line_max_) {
            too_long();
        }
        if (newline != nullptr || (ended_ && begin_ != end_)) {
            std::string_view const text(buffer_.data() + begin_, line_end - begin_);
            begin_ = scanned_ = newline != nullptr ? line_end + 1 : end_;
            line_ += 1;
            return text;
        }
        if (ended_) {
            return std::nullopt;
        }
        if (buffer_.size() - end_ < buffer_.size() / 2) { // what is left is shorter than half
            std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
            end_ -= begin_;
            scanned_ -= begin_;
            begin_ = 0;
        }
        std::size_t const got =
            from_.read(reinterpret_cast<std::byte*>(buffer_.data() + end_), buffer_.size() - end_);
        end_ += got;
        ended_ = got == 0;
    }
}

void line_reader::too_long() {
    std::uint64_t length = scanned_ - begin_;
    bool whole = ended_ || scanned_ != end_; // the newline was found
    while (!whole && length < length_told_max) {
        std::size_t const got =
            from_.read(reinterpret_cast<std::byte*>(buffer_.data()), buffer_.size());
        void const* const newline = std::memchr(buffer_.data(), '\n', got);
        whole = got == 0 || newline != nullptr;
        length += newline != nullptr
                      ? static_cast<std::size_t>(static_cast<char const*>(newline) - buffer_.data())
                      : got;
    }
    fail(exit_failed,
         "line {} has {}{} bytes, and messages have at most {} (--payload-max); the lines before "
         "it were sent",
         line_ + 1, whole ? "" : "more than ", length, line_max_);
}

output::output() : name_("standard output"), fd_(STDOUT_FILENO), buffer_(buffer_bytes) {}

output::output(std::string const& path)
    : name_("'" + path + "'"),
      fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)),
      buffer_(buffer_bytes) {
    if (fd_ < 0) {
        fail(exit_failed, "cannot create {}: {}", name_, std::strerror(errno));
    }
}

output::~output() {
    if (fd_ >= 0 && fd_ != STDOUT_FILENO) {
        ::close(fd_);
    }
}

void output::failed(int error) const {
    if (error == EPIPE) {
        fail(exit_failed, "whoever read the output has closed it");
    }
    fail(exit_failed, "cannot write to {}: {}", name_, std::strerror(error));
}

void output::line(std::string_view text) {
    if (text.size() >= buffer_.size() - used_) {
        flush();
    }
    if (text.size() >= buffer_.size()) {
        char newline = '\n';
        iovec parts[] = {{const_cast<char*>(text.data()), text.size()}, {&newline, 1}};
        write(parts);
        return;
    }
    std::memcpy(buffer_.data() + used_, text.data(), text.size());
    used_ += text.size();
    buffer_[used_] = '\n';
    used_ += 1;
}

void output::flush() {
    if (used_ != 0) {
        std::size_t const bytes = used_;
        used_ = 0; // whatever happens, nothing is written twice
        write(std::string_view(buffer_.data(), bytes));
    }
}

void output::write(std::string_view text) {
    iovec one{const_cast<char*>(text.data()), text.size()};
    write(std::span(&one, 1));
}

void output::write(std::span<iovec> parts) {
    while (!parts.empty()) {
        ssize_t const written = ::writev(fd_, parts.data(), static_cast<int>(parts.size()));
        if (written < 0) {
            if (errno == EINTR) {
                check_stopped();
            } else if (errno == EAGAIN) {
                wait_for(fd_, POLLOUT);
            } else {
                failed(errno);
            }
            continue;
        }
        auto left = static_cast<std::size_t>(written);
        while (!parts.empty() && left >= parts.front().iov_len) {
            left -= parts.front().iov_len;
            parts = parts.subspan(1);
        }
        if (!parts.empty()) {
            parts.front().iov_base = static_cast<char*>(parts.front().iov_base) + left;
            parts.front().iov_len -= left;
        }
    }
}

void output::close() {
    flush();
    // Some file systems report a full disk only here. Closed from the start: nothing was written.
    int const fd = fd_;
    fd_ = -1;
    if (fd >= 0 && ::close(fd) != 0 && errno != EBADF && errno != EINTR) {
        failed(errno);
    }
}

} // namespace partywall::cli
