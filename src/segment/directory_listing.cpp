// SPDX-License-Identifier: BSL-1.0
// What works on names alone: listing, unlinking, sweeping.
#include <partywall/segment/segment.hpp>

#include "new_file.hpp"
#include "segment_name.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace partywall::inline v0 {
namespace {

/// Calls `visit(name)` for every name in the directory.
template <class Visit>
void for_each_name(int at, Visit const& visit) {
    // A descriptor of its own: reading a directory moves a position that duplicates would share.
    os::unique_fd fd = os::open_at(at, ".", O_RDONLY | O_DIRECTORY);
    DIR* const stream = fd ? ::fdopendir(fd.get()) : nullptr;
    if (stream == nullptr) {
        return;
    }
    fd.release();
    struct closer {
        DIR* stream;
        ~closer() { ::closedir(stream); }
    } const close_at_end{stream};
    while (dirent const* const entry = ::readdir(stream)) {
        visit(static_cast<char const*>(entry->d_name));
    }
}

/// Whether the file's creator is gone: nobody holds its lock. Then it is removed.
bool sweep(int at, char const* name) noexcept {
    os::unique_fd const fd = os::open_at(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
        return false;
    }
    // While we hold the lock, a creator that has not locked yet (see new_file::make_named) turns
    // to another name. Names are random: nobody makes a new file of this one meanwhile.
    return ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0 && ::unlinkat(at, name, 0) == 0;
}

} // namespace

int unlink_segment(directory const& where, segment_id const& id) noexcept {
    detail::segment_name const name(id);
    if (name.empty()) {
        return EINVAL;
    }
    os::unique_fd const at = where.try_open();
    if (!at) {
        return errno;
    }
    return ::unlinkat(at.get(), name.c_str(), 0) == 0 ? 0 : errno;
}

std::vector<segment_id> list_segments(directory const& where) {
    std::vector<segment_id> found;
    if (os::unique_fd const at = where.try_open()) {
        for_each_name(at.get(), [&](char const* name) {
            if (auto const id = parse_file_name(name)) {
                found.push_back(*id);
            }
        });
    }
    return found;
}

std::size_t sweep_temporaries(directory const& where) noexcept {
    std::size_t removed = 0;
    if (os::unique_fd const at = where.try_open()) {
        for_each_name(at.get(), [&](char const* name) {
            if (detail::is_temporary_name(name) && sweep(at.get(), name)) {
                ++removed;
            }
        });
    }
    return removed;
}

} // namespace partywall::inline v0
