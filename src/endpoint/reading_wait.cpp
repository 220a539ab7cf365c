// SPDX-License-Identifier: BSL-1.0
// How a reading end goes to sleep, and what wakes it.
#include "reading_wait.hpp"

#include <partywall/endpoint/reading_end.hpp>
#include <partywall/os/membarrier.hpp>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace partywall::inline v0::detail {
namespace {

std::uint32_t const& futex_of(std::atomic<std::uint32_t> const& word) noexcept {
    static_assert(sizeof(word) == sizeof(std::uint32_t));
    return reinterpret_cast<std::uint32_t const&>(word);
}

} // namespace

std::atomic<std::uint32_t>& kicks() noexcept {
    static constinit std::atomic<std::uint32_t> word{0};
    return word;
}

namespace {
/// Threads of this process that sleep in a call that receives, or are about to.
std::atomic<std::uint32_t>& sleepers() noexcept {
    static constinit std::atomic<std::uint32_t> count{0};
    return count;
}
} // namespace

void kick_sleepers() noexcept {
    // release: pairs with the acquire in prepare_sleep(). seq_cst, both, and so is the count in
    // sleep(), after which the kernel compares `kicks` behind a full barrier of its own: either we
    // see the sleeper, or it sees the kick. Nobody asleep costs no system call.
    kicks().fetch_add(1, std::memory_order_seq_cst);
    if (sleepers().load(std::memory_order_seq_cst) != 0) {
        os::futex_wake(futex_of(kicks()), INT_MAX, false);
    }
}

void reading_end::interrupt() noexcept {
    if (mark_.is_child()) {
        return;
    }
    int const saved = errno;
    // release: pairs with the acquire in interrupted().
    interrupts_.fetch_add(1, std::memory_order_release);
    os::futex_wake(futex_of(interrupts_), INT_MAX, false);
    errno = saved;
}

bool reading_end::interrupted() noexcept {
    // acquire: what the interrupting thread did before is visible to the one it interrupts.
    std::uint32_t const now = interrupts_.load(std::memory_order_acquire);
    if (now == interrupts_seen_) {
        return false;
    }
    interrupts_seen_ = now;
    return true;
}

receive_errc reading_end::prepare_sleep(std::uint64_t until_ns) noexcept {
    participant_->keep_notice();
    catch_up();
    if (interrupted()) {
        return receive_errc::interrupted;
    }
    sleep_began_ns_ = os::monotonic_ns();
    if (sleep_began_ns_ >= until_ns) {
        return receive_errc::timed_out;
    }
    wait_list& words = *words_;
    words = wait_list();
    words_stale_ = false;
    calm_ = false; // the re-check is a whole one
    words.add({&futex_of(interrupts_), interrupts_seen_, false});
    // acquire: pairs with the release in kick_sleepers(). Loaded before the re-check collects.
    words.add({&futex_of(kicks()), kicks().load(std::memory_order_acquire), false});
    bool membarrier = false;
    bool const armed = add_words(words, membarrier);
    for (auto const& s : sources_) {
        if (s->seat) {
            s->seat.count_sleep();
        }
    }
    // The heavy half of the bells' fence pairs: pairs with light_fence() in bell_ringer.
    if (membarrier) {
        if (!os::heavy_fence()) {
            words.cannot_rely_on_wakes();
        }
    } else if (armed) {
        std_atomics::fence(std::memory_order_seq_cst);
    }
    return receive_errc::none;
}

bool reading_end::sleep(std::uint64_t until_ns) noexcept {
    bool woken = false;
    if (!words_stale_) { // the re-check may have let sources go, or found new ones
        sleepers().fetch_add(1, std::memory_order_seq_cst); // pairs with kick_sleepers()
        woken = words_->park(until_ns) == os::futex_result::woken;
        sleepers().fetch_sub(1, std::memory_order_relaxed); // too late is a superfluous wake
    }
    after_sleep();
    return woken;
}

} // namespace partywall::inline v0::detail
