// SPDX-License-Identifier: BSL-1.0
// Notice of death: a word that the kernel marks when the thread that holds it dies, waking who
// sleeps on it. It is the futex of a robust, process-shared mutex that nobody ever waits to lock.
//
//   value 0                     nobody holds it
//   value {tid, waiters bit}    the thread with that id (in its own PID namespace) holds it
//   value {owner-died bit, ...} its holder died without releasing it
//
// Callers   robust_init, _hold, _release: the one process that maps the memory writable.
//           robust_value and the predicates: anybody, a read-only mapping will do.
// Progress  nothing here waits.
// Peer dies the kernel marks the word and wakes ONE sleeper: the woken one wakes all the others
//           (futex_wake) before it does anything else.
// Rules     The memory is 8-byte aligned, robust_word_bytes long, at the same address as long as
//           it is held, and is never unmapped while held: the holding thread's list of robust
//           mutexes runs through it. A forked child holds nothing that its parent held.
//           A thread that ends while it holds the word is marked like a death: release first.
#pragma once

#include <partywall/export.hpp>

#include <cstddef>
#include <cstdint>

namespace partywall::inline v0::os {

inline constexpr std::size_t robust_word_bytes = 64;

/// Makes a free word. Only where nobody can see the memory yet. false: no memory (cannot happen
/// with glibc).
PARTYWALL_API bool robust_init(void* memory) noexcept;

/// Holds the word from now on for the calling thread, also after a holder that died. false:
/// somebody else holds it, or this thread already does.
PARTYWALL_API bool robust_hold(void* memory) noexcept;

/// Only by the thread that holds it. Leaves 0, which is no notice, and wakes all sleepers: as long
/// as nobody holds it nobody will tell them.
PARTYWALL_API void robust_release(void* memory) noexcept;

/// The word as others see it. Acquire: what the holder did before it released or died.
PARTYWALL_API std::uint32_t robust_value(void const* memory) noexcept;
/// The word to sleep on.
inline std::uint32_t const* robust_futex(void const* memory) noexcept {
    return static_cast<std::uint32_t const*>(memory);
}
/// robust_owner_died() of the value now, for hot paths: one load.
inline bool robust_died_now(void const* memory) noexcept {
    constexpr std::uint32_t owner_died = 0x4000'0000; // FUTEX_OWNER_DIED, part of the kernel's ABI
    // relaxed: notice is only a hint to look; whatever is concluded is checked again.
    return (__atomic_load_n(robust_futex(memory), __ATOMIC_RELAXED) & owner_died) != 0;
}
PARTYWALL_API bool robust_is_held(std::uint32_t value) noexcept;
PARTYWALL_API bool robust_owner_died(std::uint32_t value) noexcept;

} // namespace partywall::inline v0::os
