// SPDX-License-Identifier: BSL-1.0
#include <partywall/segment/directory.hpp>

#include "refusal.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace partywall::inline v0 {
namespace {

using detail::attempt;
using detail::refuse;
using detail::refuse_errno;
using os::unique_fd;

constexpr int directory_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
/// Each retry means that another process created or removed the directory meanwhile.
constexpr int attempts_max = 100;

mode_t mode_of(sharing share) noexcept { return share == sharing::group ? 02770 : 0700; }

/// One directory on the way: `name` in `parent`, known to people as `path`.
struct step {
    int parent;
    std::string name;
    std::string path;
    sharing share;
};

/// Where a directory gets its permissions before it gets its name. One per name and user, so
/// that a killed creator leaves at most one, which the next one uses or removes.
std::string temporary_name(step const& s) {
    return '.' + s.name + '.' + std::to_string(::geteuid()) + ".tmp";
}

/// For a umask so strict that the owner cannot open what he made. 0 or an errno value.
int chmod_unopenable(int parent, char const* name, mode_t mode) noexcept {
    unique_fd const fd = os::open_at(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0) {
        return errno;
    }
    if (status.st_uid != ::geteuid()) {
        return EPERM;
    }
    std::string const path = "/proc/thread-self/fd/" + std::to_string(fd.get());
    return ::chmod(path.c_str(), mode) == 0 ? 0 : errno;
}

/// Makes a directory with exact permissions under the temporary name, or finds the one that
/// another process of this user is making or left there: every step may be done twice. 0 or errno.
int make_temporary(int parent, char const* temporary, mode_t mode) noexcept {
    if (::mkdirat(parent, temporary, 0700) != 0 && errno != EEXIST) {
        return errno;
    }
    unique_fd fd = os::open_at(parent, temporary, directory_flags);
    if (!fd && errno == EACCES) {
        if (int const error = chmod_unopenable(parent, temporary, 0700); error != 0) {
            return error;
        }
        fd = os::open_at(parent, temporary, directory_flags);
    }
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0) {
        return errno;
    }
    if (status.st_uid != ::geteuid()) {
        return EPERM; // somebody else's: never change it, never give it our name
    }
    return ::fchmod(fd.get(), mode) == 0 ? 0 : errno;
}

/// 0: the directory has its name now, by our doing or by somebody else's, or it is worth another
/// look. Otherwise an errno value.
int make(step const& s) {
    std::string const temporary = temporary_name(s);
    int error = make_temporary(s.parent, temporary.c_str(), mode_of(s.share));
    if (error == 0 &&
        ::renameat2(s.parent, temporary.c_str(), s.parent, s.name.c_str(), RENAME_NOREPLACE) != 0) {
        error = errno;
        if (error == EINVAL || error == ENOSYS) {
            // A file system that cannot refuse to replace: this can replace an empty directory
            // only, one that another process made since we saw that there was none.
            error =
                ::renameat(s.parent, temporary.c_str(), s.parent, s.name.c_str()) == 0 ? 0 : errno;
        }
    }
    // Another process renamed or removed the temporary one, or was faster.
    return error == ENOENT || error == EEXIST || error == ENOTEMPTY ? 0 : error;
}

segment_failure cannot_open(step const& s, int error) {
    attempt const what{"open directory", s.path};
    struct stat status {};
    if ((error == ENOTDIR || error == ELOOP) &&
        ::fstatat(s.parent, s.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
        return refuse(what, segment_errc::wrong_type,
                      "is " + std::string{detail::type_name(status.st_mode)} +
                          ", expected a directory",
                      error);
    }
    return refuse_errno(what, "open", error);
}

result<unique_fd, segment_failure> open_step(step const& s, bool create, struct stat& status) {
    attempt const what{"open directory", s.path};
    for (int i = 0; i < attempts_max; ++i) {
        unique_fd fd = os::open_at(s.parent, s.name.c_str(), directory_flags);
        if (!fd) {
            if (errno != ENOENT || !create) {
                return cannot_open(s, errno);
            }
            if (int const error = make(s); error != 0) {
                return refuse_errno({"create directory", s.path},
                                    "mkdir by way of " + temporary_name(s), error);
            }
            continue;
        }
        if (::fstat(fd.get(), &status) != 0) {
            return refuse_errno(what, "fstat", errno);
        }
        if (status.st_nlink == 0) { // removed since it was opened
            continue;
        }
        if (auto refused =
                detail::check_access(what, status, s.share, status.st_gid, mode_of(s.share))) {
            return std::move(*refused);
        }
        if (create) {
            // What a killed creator may have left. It may also be a live one's, who finds it
            // gone, looks again, and finds the directory.
            ::unlinkat(s.parent, temporary_name(s).c_str(), AT_REMOVEDIR);
        }
        return fd;
    }
    return refuse(what, segment_errc::system, "is created and removed over and over");
}

/// Absolute, without slashes at the end: with them, O_NOFOLLOW would follow.
std::optional<std::string> normal_root(std::string const& root) {
    if (root.empty() || root.find('\0') != std::string::npos) {
        return std::nullopt;
    }
    std::error_code error;
    std::string path = std::filesystem::absolute(root, error).string();
    if (error) {
        return std::nullopt;
    }
    while (path.size() > 1 && path.back() == '/') {
        path.pop_back();
    }
    return path.size() > 1 ? std::optional{path} : std::nullopt;
}

bool is_file_name(std::string const& name) noexcept {
    return !name.empty() && name != "." && name != ".." &&
           name.find_first_of(std::string_view{"/\0", 2}) == std::string::npos;
}

} // namespace

std::string directory::path_of(std::string_view name) const {
    std::string path = path_;
    path += '/';
    path += name;
    return path;
}

os::unique_fd directory::try_open() const noexcept {
    unique_fd fd = os::open(path_.c_str(), directory_flags);
    if (fd && os::identity_of(fd.get()) != identity_) {
        fd.reset();
        errno = ESTALE;
    }
    return fd;
}

result<os::unique_fd, segment_failure> directory::open() const {
    unique_fd fd = try_open();
    if (fd) {
        return fd;
    }
    attempt const what{"open directory", path_};
    if (errno == ESTALE) {
        return refuse(what, segment_errc::not_found, "is another directory than it was", ESTALE);
    }
    return refuse_errno(what, "open", errno);
}

result<directory, segment_failure> open_directory(std::string const& root,
                                                  std::string const& domain_dir_name, sharing share,
                                                  bool create) {
    return detail::catching_bad_alloc([&]() -> result<directory, segment_failure> {
        auto const root_path = normal_root(root);
        if (!root_path) {
            return refuse({"open directory", root}, segment_errc::bad_argument,
                          "is not a path that can be a root");
        }
        std::string const path = *root_path + '/' + domain_dir_name;
        if (!is_file_name(domain_dir_name)) {
            return refuse({"open directory", path}, segment_errc::bad_argument,
                          "the domain is not a file name");
        }
        std::size_t const slash = root_path->rfind('/');
        std::string const parent_path = root_path->substr(0, slash == 0 ? 1 : slash);
        unique_fd const parent = os::open(parent_path.c_str(), O_PATH | O_DIRECTORY);
        if (!parent) {
            return refuse_errno({"open directory", parent_path}, "open", errno);
        }
        struct stat status {};
        auto const root_fd = open_step(
            {parent.get(), root_path->substr(slash + 1), *root_path, share}, create, status);
        if (!root_fd) {
            return root_fd.error();
        }
        auto const fd = open_step({root_fd->get(), domain_dir_name, path, share}, create, status);
        if (!fd) {
            return fd.error();
        }
        directory opened;
        opened.path_ = path;
        opened.identity_ = os::identity_of(status);
        opened.group_ = status.st_gid;
        opened.share_ = share;
        return opened;
    });
}

} // namespace partywall::inline v0
