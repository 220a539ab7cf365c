// SPDX-License-Identifier: BSL-1.0
// Proof of life and death: a lock that the kernel holds for exactly as long as a process lives.
#pragma once

#include <partywall/export.hpp>
#include <partywall/os/file_identity.hpp>
#include <partywall/os/fork_mark.hpp>
#include <partywall/result.hpp>

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace partywall::inline v0::os {

/// The write lock on one byte of a lock file, held by a mapping of that file and by nothing else.
///
/// Use when  others must be able to *prove* that this process is dead before they take its
///           memory: while the lock is held it lives, whatever its pid, PID namespace or state.
/// Not when  a quick notice will do: that is robust_word.hpp. The kernel drops this lock only
///           after it has torn down the dead process's memory (0.3 ms to tens of ms).
/// Callers   take(): any thread. The handle: one thread at a time.
/// Progress  never waits; a lock that somebody holds is an answer.
/// Peer dies its byte becomes free; nothing else happens.
/// Errors    errno values: EAGAIN somebody holds that byte; ESTALE the path names another file;
///           EPERM wrong type, link count or mode; ENOTSUP a file system that does not keep the lock
///           with a mapping; what open(), fcntl() and mmap() say.
///
/// An open-file-description lock belongs to the open file, and a mapping keeps the file open. So
/// the lock survives an application that closes every descriptor; the classic rule that closing
/// any descriptor of a file drops its locks does not apply; and because the mapping is not
/// inherited (MADV_DONTFORK), no child keeps a dead parent's lock alive. Forks of other threads
/// are kept out of the few system calls during which a descriptor exists. vfork() and
/// posix_spawn() cannot be: until such a child execs it may prolong the lock.
class life_lock {
  public:
    /// Locks `byte` of the existing regular file `path`, if that is `expected` and its mode is
    /// exactly `mode`.
    PARTYWALL_API static result<life_lock, int> take(std::string const& path, std::uint64_t byte,
                                                     file_identity const& expected, mode_t mode);

    PARTYWALL_API life_lock(life_lock&& other) noexcept;
    PARTYWALL_API life_lock& operator=(life_lock&& other) noexcept;
    life_lock(life_lock const&) = delete;
    life_lock& operator=(life_lock const&) = delete;
    /// Drops the lock; in a forked child, which never had it, does nothing.
    ~life_lock() { release(); }

    PARTYWALL_API void release() noexcept;
    /// Whether this process holds the lock through this handle.
    explicit operator bool() const noexcept { return page_ != nullptr && !mark_.is_child(); }

  private:
    life_lock(void* page, std::size_t bytes, fork_mark mark) noexcept
        : page_(page), bytes_(bytes), mark_(mark) {}

    void* page_;
    std::size_t bytes_;
    fork_mark mark_;
};

enum class lock_state : std::uint8_t {
    held,     ///< its holder lives
    not_held, ///< nobody holds it: whoever once did is dead, or let it go
    unknown,  ///< could not be asked. Never take this for death.
};

/// Asks who holds `byte`. Opens the file afresh each time, changes nothing, and also sees the
/// locks of the calling process. Anything unexpected, another file under that name included, is
/// `unknown`. Preserves errno.
PARTYWALL_API lock_state query_lock(std::string const& path, file_identity const& expected,
                                    std::uint64_t byte) noexcept;

} // namespace partywall::inline v0::os
