// SPDX-License-Identifier: BSL-1.0
#include <partywall/os/futex.hpp>

#include <partywall/os/clock.hpp>

#include "errno_guard.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>

namespace partywall::inline v0::os {
namespace {

// Kernel headers older than 5.16 know neither; numbers are the same on every architecture.
constexpr long sys_futex_waitv = 449;
constexpr std::uint32_t futex2_size_u32 = 0x02;
constexpr std::uint32_t futex2_private = 128;
struct waitv_entry {
    std::uint64_t value;
    std::uint64_t address;
    std::uint32_t flags;
    std::uint32_t reserved;
};
static_assert(sizeof(waitv_entry) == 24);

enum class support : std::uint8_t { untried, yes, no };
// Relaxed everywhere: the answer is a fact about the kernel, and any thread may find it.
std::atomic<support> waitv_support{support::untried};
std::atomic<bool> waitv_disabled{false};
std::atomic<bool> slices_endless{false};

futex_result result_of(int error) noexcept {
    switch (error) {
    case 0: return futex_result::woken;
    case EAGAIN: return futex_result::changed;
    case ETIMEDOUT: return futex_result::timed_out;
    case EINTR: return futex_result::signalled;
    default:
        // The kernel is out of memory, or the address is bad. The caller will look again, which
        // is right in any case; not sleeping at all would make it spin.
        timespec const pause{0, 1'000'000};
        ::clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);
        return futex_result::changed;
    }
}

// The acquire pairs with the release of whoever changed the word: the caller will look at what
// that one did before.
bool differs(futex_word const& word) noexcept {
    return std::atomic_ref<std::uint32_t>(const_cast<std::uint32_t&>(*word.address))
               .load(std::memory_order_acquire) != word.expected;
}

futex_result sleep_only(std::uint64_t until_ns) noexcept {
    timespec const until = to_timespec(until_ns);
    int const error = ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
    return error == EINTR ? futex_result::signalled : futex_result::timed_out;
}

/// 0 or an errno value; ENOSYS where there is no futex_waitv.
int waitv(std::span<futex_word const> words, std::uint64_t until_ns) noexcept {
    std::array<waitv_entry, futex_words_max> entries;
    for (std::size_t i = 0; i < words.size(); ++i) {
        entries[i] = {words[i].expected, reinterpret_cast<std::uintptr_t>(words[i].address),
                      futex2_size_u32 | (words[i].shared ? 0 : futex2_private), 0};
    }
    timespec const until = to_timespec(until_ns);
    long const woken = ::syscall(sys_futex_waitv, entries.data(),
                                 static_cast<unsigned>(words.size()), 0U, &until, CLOCK_MONOTONIC);
    if (woken >= 0) {
        return 0;
    }
    if (errno == ENOSYS || errno == EPERM) {
        waitv_support.store(support::no, std::memory_order_relaxed);
        return ENOSYS;
    }
    return errno;
}

/// Sleeps on the first words: as many as the kernel takes, or one.
futex_result wait_head(std::span<futex_word const> words, std::size_t head,
                       std::uint64_t until_ns) noexcept {
    if (words.size() == 1 || head == 1) {
        return futex_wait(words.front(), until_ns);
    }
    int const error = waitv(words.first(std::min(words.size(), head)), until_ns);
    // ENOSYS here is a sandbox that came up after the probe: the caller looks again, and next
    // time the sleep is cut into slices.
    return error == ENOSYS ? futex_result::changed : result_of(error);
}

} // namespace

futex_result futex_wait(futex_word const& word, std::uint64_t until_ns) noexcept {
    errno_guard const keep;
    timespec const until = to_timespec(until_ns);
    // WAIT_BITSET is the variant whose time is absolute, and monotonic unless asked otherwise.
    int const operation = FUTEX_WAIT_BITSET | (word.shared ? 0 : FUTEX_PRIVATE_FLAG);
    long const answer = ::syscall(SYS_futex, word.address, operation, word.expected, &until,
                                  nullptr, FUTEX_BITSET_MATCH_ANY);
    return result_of(answer == 0 ? 0 : errno);
}

futex_result futex_wait_any(std::span<futex_word const> words, std::uint64_t until_ns,
                            std::uint64_t slice_ns) noexcept {
    errno_guard const keep;
    if (words.empty()) {
        return sleep_only(until_ns);
    }
    for (;;) {
        std::size_t const head = have_futex_waitv() ? futex_words_max : 1;
        if (words.size() <= head) {
            return wait_head(words, head, until_ns);
        }
        if (std::any_of(words.begin(), words.end(), differs)) {
            return futex_result::changed;
        }
        std::uint64_t const now = monotonic_ns();
        if (now >= until_ns) {
            return futex_result::timed_out;
        }
        std::uint64_t const slice_end = now + std::min(slice_ns, until_ns - now);
        futex_result const answer = wait_head(words, head, slice_end);
        if (answer != futex_result::timed_out) {
            return answer;
        }
    }
}

bool have_futex_waitv() noexcept {
    if (waitv_disabled.load(std::memory_order_relaxed)) {
        return false;
    }
    support known = waitv_support.load(std::memory_order_relaxed);
    if (known == support::untried) {
        errno_guard const keep;
        // No words at all is invalid where the call exists.
        bool const exists =
            ::syscall(sys_futex_waitv, nullptr, 0U, 0U, nullptr, CLOCK_MONOTONIC) < 0 &&
            errno == EINVAL;
        known = exists ? support::yes : support::no;
        waitv_support.store(known, std::memory_order_relaxed);
    }
    return known == support::yes;
}

void futex_wake(std::uint32_t const& word, int count, bool shared) noexcept {
    errno_guard const keep;
    ::syscall(SYS_futex, &word, FUTEX_WAKE | (shared ? 0 : FUTEX_PRIVATE_FLAG), count, nullptr,
              nullptr, 0);
}

void for_test::disable_futex_waitv(bool disabled) noexcept {
    waitv_disabled.store(disabled, std::memory_order_relaxed);
}

void for_test::endless_slices(bool endless) noexcept {
    slices_endless.store(endless, std::memory_order_relaxed);
}

bool for_test::slices_are_endless() noexcept {
    return slices_endless.load(std::memory_order_relaxed);
}

} // namespace partywall::inline v0::os
