// SPDX-License-Identifier: BSL-1.0
// How a wait_set waits: on words with one futex call, or through its descriptor.
#include "wait_set_state.hpp"

#include "reading_wait.hpp"

#include <partywall/os/clock.hpp>
#include <partywall/os/futex.hpp>
#include <partywall/os/robust_word.hpp>

#include <algorithm>
#include <climits>

namespace partywall::inline v0 {
namespace {

/// While some members are busy, ends of the others are looked for once in so many waits.
constexpr std::uint32_t waits_between_looks = 64;

std::uint64_t to_ns(std::chrono::steady_clock::time_point time) noexcept {
    auto const ns =
        std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
    return ns < 0 ? 0 : static_cast<std::uint64_t>(ns);
}

} // namespace

result<std::span<wait_event const>, wait_errc>
wait_set::wait(std::chrono::nanoseconds timeout) noexcept {
    if (!state_) {
        return wait_errc::closed;
    }
    std::uint64_t const wait_ns =
        timeout.count() > 0 ? static_cast<std::uint64_t>(timeout.count()) : 0;
    bool const for_ever = timeout == std::chrono::nanoseconds::max();
    return state_->wait(for_ever ? state::never : os::deadline_after(os::monotonic_ns(), wait_ns));
}

result<std::span<wait_event const>, wait_errc>
wait_set::wait_until(std::chrono::steady_clock::time_point deadline) noexcept {
    if (!state_) {
        return wait_errc::closed;
    }
    bool const for_ever = deadline == std::chrono::steady_clock::time_point::max();
    return state_->wait(for_ever ? state::never : to_ns(deadline));
}

result<std::span<wait_event const>, wait_errc>
wait_set::state::wait(std::uint64_t until_ns) noexcept {
    if (mark.is_child()) {
        return wait_errc::forked;
    }
    sweep();
    bool thoroughly = waits++ % waits_between_looks == 0;
    for (;;) {
        if (collect(thoroughly)) {
            break;
        }
        if (interrupted()) {
            return wait_errc::interrupted;
        }
        bool const expired = os::monotonic_ns() >= until_ns;
        if (expired && !polled) {
            if (!thoroughly && collect(true)) {
                break;
            }
            return wait_errc::timed_out;
        }
        bool const armed_now = arm_all();
        if (armed_now && collect(true)) {
            break;
        }
        // The look may have found new sources, which are not armed, or none any more.
        bool const stale = arming_is_stale();
        if (expired) {
            if (stale) {
                descriptor->disturb();
            }
            return wait_errc::timed_out;
        }
        if (!stale) {
            sleep(until_ns);
        }
        thoroughly = false; // the look after the next arming is a whole one
    }
    if (descriptor != nullptr) {
        // Readable until a wait finds nothing; if nobody polls, the next one looks first anyway.
        if (polled) {
            descriptor->disturb();
        } else {
            descriptor->disarm();
        }
    }
    return std::span<wait_event const>(events);
}

bool wait_set::state::interrupted() noexcept {
    // acquire: what the interrupting thread did before is visible to the one it interrupts.
    std::uint32_t const now = interrupts.load(std::memory_order_acquire);
    bool const is_new = now != interrupts_seen;
    interrupts_seen = now;
    return is_new;
}

// ---- looking --------------------------------------------------------------------------------------

/// Everything that is ready, into `events`, beginning with another member each time.
bool wait_set::state::collect(bool thoroughly) noexcept {
    events.clear();
    if (others != 0) {
        for (auto const& other : descriptor->look_at_others()) {
            wait_id const id = other.tag - detail::wait_descriptor::first_tag;
            // Ids ascend, and so do members.
            auto const at =
                std::lower_bound(members.begin(), members.end(), id,
                                 [](auto const& m, wait_id i) { return m->event.id < i; });
            if (at != members.end() && (*at)->event.id == id) {
                (*at)->ready = true;
                (*at)->event.events = other.events;
            }
        }
    }
    std::uint64_t const now = timers != 0 ? os::monotonic_ns() : 0;
    std::size_t const count = members.size();
    first = first < count ? first : 0;
    for (std::size_t i = 0; i < count; ++i) {
        member& m = *members[first + i < count ? first + i : first + i - count];
        if (is_ready(m, thoroughly, now)) {
            events.push_back(m.event); // there is room: I3
        }
    }
    first += events.empty() ? 0 : 1;
    return !events.empty();
}

bool wait_set::state::is_ready(member& m, bool thoroughly, std::uint64_t now_ns) noexcept {
    switch (m.event.kind) {
    case what::handle:
        return m.place.what != nullptr &&
               (m.place.what->glance() || (thoroughly && m.place.what->look()));
    case what::descriptor: return std::exchange(m.ready, false);
    case what::timer:
        if (now_ns < m.due_ns) {
            return false;
        }
        m.event.count = m.period_ns == 0 ? 1 : (now_ns - m.due_ns) / m.period_ns + 1;
        m.due_ns = m.period_ns == 0 ? never : m.due_ns + m.event.count * m.period_ns;
        return true;
    case what::ended: {
        std::uint32_t const life = m.life.word != nullptr ? os::robust_value(m.life.word) : 0;
        m.ready = m.ready || os::robust_owner_died(life) ||
                  (thoroughly && !os::robust_is_held(life) && participant->proven_dead(m.ticket));
        return m.ready;
    }
    }
    return false;
}

std::uint64_t wait_set::state::next_due() const noexcept {
    std::uint64_t due = never;
    if (timers != 0) {
        for (auto const& m : members) {
            due = std::min(due, m->due_ns);
        }
    }
    return due;
}

// ---- sleeping -------------------------------------------------------------------------------------

/// True: look again before sleeping.
bool wait_set::state::arm_all() noexcept {
    if (descriptor == nullptr) {
        if (arm_words() || make_descriptor().code != descriptor_errc{}) {
            return true; // without a descriptor the slices must do
        }
        descriptor->disarm();
    }
    bool const anew = descriptor->rearm(*this, *words);
    if (polled && timers != 0) {
        descriptor->readable_at(next_due());
    }
    return anew;
}

/// False: more words, or more kinds of them, than one sleep can wait for.
bool wait_set::state::arm_words() noexcept {
    *words = detail::wait_list();
    words->add({reinterpret_cast<std::uint32_t const*>(&interrupts), interrupts_seen, false});
    detail::add_kicks(*words);
    detail::arming a{*words};
    arm(a);
    a.fence();
    return !words->wants_descriptor();
}

void wait_set::state::arm(detail::arming& a) noexcept {
    participant->keep_notice();
    for (auto const& m : members) {
        if (m->place.what != nullptr) {
            m->place.what->arm(a);
        } else if (m->event.kind == what::ended) {
            a.add_life(m->life.sign(m->ticket));
        }
    }
}

bool wait_set::state::arming_is_stale() const noexcept {
    return std::any_of(members.begin(), members.end(), [](auto const& m) {
        return m->place.what != nullptr && m->place.what->arming_is_stale();
    });
}

void wait_set::state::after_sleep() noexcept {
    for (auto const& m : members) {
        if (m->place.what != nullptr) {
            m->place.what->after_sleep();
        } else if (m->life.word != nullptr &&
                   os::robust_owner_died(os::robust_value(m->life.word))) {
            os::futex_wake(*os::robust_futex(m->life.word), INT_MAX, true); // one was woken
        }
    }
}

void wait_set::state::sleep(std::uint64_t until_ns) noexcept {
    std::uint64_t const until = std::min(until_ns, next_due());
    if (descriptor != nullptr) {
        descriptor->wait_until(until);
    } else {
        (void)detail::park_counted(*words, until);
        after_sleep();
    }
}

} // namespace partywall::inline v0
