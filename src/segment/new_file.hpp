// SPDX-License-Identifier: BSL-1.0
// A file that has no name until it is whole.
//
// The fast way is an unnamed file (O_TMPFILE) that is linked through /proc: a killed creator
// leaves nothing, the kernel frees it. Where either is missing the file has a temporary name,
// ".tmp.<ticket>.<random>", and is locked for as long as its creator works on it; whoever can take
// that lock knows that the creator is gone and removes the file (sweep_temporaries). The lock is
// an flock(): it belongs to the open file, so a child that was forked meanwhile can delay the
// sweep, never cause it.
#pragma once

#include <partywall/os/unique_fd.hpp>
#include <partywall/segment/directory.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace partywall::inline v0::detail {

class new_file {
  public:
    /// Empty file with exactly `where`'s permissions. The error is an errno value.
    static result<new_file, int> make(os::unique_fd at, directory const& where,
                                      std::uint64_t ticket);

    new_file(new_file&&) noexcept = default;
    new_file& operator=(new_file&&) = delete;
    new_file(new_file const&) = delete;
    new_file& operator=(new_file const&) = delete;
    /// Leaves nothing behind unless published.
    ~new_file();

    int fd() const noexcept { return fd_.get(); }
    /// The directory.
    int at() const noexcept { return at_.get(); }
    /// Gives the file its name: 0, or an errno value (EEXIST: the name is taken).
    int publish(char const* name) noexcept;

  private:
    new_file(os::unique_fd at, os::unique_fd fd, std::string temporary) noexcept
        : at_(std::move(at)), fd_(std::move(fd)), temporary_(std::move(temporary)) {}

    static result<new_file, int> make_named(os::unique_fd at, std::uint64_t ticket);

    os::unique_fd at_;
    os::unique_fd fd_;
    std::string temporary_; ///< empty: the file has no name at all
};

/// ".tmp.<ticket>.<16 hexadecimal digits>" and nothing else.
bool is_temporary_name(std::string_view name) noexcept;

} // namespace partywall::inline v0::detail
