// SPDX-License-Identifier: BSL-1.0
// How a process knows that it is a forked child of the process that made a handle.
#pragma once

#include <partywall/detail/mutant.hpp>
#include <partywall/export.hpp>

#include <atomic>
#include <cstdint>

namespace partywall::inline v0::os {

/// A mark of the process that took it.
///
/// Use when  a handle must not be used by a forked child (its lock and its ticket are the
///           parent's).
/// Callers   any thread; a value, freely copied.
/// Cost      current(): a load; once per process a mapping. is_child(): one load and a compare.
///
/// One page per process, never unmapped, holds a generation other than 0. The kernel wipes it in
/// every forked child (MADV_WIPEONFORK), also one made by a raw clone(); the child's first
/// current() writes a generation that none of its forebears ever had. So a mark taken before the
/// fork differs from the page for ever. Where the kernel cannot wipe, an at-fork handler does.
/// A vfork() child runs in its parent's memory, is not told apart, and must only exec or exit.
class fork_mark {
  public:
    PARTYWALL_API static fork_mark current() noexcept;

    /// true in a forked child (and in its children) of the process that took the mark.
    bool is_child() const noexcept {
        // Relaxed: a thread that runs in the child sees the wiped page from its first instruction.
        return word_->load(std::memory_order_relaxed) != generation_ &&
               !PARTYWALL_MUTANT(fork_not_noticed);
    }

  private:
    fork_mark(std::atomic<std::uint64_t> const* word, std::uint64_t generation) noexcept
        : word_(word), generation_(generation) {}

    std::atomic<std::uint64_t> const* word_;
    std::uint64_t generation_;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

namespace for_test {
/// Behave as if the kernel could not wipe pages. Only before the process's first current().
PARTYWALL_API void disable_wipe_on_fork() noexcept;
} // namespace for_test

} // namespace partywall::inline v0::os
