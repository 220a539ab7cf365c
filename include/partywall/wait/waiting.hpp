// SPDX-License-Identifier: BSL-1.0
// How a blocking call waits, and the slices that bound every sleep.
#pragma once

#include <partywall/limits.hpp>
#include <partywall/os/clock.hpp>
#include <partywall/os/futex.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace partywall::inline v0 {

/// What a blocking call does until there is something to return. Under spin_then_park each endpoint
/// learns from its waits how long they are and what sleeping costs it, and spins for what comes soon
/// enough: not at all while it is idle, and never longer than its option `spin_for`.
enum class waiting : std::uint8_t {
    spin_then_park, ///< spin as long as that pays, then sleep; the default
    spin,           ///< never sleep: lowest latency, a whole core, needs a core to spare
    park,           ///< sleep at once: lowest use of the processor, a wake-up per message
};

namespace detail {

/// No sleep lasts longer than its slice, so that a missed wake-up (a writer killed between its
/// data and its ring, a sandbox without a system call) costs a slice and not a hang.
namespace slice {
inline constexpr std::uint64_t idle_ns = 100'000'000; ///< nobody's death matters
/// A peer's death matters. Less than 10 ms by what waking up and looking take: where a death has
/// to be polled for, 10 ms is all the time there is.
inline constexpr std::uint64_t peer_ns = 8'000'000;
/// A peer's death matters, and something that the sleep waits for tells of it. Only what is told to
/// nobody is found by this slice: of those that sleep on one life word the kernel wakes one, which
/// may be killed before it has woken the others.
inline constexpr std::uint64_t told_ns = 40'000'000;
inline constexpr std::uint64_t polling_ns = 1'000'000; ///< wake-ups cannot be relied on
} // namespace slice

inline void spin_pause() noexcept {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("isb" ::: "memory");
#endif
}

/// The words that one sleep waits for, and the sleep itself. Built anew for every sleep; no heap.
/// The first word must be the handle's own interrupt word.
class wait_list {
  public:
    /// For a sleep through a descriptor, which needs no words: says only how long a slice is.
    static wait_list of_descriptor() noexcept {
        wait_list list;
        list.keeps_words_ = false;
        return list;
    }
    /// A word whose change brings data.
    bool add_data(os::futex_word const& word) noexcept {
        data_words_ += 1;
        if (!keeps_words_ || !add(word)) {
            return false;
        }
        data_index_ = count_ - 1;
        return true;
    }
    /// A word whose change ends the wait otherwise: interrupt, a death, a new peer. What does
    /// not fit is left to the slices.
    bool add(os::futex_word const& word) noexcept {
        if (!keeps_words_) {
            return false;
        }
        if (count_ == words_.size()) {
            overflowed_ = true;
            return false;
        }
        words_[count_++] = word;
        return true;
    }
    /// The data source does not ring (wake = never), or this process cannot run its heavy fence:
    /// sleep in short slices.
    void cannot_rely_on_wakes() noexcept { polling_ = true; }
    void peer_death_matters() noexcept { peer_ = true; }
    /// The same, and something that is waited for tells of it.
    void peer_death_is_told() noexcept { told_ = true; }

    /// Sleeps until a word differs from its expected value, a wake-up, a signal, the end of the
    /// slice, or `until_ns` (CLOCK_MONOTONIC), whichever is first.
    os::futex_result park(std::uint64_t until_ns) noexcept {
        std::uint64_t const slice_end = os::monotonic_ns() + slice_ns();
        std::uint64_t const end = until_ns < slice_end ? until_ns : slice_end;
        if (os::have_futex_waitv()) {
            return os::futex_wait_any(std::span(words_.data(), count_), end);
        }
        // Without futex_waitv one word must do: the only data word, or the interrupt word.
        return os::futex_wait(words_[data_words_ == 1 ? data_index_ : 0], end);
    }

    /// There is more to wait for than a sleep on these words would see at once.
    bool wants_descriptor() const noexcept {
        return overflowed_ || (data_words_ > 1 && !os::have_futex_waitv());
    }
    /// The slice of a sleep through a descriptor; 0: it has none.
    std::uint64_t tick_ns() const noexcept {
        if (!polling_ && os::for_test::slices_are_endless()) [[unlikely]] {
            return 0;
        }
        return polling_ ? slice::polling_ns
               : peer_  ? slice::peer_ns
               : told_  ? slice::told_ns
                        : slice::idle_ns;
    }

  private:
    std::uint64_t slice_ns() const noexcept {
        if (polling_) {
            return slice::polling_ns;
        }
        if (!os::have_futex_waitv()) {
            return data_words_ > 1 ? slice::polling_ns : slice::peer_ns;
        }
        if (os::for_test::slices_are_endless()) [[unlikely]] {
            return ~std::uint64_t{0} >> 1;
        }
        return peer_ || overflowed_ ? slice::peer_ns : told_ ? slice::told_ns : slice::idle_ns;
    }

    std::array<os::futex_word, wait_words_max> words_;
    std::size_t count_ = 0;
    std::size_t data_words_ = 0;
    std::size_t data_index_ = 0;
    bool keeps_words_ = true;
    bool overflowed_ = false;
    bool polling_ = false;
    bool peer_ = false;
    bool told_ = false;
};

} // namespace detail
} // namespace partywall::inline v0
