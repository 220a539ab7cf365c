// SPDX-License-Identifier: BSL-1.0
// Sleeping on a word, and waking who sleeps there. std::atomic::wait is no substitute: it uses
// the process-private kind of futex and cannot wake another process.
//
// Every function preserves errno and is async-signal-safe.
#pragma once

#include <partywall/export.hpp>

#include <cstdint>
#include <span>

namespace partywall::inline v0::os {

/// A word to sleep on, as it was when the sleeper last looked. `shared`: other processes map it
/// and wake through it (a read-only mapping will do for sleeping); otherwise private memory.
struct futex_word {
    std::uint32_t const* address;
    std::uint32_t expected;
    bool shared;
};

enum class futex_result : std::uint8_t {
    woken,     ///< somebody called futex_wake, or the kernel did so for a dead owner; or spurious
    changed,   ///< a word differed from `expected`: not slept, or no longer
    timed_out, ///< `until_ns` has passed
    signalled, ///< a signal handler ran
};

/// Words that the kernel takes in one wait.
inline constexpr std::size_t futex_words_max = 128;
/// How long futex_wait_any looks away from the words that it cannot sleep on.
inline constexpr std::uint64_t futex_slice_ns = 1'000'000;

/// Sleeps while the word has its expected value. `until_ns` is absolute, CLOCK_MONOTONIC; the
/// largest value is "for ever". Every answer but `timed_out` means: look again.
PARTYWALL_API futex_result futex_wait(futex_word const& word, std::uint64_t until_ns) noexcept;

/// Sleeps while all words have their expected values.
///
/// Without futex_waitv (Linux < 5.16, sandboxes) it sleeps on the first word only and looks at
/// the others once per slice; so put the word first that most needs to be fast. The same holds
/// for words beyond `futex_words_max`. A wake that leaves such a word unchanged is not seen.
/// No words: sleeps until `until_ns`.
PARTYWALL_API futex_result futex_wait_any(std::span<futex_word const> words, std::uint64_t until_ns,
                                          std::uint64_t slice_ns = futex_slice_ns) noexcept;

/// Whether futex_wait_any can sleep on several words. Probed once; a sandbox's EPERM is a no,
/// like ENOSYS, also when the sandbox comes up later.
PARTYWALL_API bool have_futex_waitv() noexcept;

/// Wakes up to `count` sleepers; INT_MAX is all. The word may be in a read-only mapping.
PARTYWALL_API void futex_wake(std::uint32_t const& word, int count, bool shared) noexcept;

namespace for_test {
/// true: behave as if the kernel had no futex_waitv. For this process, until called again.
PARTYWALL_API void disable_futex_waitv(bool disabled) noexcept;
/// true: sleeps that rely on being woken have no slice, so that a lost wake-up is a hang and not
/// some milliseconds. For this process, until called again.
PARTYWALL_API void endless_slices(bool endless) noexcept;
PARTYWALL_API bool slices_are_endless() noexcept;
} // namespace for_test

} // namespace partywall::inline v0::os
