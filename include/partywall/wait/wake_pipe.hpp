// SPDX-License-Identifier: BSL-1.0
// What another process writes to so that a descriptor of ours becomes readable: a named pipe in the
// domain's directory, `wake.<ticket>.<number>`.
//
// A pipe and not a socket: who wakes opens it by name, writes a byte and closes it, and so keeps no
// descriptor between two calls; its path may be longer than the 108 bytes of a socket's; and no
// sandbox that forbids sockets forbids it (docs/decisions/0010-wake-pipes.md). Both ends open it for
// reading *and* writing: so a pipe whose owner is gone takes the byte and forgets it at the close,
// nobody gets SIGPIPE, and the owner never sees an end of file.
//
// Callers   kick(): any thread, any signal handler, while the object lives. The rest: one thread.
// Progress  nothing waits.
// Peer dies the file of a dead owner stays until recovery finds its ticket dead.
#pragma once

#include <partywall/export.hpp>
#include <partywall/os/fork_mark.hpp>
#include <partywall/os/unique_fd.hpp>

#include <cstdint>

namespace partywall::inline v0 {
class directory;
}

namespace partywall::inline v0::detail {

class wake_pipe {
  public:
    wake_pipe() = default;
    wake_pipe(wake_pipe const&) = delete;
    wake_pipe& operator=(wake_pipe const&) = delete;
    /// Closes; the name goes too, unless this is a forked child's copy.
    PARTYWALL_API ~wake_pipe();

    /// Makes the pipe; `where` outlives it. 0, or an errno value and nothing is left.
    PARTYWALL_API int open(directory const& where, std::uint64_t ticket,
                           std::uint32_t number) noexcept;
    PARTYWALL_API void close() noexcept;

    int fd() const noexcept { return fd_.get(); }
    std::uint32_t number() const noexcept { return number_; }
    /// Makes it readable.
    PARTYWALL_API void kick() const noexcept;
    /// Takes everything out. Whether there was anything.
    PARTYWALL_API bool drain() const noexcept;

  private:
    directory const* where_ = nullptr;
    os::unique_fd fd_;
    std::uint64_t ticket_ = 0;
    std::uint32_t number_ = 0;
    os::fork_mark mark_ = os::fork_mark::current();
};

/// Makes the pipe of another participant readable; one that is full is so already. 0, or why it
/// could not be done (ENOENT: it is gone; EMFILE; ...), which concerns nobody but its owner, who
/// looks by himself at the end of his slice. Four system calls. Preserves errno.
PARTYWALL_API int write_to_wake_pipe(directory const& where, std::uint64_t ticket,
                                     std::uint32_t number) noexcept;

} // namespace partywall::inline v0::detail
