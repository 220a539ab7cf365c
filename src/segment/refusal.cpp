// SPDX-License-Identifier: BSL-1.0
#include "refusal.hpp"

#include <partywall/detail/mutant.hpp>

#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <system_error>

namespace partywall::inline v0::detail {
namespace {

std::string digits(std::uint64_t number, int base) {
    std::array<char, 24> text;
    auto const end = std::to_chars(text.data(), text.data() + text.size(), number, base).ptr;
    return {text.data(), end};
}

} // namespace

segment_failure refuse(attempt const& what, segment_errc code, std::string_view reason,
                       int os_error) {
    std::string message = "cannot ";
    message += what.verb;
    message += ' ';
    message += what.path;
    message += ": ";
    message += reason;
    return {code, os_error, std::move(message)};
}

segment_failure refuse_errno(attempt const& what, std::string_view call, int os_error) {
    std::string reason{call};
    reason += ": ";
    reason += std::generic_category().message(os_error);
    return refuse(what, errc_of(os_error), reason, os_error);
}

segment_errc errc_of(int os_error) noexcept {
    switch (os_error) {
    case ENOENT:
    case ESTALE: return segment_errc::not_found;
    case EEXIST: return segment_errc::exists;
    case ENOSPC:
    case EDQUOT: return segment_errc::no_space;
    case ENOMEM:
    case EAGAIN: // mmap: more memory is locked than allowed
    case EMFILE:
    case ENFILE: return segment_errc::no_memory;
    case EACCES:
    case EPERM:
    case EROFS: return segment_errc::permission;
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
    case ENXIO: return segment_errc::wrong_type;
    case EFBIG:
    case EOVERFLOW: return segment_errc::too_large;
    case ENAMETOOLONG: return segment_errc::bad_argument;
    default: return segment_errc::system;
    }
}

std::string octal(mode_t mode) { return '0' + digits(mode & 07777, 8); }

std::string hex(std::uint64_t number) { return "0x" + digits(number, 16); }

std::string_view type_name(mode_t mode) noexcept {
    switch (mode & S_IFMT) {
    case S_IFREG: return "a regular file";
    case S_IFDIR: return "a directory";
    case S_IFLNK: return "a symbolic link";
    case S_IFIFO: return "a fifo";
    case S_IFSOCK: return "a socket";
    case S_IFCHR: return "a character device";
    case S_IFBLK: return "a block device";
    default: return "of an unknown type";
    }
}

std::optional<segment_failure> check_access(attempt const& what, struct stat const& status,
                                            sharing share, gid_t group, mode_t mode) {
    if (share == sharing::owner_only && status.st_uid != ::geteuid()) {
        return refuse(what, segment_errc::wrong_owner,
                      "is owned by uid " + std::to_string(status.st_uid) + ", expected uid " +
                          std::to_string(::geteuid()));
    }
    if (share == sharing::group && status.st_gid != group) {
        return refuse(what, segment_errc::wrong_owner,
                      "belongs to gid " + std::to_string(status.st_gid) + ", expected gid " +
                          std::to_string(group));
    }
    if ((status.st_mode & 07777) != mode && !PARTYWALL_MUTANT(mode_not_checked)) {
        return refuse(what, segment_errc::wrong_mode,
                      "has mode " + octal(status.st_mode) + ", expected " + octal(mode));
    }
    return std::nullopt;
}

std::optional<segment_failure> check_file(attempt const& what, struct stat const& status,
                                          directory const& where) {
    if (!S_ISREG(status.st_mode)) {
        return refuse(what, segment_errc::wrong_type,
                      "is " + std::string{type_name(status.st_mode)} + ", expected a regular file");
    }
    if (auto refused =
            check_access(what, status, where.share(), where.group(), where.file_mode())) {
        return refused;
    }
    if (status.st_nlink == 0) { // between a look and the next: as if we had come a moment later
        return refuse(what, segment_errc::not_found, "has just been removed", ENOENT);
    }
    if (status.st_nlink != 1 && !PARTYWALL_MUTANT(second_name_accepted)) {
        return refuse(what, segment_errc::linked,
                      "has " + std::to_string(status.st_nlink) + " names, expected 1");
    }
    return std::nullopt;
}

} // namespace partywall::inline v0::detail
