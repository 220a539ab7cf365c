// SPDX-License-Identifier: BSL-1.0
// The heavy half of an asymmetric fence: one side pays a system call so that the other side,
// which runs for every message, pays nothing.
#pragma once

#include <partywall/export.hpp>

namespace partywall::inline v0::os {

/// Asks the kernel to include this process in everybody's heavy_fence(). Who *omits* a fence
/// must have registered, with the answer true, or must fence after all. Cheap when it is already
/// registered; before a process starts threads a few microseconds, later tens of milliseconds.
/// Not inherited reliably: a forked child registers anew. A seq_cst fence of the caller too.
PARTYWALL_API bool register_membarrier() noexcept;

/// A seq_cst fence of the caller, and of every running thread of every registered process.
/// false: only the caller's fence happened (no system call, or a sandbox); the caller must then
/// never sleep for longer than a slice.
PARTYWALL_API bool heavy_fence() noexcept;

namespace for_test {
/// true: behave as if the kernel had no membarrier. For this process, until called again.
PARTYWALL_API void disable_membarrier(bool disabled) noexcept;
} // namespace for_test

} // namespace partywall::inline v0::os
