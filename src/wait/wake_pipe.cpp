// SPDX-License-Identifier: BSL-1.0
#include <partywall/wait/wake_pipe.hpp>

#include "../os/errno_guard.hpp"
#include "../segment/segment_name.hpp"

#include <partywall/segment/directory.hpp>

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace partywall::inline v0::detail {
namespace {

constexpr int open_flags = O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY;

/// Empty, with errno, unless it is a pipe. A group's directory may hold what others put there.
os::unique_fd open_pipe(int at, char const* name) noexcept {
    os::unique_fd fd = os::open_at(at, name, open_flags);
    struct stat status {};
    if (fd && (::fstat(fd.get(), &status) != 0 || !S_ISFIFO(status.st_mode))) {
        fd.reset();
        errno = EPERM;
    }
    return fd;
}

void write_byte(int fd) noexcept {
    char const byte = 0;
    // EAGAIN: it is full, and so readable.
    while (::write(fd, &byte, 1) < 0 && errno == EINTR) {
    }
}

} // namespace

wake_pipe::~wake_pipe() { close(); }

int wake_pipe::open(directory const& where, std::uint64_t ticket, std::uint32_t number) noexcept {
    segment_name const name({segment_kind::wake, ticket, number});
    os::unique_fd const at = where.try_open();
    if (name.empty() || !at) {
        return name.empty() ? EINVAL : errno;
    }
    // A namesake is of another registry of this directory, which was removed: ours never gave the
    // ticket to anybody else.
    if (::mkfifoat(at.get(), name.c_str(), where.file_mode()) != 0 &&
        (errno != EEXIST || ::unlinkat(at.get(), name.c_str(), 0) != 0 ||
         ::mkfifoat(at.get(), name.c_str(), where.file_mode()) != 0)) {
        return errno;
    }
    // Killed from here on: a file of a dead ticket that no entry names, which recovery removes.
    os::unique_fd fd = open_pipe(at.get(), name.c_str());
    if (!fd || ::fchmod(fd.get(), where.file_mode()) != 0) { // whatever the umask is
        int const error = errno;
        ::unlinkat(at.get(), name.c_str(), 0);
        return error;
    }
    // A byte per waker is all it ever holds; a page counts less against the user's limit.
    (void)::fcntl(fd.get(), F_SETPIPE_SZ, 4096);
    where_ = &where;
    ticket_ = ticket;
    number_ = number;
    fd_ = std::move(fd);
    mark_ = os::fork_mark::current();
    return 0;
}

void wake_pipe::close() noexcept {
    if (!fd_) {
        return;
    }
    fd_.reset();
    if (!mark_.is_child()) {
        segment_name const name({segment_kind::wake, ticket_, number_});
        if (os::unique_fd const at = where_->try_open()) {
            ::unlinkat(at.get(), name.c_str(), 0);
        }
    }
}

void wake_pipe::kick() const noexcept {
    os::errno_guard const keep;
    write_byte(fd_.get());
}

bool wake_pipe::drain() const noexcept {
    std::array<char, 4096> bytes;
    bool any = false;
    // Bounded: whoever keeps on writing keeps it readable, and nothing else.
    for (int i = 0; i < 4; ++i) {
        ssize_t const got = ::read(fd_.get(), bytes.data(), bytes.size());
        if (got > 0) {
            any = true;
        }
        if (got >= 0 ? static_cast<std::size_t>(got) < bytes.size() : errno != EINTR) {
            break;
        }
    }
    return any;
}

int write_to_wake_pipe(directory const& where, std::uint64_t ticket,
                       std::uint32_t number) noexcept {
    os::errno_guard const keep;
    segment_name const name({segment_kind::wake, ticket, number});
    std::array<char, PATH_MAX> path;
    std::size_t const length = where.path().size();
    if (name.empty() || length + 1 + std::strlen(name.c_str()) >= path.size()) {
        return EINVAL;
    }
    std::memcpy(path.data(), where.path().data(), length);
    path[length] = '/';
    std::strcpy(path.data() + length + 1, name.c_str());
    os::unique_fd const fd = open_pipe(AT_FDCWD, path.data());
    if (!fd) {
        return errno;
    }
    write_byte(fd.get());
    return 0;
}

} // namespace partywall::inline v0::detail
