// SPDX-License-Identifier: BSL-1.0
// How a subscriber goes to sleep, and what wakes it.
#include "subscriber_wait.hpp"

#include <partywall/os/membarrier.hpp>
#include <partywall/os/robust_word.hpp>
#include <partywall/topic/subscriber_core.hpp>

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
/// Threads of this process that sleep in a subscriber, or are about to.
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

void subscriber_core::interrupt() noexcept {
    if (mark_.is_child()) {
        return;
    }
    int const saved = errno;
    // release: pairs with the acquire in interrupted().
    interrupts_.fetch_add(1, std::memory_order_release);
    os::futex_wake(futex_of(interrupts_), INT_MAX, false);
    errno = saved;
}

bool subscriber_core::interrupted() noexcept {
    // acquire: what the interrupting thread did before is visible to the one it interrupts.
    std::uint32_t const now = interrupts_.load(std::memory_order_acquire);
    if (now == interrupts_seen_) {
        return false;
    }
    interrupts_seen_ = now;
    return true;
}

std::uint64_t subscriber_core::spin_end(std::uint64_t now_ns,
                                        std::uint64_t until_ns) const noexcept {
    switch (options_.waiting) {
    case waiting::spin: return until_ns;
    case waiting::park: return now_ns;
    case waiting::spin_then_park: break;
    }
    return std::min(until_ns, now_ns + static_cast<std::uint64_t>(options_.spin_for.count()));
}

receive_errc subscriber_core::prepare_sleep(std::uint64_t until_ns) noexcept {
    participant_->keep_notice();
    if (!recover_due_.empty()) {
        recover_after_deaths();
    }
    if (interrupted()) {
        return receive_errc::interrupted;
    }
    if (os::monotonic_ns() >= until_ns) {
        return receive_errc::timed_out;
    }
    wait_list& words = *words_;
    words = wait_list();
    words_stale_ = false;
    words.add({&futex_of(interrupts_), interrupts_seen_, false});
    // acquire: pairs with the release in kick_sleepers(). Loaded before the re-check collects.
    words.add({&futex_of(kicks()), kicks().load(std::memory_order_acquire), false});
    bool armed = false;
    bool membarrier = false;
    for (auto const& s : sources_) {
        if (s->wakes) {
            if (s->bell.prepare()) {
                armed = true;
                membarrier = membarrier || s->fences == fence_pair::sleeper;
            }
            words.add_data(s->bell.rung_word());
        } else {
            words.cannot_rely_on_wakes();
        }
        words.peer_death_matters();
        if (s->life.word != nullptr) {
            std::uint32_t const life = os::robust_value(s->life.word);
            if (os::robust_is_held(life)) {
                words.add({os::robust_futex(s->life.word), life, true});
            }
        }
        if (s->seat) {
            s->seat.count_sleep();
        }
    }
    if (!recover_due_.empty()) {
        words.peer_death_matters(); // proof is still to come
    }
    os::futex_word const epoch{&participant_->epoch_word(), epoch_seen_, true};
    if (sources_.empty()) {
        words.add_data(epoch);
    } else {
        words.add(epoch);
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

void subscriber_core::sleep(std::uint64_t until_ns) noexcept {
    if (!words_stale_) { // the re-check may have let sources go, or found new ones
        sleepers().fetch_add(1, std::memory_order_seq_cst); // pairs with kick_sleepers()
        words_->park(until_ns);
        sleepers().fetch_sub(1, std::memory_order_relaxed); // too late is a superfluous wake
    }
    watch_unnoticed();
}

/// After a sleep: wakes the others that wait for a death (the kernel wakes one), and asks for
/// proof where there can be no notice: a life word that no thread holds, or that is not mapped.
void subscriber_core::watch_unnoticed() noexcept {
    for (auto const& s : sources_) {
        std::uint32_t const life = s->life.word != nullptr ? os::robust_value(s->life.word) : 0;
        if (os::robust_owner_died(life)) {
            os::futex_wake(*os::robust_futex(s->life.word), INT_MAX, true);
        } else if (!os::robust_is_held(life) && !s->ending &&
                   participant_->proven_dead(s->ticket)) {
            mark_ended(*s);
        }
    }
}

} // namespace partywall::inline v0::detail
