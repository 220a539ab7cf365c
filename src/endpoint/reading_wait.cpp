// SPDX-License-Identifier: BSL-1.0
// How a reading end goes to sleep, and what wakes it.
#include "reading_wait.hpp"

#include <partywall/endpoint/reading_end.hpp>
#include <partywall/os/membarrier.hpp>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

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

std::atomic<std::uint32_t>& ends_with_descriptors() noexcept {
    static constinit std::atomic<std::uint32_t> count{0};
    return count;
}

void kick_sleepers() noexcept {
    // release: pairs with the acquire in add_kicks(). seq_cst, both, and so is the count in
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
    // acquire: pairs with the release in descriptor().
    if (auto const* const d = interrupted_too_.load(std::memory_order_acquire); d != nullptr) {
        d->kick();
    }
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

bool reading_end::any_ready() const noexcept {
    return !postponed_.empty() || std::any_of(sources_.begin(), sources_.end(), [](auto const& s) {
        cell_state const state = s->reader.look();
        return state == cell_state::ready || state == cell_state::lapped;
    });
}

bool reading_end::glance() noexcept { return any_ready() || (has_news() && look()); }

/// An end that it comes upon is kept for the call that can report it.
bool reading_end::look() noexcept {
    enter();
    taken event;
    event.error = receive_errc::empty;
    for (std::uint32_t round = 0; !any_ready(); ++round) {
        bool const again = look_around(event, round < rounds_max);
        follow_sources();
        if (again) {
            continue;
        }
        if (event.error == receive_errc::empty) {
            return any_ready();
        }
        postpone(event); // whatever is not kept is said again by the next call
        return true;
    }
    return true;
}

/// For whoever waits: this handle's own call, its descriptor, or a set that it is in.
void reading_end::arm(arming& a) noexcept {
    if (descriptor_ != nullptr && wake_number(a.wake) != descriptor_->number()) {
        descriptor_->disturb(); // what it was told by may now tell another
    }
    participant_->keep_notice();
    catch_up();
    words_stale_ = false;
    calm_ = false; // the re-check is a whole one
    add_words(a);
    for (auto const& s : sources_) {
        if (s->seat) {
            s->seat.count_sleep();
        }
    }
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
    words.add({&futex_of(interrupts_), interrupts_seen_, false});
    add_kicks(words);
    arming a{words};
    arm(a);
    a.fence();
    return receive_errc::none;
}

bool park_counted(wait_list& words, std::uint64_t until_ns) noexcept {
    sleepers().fetch_add(1, std::memory_order_seq_cst); // pairs with kick_sleepers()
    bool const woken = words.park(until_ns) == os::futex_result::woken;
    sleepers().fetch_sub(1, std::memory_order_relaxed); // too late is a superfluous wake
    return woken;
}

void add_kicks(wait_list& words) noexcept {
    // acquire: pairs with the release in kick_sleepers(). Loaded before the re-check collects.
    words.add({&futex_of(kicks()), kicks().load(std::memory_order_acquire), false});
}

bool reading_end::sleep(std::uint64_t until_ns) noexcept {
    bool woken = false;
    if (!words_stale_) { // the re-check may have let sources go, or found new ones
        woken = park_counted(*words_, until_ns);
    }
    after_sleep();
    return woken;
}

// ---- through a descriptor -------------------------------------------------------------------------

result<int, failure<descriptor_errc>> reading_end::descriptor() noexcept {
    if (mark_.is_child()) {
        return failure<descriptor_errc>{descriptor_errc::forked, 0,
                                        "this handle belongs to the parent process"};
    }
    if (descriptor_ == nullptr) {
        auto made = wait_descriptor::make(participant_, follows_registry());
        if (!made) {
            return made.error();
        }
        descriptor_ = std::move(*made);
        ends_with_descriptors().fetch_add(1, std::memory_order_relaxed);
        // release: pairs with the acquire in interrupt().
        interrupted_too_.store(descriptor_.get(), std::memory_order_release);
    }
    return descriptor_->fd();
}

void reading_end::close_descriptor() noexcept {
    if (descriptor_ != nullptr) {
        interrupted_too_.store(nullptr, std::memory_order_relaxed); // the handle is going
        descriptor_.reset();
        ends_with_descriptors().fetch_sub(1, std::memory_order_relaxed);
    }
}

/// True: look again, for it was not armed and is now.
/// The members of a set are waited for by the set, and have been made readable by it.
bool reading_end::rearm() noexcept { return !is_in_a_set() && descriptor_->rearm(*this, *words_); }

void reading_end::end_arming(bool found_nothing) noexcept {
    if (!found_nothing || words_stale_) {
        descriptor_->disturb();
    }
}

} // namespace partywall::inline v0::detail
