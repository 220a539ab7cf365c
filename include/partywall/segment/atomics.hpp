// SPDX-License-Identifier: BSL-1.0
// The atomics policy. Every algorithm on shared words (slots, rings, gates, bells) takes its
// atomics as a template parameter: `std_atomics` in production, a scheduler in tests, so that
// one source is what runs and what is explored.
//
// A policy is a type with these static members. Words are plain fixed-width integers in the
// layouts; the policy alone decides how they are accessed.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <type_traits>

namespace partywall::inline v0 {

static_assert(std::atomic_ref<std::uint64_t>::is_always_lock_free);
static_assert(std::atomic_ref<std::uint32_t>::is_always_lock_free);
static_assert(std::endian::native == std::endian::little, "layouts are little-endian");

struct std_atomics {
    template <class Word>
    static Word load(Word const& word, std::memory_order order) noexcept {
        // atomic_ref<const T> is not in C++20; a lock-free load does not write, so this also
        // serves words of a read-only mapping.
        return std::atomic_ref<Word>(const_cast<Word&>(word)).load(order);
    }
    template <class Word>
    static void store(Word& word, Word value, std::memory_order order) noexcept {
        std::atomic_ref<Word>(word).store(value, order);
    }
    /// Acquire on success and on failure, release on success.
    template <class Word>
    static bool compare_exchange(Word& word, Word& expected, Word desired) noexcept {
        return std::atomic_ref<Word>(word).compare_exchange_strong(
            expected, desired, std::memory_order_acq_rel, std::memory_order_acquire);
    }
    template <class Word>
    static Word fetch_add(Word& word, Word increment, std::memory_order order) noexcept {
        return std::atomic_ref<Word>(word).fetch_add(increment, order);
    }
    static void fence(std::memory_order order) noexcept {
#if defined(__SANITIZE_THREAD__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"
#endif
        std::atomic_thread_fence(order);
#if defined(__SANITIZE_THREAD__)
#pragma GCC diagnostic pop
#endif
    }
    /// Keeps the compiler, not the processor, from moving accesses: the light half of a fence
    /// pair whose heavy half is a membarrier.
    static void compiler_fence() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }
};

/// Adds to a word that the caller's side alone writes: a plain load and store, relaxed, and no
/// locked instruction.
template <class Atomics = std_atomics, class Word>
void add_to_own(Word& word, std::type_identity_t<Word> amount) noexcept {
    Atomics::store(word, static_cast<Word>(Atomics::load(word, std::memory_order_relaxed) + amount),
                   std::memory_order_relaxed);
}

} // namespace partywall::inline v0
