// SPDX-License-Identifier: BSL-1.0
// What the tests of this room share: event loops as users have them.
#pragma once

#include <oneway/support.hpp>
#include <topic/support.hpp>

#include <support/role.hpp>

#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <string>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace partywall::test {

/// Whether poll() finds it readable within the time. -1: however long it takes.
inline bool is_readable(int fd, int timeout_ms = 0) {
    pollfd one{fd, POLLIN, 0};
    int ready = 0;
    do {
        ready = ::poll(&one, 1, timeout_ms);
    } while (ready < 0 && errno == EINTR);
    EXPECT_TRUE(ready == 0 || one.revents == POLLIN) << one.revents;
    return ready == 1;
}

/// An epoll loop, level-triggered, over descriptors with numbers.
class event_loop {
  public:
    event_loop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}
    ~event_loop() { ::close(epoll_); }
    event_loop(event_loop const&) = delete;
    event_loop& operator=(event_loop const&) = delete;

    void add(int fd, std::uint64_t number) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = number;
        EXPECT_EQ(::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event), 0);
    }
    /// Number of one that is ready.
    std::uint64_t next() {
        epoll_event event{};
        while (::epoll_wait(epoll_, &event, 1, -1) != 1) {
        }
        wakes += 1;
        return event.data.u64;
    }
    std::uint64_t wakes = 0;

  private:
    int epoll_;
};

/// Names of the pipes that are there, sorted.
inline std::vector<std::string> wake_files(scratch_root const& root) {
    std::vector<std::string> files;
    for (std::string const& name : root.leftovers()) {
        if (name.starts_with("d/wake.")) {
            files.push_back(name.substr(2));
        }
    }
    return files;
}

/// Descriptors that this process has open.
inline std::size_t open_descriptors() {
    std::size_t count = 0;
    for (auto const& one : std::filesystem::directory_iterator("/proc/self/fd")) {
        (void)one;
        count += 1;
    }
    return count - 1; // the listing's own
}

} // namespace partywall::test
