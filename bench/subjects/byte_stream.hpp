// SPDX-License-Identifier: BSL-1.0
// Messages of one size over a descriptor that carries bytes: sockets and pipes.
#pragma once

#include "channel.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/epoll.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace partywall::bench {

inline constexpr std::size_t stream_batch = 64;

[[noreturn]] inline void fail_errno(std::string const& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

/// A descriptor of our own.
class descriptor {
  public:
    explicit descriptor(int fd = -1) noexcept : fd_(fd) {}
    ~descriptor() { reset(); }
    descriptor(descriptor const&) = delete;
    descriptor& operator=(descriptor const&) = delete;

    int get() const noexcept { return fd_; }
    void reset(int fd = -1) noexcept {
        if (fd_ >= 0) {
            ::close(fd_);
        }
        fd_ = fd;
    }

  private:
    int fd_;
};

/// How a descriptor says "not now": it does not block; who wants to wait, polls or blocks in the
/// kernel, by what the channel's `wait` is.
class byte_writer {
  public:
    /// `blocks`: the descriptor itself waits.
    byte_writer(std::uint64_t bytes, bool blocks)
        : bytes_(static_cast<std::size_t>(bytes)), blocks_(blocks),
          buffer_(stream_batch * std::min<std::size_t>(bytes_, 1024) + bytes_) {}

    template <class Write>
    bool try_send(int fd, Write write) {
        write(buffer_.data());
        return put(fd, bytes_);
    }
    template <class Write>
    void send(int fd, Write write) {
        while (!try_send(fd, write)) {
            wait_for(fd, POLLOUT);
        }
    }
    template <class Write>
    std::size_t try_send_batch(int fd, std::size_t count, Write write) {
        count = std::min({count, stream_batch, buffer_.size() / bytes_});
        for (std::size_t i = 0; i < count; ++i) {
            write(i, buffer_.data() + i * bytes_);
        }
        return put(fd, count * bytes_) ? count : 0;
    }
    static void wait_for(int fd, short what) {
        pollfd one{fd, what, 0};
        if (::poll(&one, 1, -1) < 0 && errno != EINTR) {
            fail_errno("poll");
        }
    }

  private:
    /// All or nothing: what has begun is brought to its end.
    bool put(int fd, std::size_t bytes) {
        std::size_t done = 0;
        while (done < bytes) {
            ssize_t const n = ::write(fd, buffer_.data() + done, bytes - done);
            if (n > 0) {
                done += static_cast<std::size_t>(n);
            } else if (n < 0 && errno == EAGAIN) {
                if (done == 0) {
                    return false;
                }
                if (blocks_) {
                    wait_for(fd, POLLOUT);
                }
            } else if (n == 0 || errno != EINTR) {
                fail_errno("write");
            }
        }
        return true;
    }

    std::size_t bytes_;
    bool blocks_;
    std::vector<std::byte> buffer_;
};

class byte_reader {
  public:
    byte_reader(std::uint64_t bytes, bool blocks)
        : bytes_(static_cast<std::size_t>(bytes)), blocks_(blocks),
          buffer_(std::max(stream_batch * std::min<std::size_t>(bytes_, 1024), bytes_)) {}

    /// A message of its own call of the kernel: the one to measure latency with.
    template <class Read>
    bool try_receive(int fd, Read read) {
        if (!get(fd, bytes_)) {
            return false;
        }
        filled_ = 0;
        read(buffer_.data(), bytes_);
        return true;
    }
    template <class Read>
    void receive(int fd, Read read) {
        while (!try_receive(fd, read)) {
            byte_writer::wait_for(fd, POLLIN);
        }
    }
    /// As many as one call brings.
    template <class Read>
    std::size_t try_receive_batch(int fd, Read read) {
        if (!fill(fd, buffer_.size())) {
            return 0;
        }
        if (filled_ % bytes_ != 0 && !get(fd, (filled_ / bytes_ + 1) * bytes_)) {
            return 0;
        }
        std::size_t const count = filled_ / bytes_;
        filled_ = 0;
        for (std::size_t i = 0; i < count; ++i) {
            read(buffer_.data() + i * bytes_, bytes_);
        }
        return count;
    }

  private:
    /// One read. False: there was nothing.
    bool fill(int fd, std::size_t up_to) {
        ssize_t const n = ::read(fd, buffer_.data() + filled_, up_to - filled_);
        if (n > 0) {
            filled_ += static_cast<std::size_t>(n);
            return true;
        }
        if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            fail_errno("read");
        }
        return false;
    }
    /// Until so many bytes are there; false if there were none at all.
    bool get(int fd, std::size_t wanted) {
        while (filled_ < wanted) {
            if (!fill(fd, wanted)) {
                if (filled_ == 0) {
                    return false;
                }
                if (blocks_) {
                    byte_writer::wait_for(fd, POLLIN);
                }
            }
        }
        return true;
    }

    std::size_t bytes_;
    bool blocks_;
    std::vector<std::byte> buffer_;
    std::size_t filled_ = 0;
};

} // namespace partywall::bench
