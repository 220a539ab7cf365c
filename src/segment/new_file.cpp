// SPDX-License-Identifier: BSL-1.0
#include "new_file.hpp"

#include <partywall/os/clock.hpp>
#include <partywall/segment/segment.hpp>

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cinttypes>

namespace partywall::inline v0::detail {
namespace {

std::atomic<bool> tmpfile_disabled{false};
std::atomic<bool> proc_disabled{false};

constexpr std::string_view temporary_prefix = ".tmp.";
constexpr int attempts_max = 100;

/// The way from a descriptor to its file. "thread-self", since threads may have descriptor tables
/// of their own.
struct proc_path {
    explicit proc_path(int fd) noexcept {
        std::snprintf(text.data(), text.size(), "/proc/thread-self/fd/%d", fd);
    }
    std::array<char, 40> text;
};

/// Whether /proc is there, is ours, and leads to this file. Asked before the file is filled,
/// because filling happens once.
bool can_link(int fd) noexcept {
    struct stat status {};
    return !proc_disabled.load(std::memory_order_relaxed) &&
           ::stat(proc_path(fd).text.data(), &status) == 0 &&
           os::identity_of(status) == os::identity_of(fd);
}

std::uint64_t random_number() noexcept {
    std::uint64_t number = 0;
    if (::getrandom(&number, sizeof number, GRND_NONBLOCK) != sizeof number) {
        // Early at boot. It need not be secret: a taken name only means another attempt.
        number = os::monotonic_ns() ^ (static_cast<std::uint64_t>(::gettid()) << 40);
    }
    return number;
}

/// Exact permissions whatever the umask; the group is the directory's, which has the set-group-id
/// bit where that matters. 0 or errno.
int set_mode(int fd, directory const& where) noexcept {
    return ::fchmod(fd, where.file_mode()) == 0 ? 0 : errno;
}

} // namespace

result<new_file, int> new_file::make(os::unique_fd at, directory const& where,
                                     std::uint64_t ticket) {
    os::unique_fd fd;
    if (!tmpfile_disabled.load(std::memory_order_relaxed)) {
        fd = os::open_at(at.get(), ".", O_TMPFILE | O_RDWR, 0600);
        // What file systems and old kernels answer that do not know unnamed files.
        if (!fd && errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL) {
            return errno;
        }
    }
    if (fd && can_link(fd.get())) {
        if (int const error = set_mode(fd.get(), where); error != 0) {
            return error;
        }
        return new_file{std::move(at), std::move(fd), {}};
    }
    fd.reset(); // the last inode of the file system may be in it
    auto made = make_named(std::move(at), ticket);
    if (made) {
        if (int const error = set_mode(made->fd(), where); error != 0) {
            return error;
        }
    }
    return made;
}

result<new_file, int> new_file::make_named(os::unique_fd at, std::uint64_t ticket) {
    for (int i = 0; i < attempts_max; ++i) {
        std::array<char, 64> name;
        std::snprintf(name.data(), name.size(), ".tmp.%" PRIu64 ".%016" PRIx64, ticket,
                      random_number());
        std::string temporary = name.data(); // before the file exists: this may throw
        os::unique_fd fd =
            os::open_at(at.get(), name.data(), O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW, 0600);
        if (!fd) {
            if (errno == EEXIST) {
                continue;
            }
            return errno;
        }
        // Between creation and lock a sweeper may have taken the file for a dead creator's: then
        // it has the lock and will remove the file, or has removed it already.
        struct stat status {};
        if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0 && ::fstat(fd.get(), &status) == 0 &&
            status.st_nlink == 1) {
            return new_file{std::move(at), std::move(fd), std::move(temporary)};
        }
    }
    return EBUSY;
}

new_file::~new_file() {
    if (fd_ && !temporary_.empty()) {
        ::unlinkat(at_.get(), temporary_.c_str(), 0);
    }
}

int new_file::publish(char const* name) noexcept {
    if (temporary_.empty()) {
        return ::linkat(AT_FDCWD, proc_path(fd_.get()).text.data(), at_.get(), name,
                        AT_SYMLINK_FOLLOW) == 0
                   ? 0
                   : errno;
    }
    if (::renameat2(at_.get(), temporary_.c_str(), at_.get(), name, RENAME_NOREPLACE) != 0) {
        return errno;
    }
    temporary_.clear(); // a mapping may keep the lock alive; under this name nobody asks for it
    return 0;
}

bool is_temporary_name(std::string_view name) noexcept {
    auto const decimal = [](char c) { return c >= '0' && c <= '9'; };
    auto const hexadecimal = [&](char c) { return decimal(c) || (c >= 'a' && c <= 'f'); };
    if (!name.starts_with(temporary_prefix)) {
        return false;
    }
    name.remove_prefix(temporary_prefix.size());
    std::size_t const dot = name.find('.');
    if (dot == 0 || dot == std::string_view::npos) {
        return false;
    }
    std::string_view const ticket = name.substr(0, dot);
    std::string_view const random = name.substr(dot + 1);
    return std::all_of(ticket.begin(), ticket.end(), decimal) && random.size() == 16 &&
           std::all_of(random.begin(), random.end(), hexadecimal);
}

void for_test::disable_tmpfile(bool disabled) noexcept {
    tmpfile_disabled.store(disabled, std::memory_order_relaxed);
}

void for_test::disable_proc(bool disabled) noexcept {
    proc_disabled.store(disabled, std::memory_order_relaxed);
}

} // namespace partywall::inline v0::detail
