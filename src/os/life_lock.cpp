// SPDX-License-Identifier: BSL-1.0
#include <partywall/os/life_lock.hpp>

#include <partywall/os/unique_fd.hpp>

#include "errno_guard.hpp"
#include "signal_guard.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <utility>

namespace partywall::inline v0::os {
namespace {

// While take() has a descriptor, or a mapping that would still be inherited, no thread may fork:
// the child would keep the lock alive. Forks wait for this mutex; the stretch is a few system
// calls, with signals held back so that a handler that forks cannot meet its own thread inside.
pthread_mutex_t no_fork_mutex = PTHREAD_MUTEX_INITIALIZER;
int handlers_error = 0;

extern "C" void partywall_life_lock_before_fork() { ::pthread_mutex_lock(&no_fork_mutex); }
extern "C" void partywall_life_lock_after_fork() { ::pthread_mutex_unlock(&no_fork_mutex); }

int install_fork_handlers() noexcept {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    ::pthread_once(&once, [] {
        handlers_error =
            ::pthread_atfork(partywall_life_lock_before_fork, partywall_life_lock_after_fork,
                             partywall_life_lock_after_fork);
    });
    return handlers_error;
}

class no_fork {
  public:
    no_fork() noexcept { ::pthread_mutex_lock(&no_fork_mutex); }
    no_fork(no_fork const&) = delete;
    no_fork& operator=(no_fork const&) = delete;
    ~no_fork() { ::pthread_mutex_unlock(&no_fork_mutex); }

  private:
    signal_guard hold_signals_; // before the mutex is locked, until after it is unlocked
};

/// The byte as the kernel counts it; l_len 0 (an impossible byte) is caught by the callers.
struct flock lock_of(std::uint64_t byte) noexcept {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = static_cast<off_t>(byte);
    lock.l_len = 1;
    return lock;
}

constexpr std::uint64_t byte_max = std::numeric_limits<off_t>::max() - 1;

/// 0 or an errno value.
int check(int fd, file_identity const& expected, mode_t mode) noexcept {
    struct stat status {};
    if (::fstat(fd, &status) != 0) {
        return errno;
    }
    if (identity_of(status) != expected) {
        return ESTALE;
    }
    bool const good =
        S_ISREG(status.st_mode) && status.st_nlink == 1 && (status.st_mode & 07777) == mode;
    return good ? 0 : EPERM;
}

} // namespace

result<life_lock, int> life_lock::take(std::string const& path, std::uint64_t byte,
                                       file_identity const& expected, mode_t mode) {
    errno_guard const keep;
    if (byte > byte_max) {
        return EINVAL;
    }
    if (int const error = install_fork_handlers(); error != 0) {
        return error;
    }
    auto const bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    fork_mark const mark = fork_mark::current();

    no_fork const stretch;
    unique_fd fd = open(path.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (!fd) {
        return errno;
    }
    if (int const error = check(fd.get(), expected, mode); error != 0) {
        return error;
    }
    struct flock lock = lock_of(byte);
    while (::fcntl(fd.get(), F_OFD_SETLK, &lock) != 0) {
        if (errno != EINTR) {
            return errno == EACCES ? EAGAIN : errno; // both may mean "held", says POSIX
        }
    }
    // Never touched, so it may lie beyond the end of the (empty) file.
    void* const page = ::mmap(nullptr, bytes, PROT_NONE, MAP_SHARED, fd.get(), 0);
    if (page == MAP_FAILED) {
        return errno; // closing the only descriptor drops the lock
    }
    if (::madvise(page, bytes, MADV_DONTFORK) != 0) {
        int const error = errno;
        ::munmap(page, bytes);
        return error;
    }
    life_lock held{page, bytes, mark};
    // Some file systems (overlayfs) give the mapping a file of their own, and then the lock goes
    // with the descriptor. Better no lock than one that is not held.
    unique_fd const asks = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (!asks || identity_of(asks.get()) != expected) {
        return asks ? ESTALE : errno; // and unmaps
    }
    fd.reset();
    lock = lock_of(byte);
    if (::fcntl(asks.get(), F_OFD_GETLK, &lock) != 0) {
        return errno;
    }
    if (lock.l_type == F_UNLCK) {
        return ENOTSUP;
    }
    return held;
}

life_lock::life_lock(life_lock&& other) noexcept
    : page_(std::exchange(other.page_, nullptr)), bytes_(other.bytes_), mark_(other.mark_) {}

life_lock& life_lock::operator=(life_lock&& other) noexcept {
    if (this != &other) {
        release();
        page_ = std::exchange(other.page_, nullptr);
        bytes_ = other.bytes_;
        mark_ = other.mark_;
    }
    return *this;
}

void life_lock::release() noexcept {
    void* const page = std::exchange(page_, nullptr);
    // In a forked child the page was never mapped, and something else may be there by now.
    if (page != nullptr && !mark_.is_child()) {
        errno_guard const keep;
        ::munmap(page, bytes_);
    }
}

lock_state query_lock(std::string const& path, file_identity const& expected,
                      std::uint64_t byte) noexcept {
    errno_guard const keep;
    if (byte > byte_max) {
        return lock_state::unknown;
    }
    // Read-only: asking must not need, or use, the power to change anything.
    unique_fd const fd = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (!fd || identity_of(fd.get()) != expected) {
        return lock_state::unknown;
    }
    struct flock lock = lock_of(byte);
    if (::fcntl(fd.get(), F_OFD_GETLK, &lock) != 0) {
        return lock_state::unknown;
    }
    return lock.l_type == F_UNLCK ? lock_state::not_held : lock_state::held;
}

} // namespace partywall::inline v0::os
