// SPDX-License-Identifier: BSL-1.0
// Threads of execution that take turns by hand, on stacks of their own.
#pragma once

#include <cstddef>
#include <memory>
#include <ucontext.h>

// ucontext asks the kernel at every switch, which is most of what an exploration would do.
// Sanitizers must see the switches, so they get it.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#if defined(__has_feature)
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
#define PARTYWALL_EXPLORE_OWN_SWITCH 1
#endif
#else
#define PARTYWALL_EXPLORE_OWN_SWITCH 1
#endif
#endif

namespace partywall::test::explore {

class fiber {
  public:
    fiber() = default;
    fiber(fiber const&) = delete;
    fiber& operator=(fiber const&) = delete;

    /// From the beginning of `entry`, which never returns.
    void rewind(void (*entry)());
    /// Goes on here, and leaves `from` where it is. `from` may be a fiber without a stack: whoever
    /// called the first one.
    void resume(fiber& from);

  private:
    static constexpr std::size_t stack_bytes = 64 * 1024;
    std::unique_ptr<char[]> stack_;
#ifdef PARTYWALL_EXPLORE_OWN_SWITCH
    void* stack_pointer_ = nullptr;
#else
    ucontext_t context_{};
#endif
};

} // namespace partywall::test::explore
