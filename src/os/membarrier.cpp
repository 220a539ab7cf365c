// SPDX-License-Identifier: BSL-1.0
#include <partywall/os/membarrier.hpp>

#include "errno_guard.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

namespace partywall::inline v0::os {
namespace {

std::atomic<bool> disabled_for_test{false};

bool membarrier(int command) noexcept {
    errno_guard const keep;
    return !disabled_for_test.load(std::memory_order_relaxed) &&
           ::syscall(SYS_membarrier, command, 0, 0) == 0;
}

// The caller's own part. Pairs with the compiler barrier of a registered process, which the
// system call turns into a fence; or with the other side's seq_cst fence where it has one.
void fence() noexcept {
#if defined(__SANITIZE_THREAD__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"
#endif
    std::atomic_thread_fence(std::memory_order_seq_cst);
#if defined(__SANITIZE_THREAD__)
#pragma GCC diagnostic pop
#endif
}

} // namespace

// Not remembered in a variable: a forked child would inherit a memory that need not be true for
// it, and the kernel answers a second registration at once.
bool register_membarrier() noexcept {
    fence();
    return membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED);
}

// The fence first: what the caller wrote before is visible before any other process's fence, and
// also where the system call is missing. Pairs with the compiler barrier of whoever registered.
bool heavy_fence() noexcept {
    fence();
    bool const everywhere = membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED);
    fence();
    return everywhere;
}

void for_test::disable_membarrier(bool disabled) noexcept {
    disabled_for_test.store(disabled, std::memory_order_relaxed);
}

} // namespace partywall::inline v0::os
