// SPDX-License-Identifier: BSL-1.0
// Words for what went wrong, and the checks that files and directories have in common.
#pragma once

#include <partywall/segment/directory.hpp>
#include <partywall/segment/segment_errc.hpp>

#include <sys/stat.h>

#include <new>
#include <optional>
#include <string>
#include <string_view>

namespace partywall::inline v0::detail {

/// What is being tried, on which object: the beginning of every message.
struct attempt {
    std::string_view verb; ///< "create", "attach", "open"
    std::string_view path;
};

/// "cannot attach /x/ring.7.1: <reason>".
segment_failure refuse(attempt const& what, segment_errc code, std::string_view reason,
                       int os_error = 0);
/// The same for a failed system call, with the code that its errno means.
segment_failure refuse_errno(attempt const& what, std::string_view call, int os_error);

segment_errc errc_of(int os_error) noexcept;
std::string octal(mode_t mode);
std::string hex(std::uint64_t number);

/// "is a symbolic link", ...
std::string_view type_name(mode_t mode) noexcept;

/// Owner (group-shared: group) and exact permissions.
std::optional<segment_failure> check_access(attempt const& what, struct stat const& status,
                                            sharing share, gid_t group, mode_t mode);
/// All that can be said about a file of `where` without reading it: regular, ours, exact
/// permissions, one name.
std::optional<segment_failure> check_file(attempt const& what, struct stat const& status,
                                          directory const& where);

/// Runs `body`; running out of heap in it is an error like any other. The message is short
/// enough to need no heap itself.
template <class Body>
auto catching_bad_alloc(Body const& body) -> decltype(body()) {
    try {
        return body();
    } catch (std::bad_alloc const&) {
        return segment_failure{segment_errc::no_memory, ENOMEM, "out of memory"};
    }
}

} // namespace partywall::inline v0::detail
