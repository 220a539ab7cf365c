// SPDX-License-Identifier: BSL-1.0
// The directory of one domain: where its segments are, and who may come in.
#pragma once

#include <partywall/export.hpp>
#include <partywall/os/file_identity.hpp>
#include <partywall/os/unique_fd.hpp>
#include <partywall/segment/segment_errc.hpp>

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace partywall::inline v0 {

enum class sharing : std::uint8_t {
    owner_only, ///< directories 0700, files 0600, all owned by this user
    group,      ///< directories 02770, files 0660, all of the domain directory's group
};

/// A domain's directory, found good when it was opened. A value: it holds no descriptor, since an
/// application may close every descriptor that it does not know; each use opens the path again
/// and checks that it still leads to the same directory.
///
/// Callers   any thread.
/// Errors    each of segment_errc that can concern a directory; the message names the path and,
///           where two values differ, both.
class directory {
  public:
    std::string const& path() const noexcept { return path_; }
    os::file_identity const& identity() const noexcept { return identity_; }
    sharing share() const noexcept { return share_; }
    /// Exact permissions of files here: 0600 or 0660.
    mode_t file_mode() const noexcept { return share_ == sharing::group ? 0660 : 0600; }
    /// Group of the directory; files of a group-shared domain must have it.
    gid_t group() const noexcept { return group_; }
    /// path() + '/' + name.
    PARTYWALL_API std::string path_of(std::string_view name) const;

    /// Opens it again: for openat() and its like. not_found if the path no longer leads there.
    PARTYWALL_API result<os::unique_fd, segment_failure> open() const;
    /// The same for callers that may not throw or allocate: empty, with errno; ESTALE if the path
    /// leads elsewhere.
    PARTYWALL_API os::unique_fd try_open() const noexcept;

  private:
    friend PARTYWALL_API result<directory, segment_failure>
    open_directory(std::string const&, std::string const&, sharing, bool);
    directory() = default;

    std::string path_;
    os::file_identity identity_{};
    gid_t group_ = 0;
    sharing share_ = sharing::owner_only;
};

/// Opens the directory `domain_dir_name` in `root`, and with `create` first makes both where they
/// are missing (not the parent of `root`), with exact permissions whatever the umask. A directory
/// has its name only once its permissions are right, so a creator may be killed at any moment.
///
/// Both must be real directories (symbolic links are refused; in the parents of `root` they are
/// the administrator's), owned by the effective user unless group-shared, with exactly the
/// permissions of `share`. `domain_dir_name` is one file name, already encoded.
PARTYWALL_API result<directory, segment_failure> open_directory(std::string const& root,
                                                                std::string const& domain_dir_name,
                                                                sharing share, bool create);

} // namespace partywall::inline v0
