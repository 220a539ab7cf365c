// SPDX-License-Identifier: BSL-1.0
// A process as something that a poll can wait for the end of. A pid alone is a poor name: it is used
// again, and means another process in another PID namespace. So a process that wants to be waited
// for says in which namespace its pid is one, and who waits checks, after it opened the descriptor,
// that the process is still there: then it was its own.
//
// Callers   any thread.
// Progress  nothing here waits.
// Old kernel, sandbox   no descriptor: ENOSYS, EPERM.
#pragma once

#include <partywall/export.hpp>
#include <partywall/os/unique_fd.hpp>

#include <cstdint>

namespace partywall::inline v0::os {

/// Readable from the end of the process on, when the kernel has taken its memory apart. Empty, with
/// errno, if there is no such process or it cannot be done.
PARTYWALL_API unique_fd open_process(int pid) noexcept;

/// How much of its memory is in use, which is what its end takes time to give back. The greatest
/// number if it is not known. Three system calls.
PARTYWALL_API std::uint64_t resident_bytes(int pid) noexcept;

/// Names the PID namespace of this process on this host; 0: there is no /proc to learn it from.
PARTYWALL_API std::uint64_t pid_namespace() noexcept;

} // namespace partywall::inline v0::os
