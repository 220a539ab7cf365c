// SPDX-License-Identifier: BSL-1.0
#include <partywall/os/robust_word.hpp>

#include <partywall/os/futex.hpp>

#include <linux/futex.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstddef>

#if !defined(__GLIBC__)
#error "the futex inside a robust mutex is where glibc puts it; other C libraries need a look"
#endif

namespace partywall::inline v0::os {
namespace {

static_assert(sizeof(pthread_mutex_t) <= robust_word_bytes && alignof(pthread_mutex_t) <= 8);
static_assert(offsetof(pthread_mutex_t, __data.__lock) == 0 && sizeof(int) == 4);

pthread_mutex_t* mutex_of(void* memory) noexcept { return static_cast<pthread_mutex_t*>(memory); }

std::atomic_ref<std::uint32_t> word_of(void const* memory) noexcept {
    return std::atomic_ref<std::uint32_t>(
        *const_cast<std::uint32_t*>(static_cast<std::uint32_t const*>(memory)));
}

} // namespace

bool robust_init(void* memory) noexcept {
    pthread_mutexattr_t attributes;
    if (::pthread_mutexattr_init(&attributes) != 0) {
        return false;
    }
    ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    int const error = ::pthread_mutex_init(mutex_of(memory), &attributes);
    ::pthread_mutexattr_destroy(&attributes);
    return error == 0;
}

bool robust_hold(void* memory) noexcept {
    int const answer = ::pthread_mutex_trylock(mutex_of(memory));
    if (answer == EOWNERDEAD) {
        ::pthread_mutex_consistent(mutex_of(memory));
    } else if (answer != 0) {
        return false;
    }
    // Without the bit the kernel marks the word but wakes nobody: sleepers never set it, since
    // they may not write here. Only this thread and, after its death, the kernel change the word
    // now. Relaxed: whoever went to sleep before looks at the word again by itself.
    word_of(memory).fetch_or(FUTEX_WAITERS, std::memory_order_relaxed);
    return true;
}

void robust_release(void* memory) noexcept {
    ::pthread_mutex_unlock(mutex_of(memory)); // wakes one
    futex_wake(*static_cast<std::uint32_t const*>(memory), INT_MAX, true);
}

std::uint32_t robust_value(void const* memory) noexcept {
    // Pairs with the holder's unlock, or with the kernel's mark after the holder's last store.
    return word_of(memory).load(std::memory_order_acquire);
}

bool robust_is_held(std::uint32_t value) noexcept { return (value & FUTEX_TID_MASK) != 0; }

bool robust_owner_died(std::uint32_t value) noexcept { return (value & FUTEX_OWNER_DIED) != 0; }

} // namespace partywall::inline v0::os
