// SPDX-License-Identifier: BSL-1.0
// What a subscriber waits for beside messages: publishers that come, and those that end.
#include <partywall/os/robust_word.hpp>
#include <partywall/topic/subscriber_core.hpp>

#include "../endpoint/reading_wait.hpp"

#include <climits>

namespace partywall::inline v0::detail {
namespace {

/// Which descriptor the publisher has to wake. Who only looks has no slot to say it in.
void say_where(source& s, arming& a) noexcept {
    if (!s.sign) {
        a.words.cannot_rely_on_wakes();
    } else if (a.heard || !s.bell.waits() || s.sign.number() != wake_number(a.wake)) {
        s.sign.raise(a.wake);
        s.bell.disarm();
    }
}

} // namespace

void subscriber_core::catch_up() noexcept {
    if (!recover_due_.empty()) {
        recover_after_deaths();
    }
}

void subscriber_core::add_words(arming& a) noexcept {
    wait_list& words = a.words;
    for (auto const& s : sources_) {
        if (s->wakes) {
            if (a.wake != 0) {
                say_where(*s, a);
            }
            if (s->bell.prepare()) {
                if (a.wake == 0) {
                    s->sign.forget();
                }
                a.armed = true;
                if (s->fences == fence_pair::sleeper) {
                    a.fenced_if(s->control->fencing);
                }
            }
            words.add_data(s->bell.rung_word());
        } else {
            words.cannot_rely_on_wakes();
        }
        a.add_life(s->life.sign(s->ticket));
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
}

/// After a sleep: wakes the others that wait for a death (the kernel wakes one), and asks for
/// proof where there can be no notice: a life word that no thread holds, or that is not mapped.
void subscriber_core::after_sleep() noexcept {
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
