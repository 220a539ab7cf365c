// SPDX-License-Identifier: BSL-1.0
// Changes of the registry, for those who wait through descriptors: who waits says so in its
// participant's slot; who changes something writes to the pipes of those that said so.
#include "participant_state.hpp"

#include <partywall/registry/wait_descriptor.hpp>

#include <algorithm>
#include <cerrno>

namespace partywall::inline v0::detail {

using state = participant_core::state;

int participant_core::add_waiter(wait_descriptor& who, bool registry) noexcept {
    state& own = *state_;
    descriptor_waiters& w = own.waiters;
    std::lock_guard const guard(w.mutex);
    try {
        if (registry && w.pipe.fd() < 0) {
            std::uint64_t const number = next_number();
            if (number == 0) {
                return -EOVERFLOW;
            }
            if (int const error =
                    w.pipe.open(own.where, own.ticket, static_cast<std::uint32_t>(number));
                error != 0) {
                return -error;
            }
            registry_layout& all = own.layout();
            w.sign = wake_sign<>(all.participants[own.slot_index].wake, &all.wake_arm);
        }
        w.all.push_back({&who, registry});
    } catch (...) {
        return -ENOMEM;
    }
    return registry ? w.pipe.fd() : 0;
}

void participant_core::remove_waiter(wait_descriptor& who) noexcept {
    descriptor_waiters& w = state_->waiters;
    std::lock_guard const guard(w.mutex);
    std::erase_if(w.all, [&](auto const& one) { return one.who == &who; });
}

void participant_core::arm_registry(wait_descriptor& who, bool news, bool anew) noexcept {
    descriptor_waiters& w = state_->waiters;
    std::lock_guard const guard(w.mutex);
    if (news) {
        // Who else is armed must look as well. Before the drain: a thread that polls only now finds
        // the one or the other readable.
        for (auto const& one : w.all) {
            if (one.registry && one.who != &who) {
                one.who->kick();
            }
        }
        w.raised = !w.pipe.drain() && w.raised;
    }
    if (!w.raised || anew) {
        w.sign.raise(new_wake_word(w.pipe.number()));
        w.raised = true;
    }
}

void participant_core::kick_waiters() noexcept {
    if (forked()) {
        return;
    }
    descriptor_waiters& w = state_->waiters;
    std::lock_guard const guard(w.mutex);
    for (auto const& one : w.all) {
        one.who->kick();
    }
}

/// After the epoch was bumped. Who is killed before it is through leaves the rest to their slices.
void state::wake_watchers() noexcept {
    registry_layout& all = layout();
    // Pairs with the fence in arming::fence(): either we see the word, or the watcher's last look
    // sees the new epoch.
    std_atomics::fence(std::memory_order_seq_cst);
    std::lock_guard const guard(watchers.mutex);
    // acquire: pairs with the release in wake_sign::raise().
    std::uint32_t const armed = std_atomics::load(all.wake_arm, std::memory_order_acquire);
    if (armed == watchers.arm_seen) {
        return;
    }
    try {
        watchers.words.resize(participants_max);
    } catch (...) {
        return; // out of memory: next time
    }
    watchers.arm_seen = armed;
    for (std::uint32_t i = 0; i < participants_max; ++i) {
        participant_slot const& slot = all.participants[i];
        owner const seen = owner_word<>::load(slot.owner);
        if (seen.phase() != slot_phase::ready) {
            continue;
        }
        if (std::uint32_t const number = watchers.words[i].due(seen.ticket(), slot.wake);
            number != 0) {
            (void)write_to_wake_pipe(where, seen.ticket(), number);
        }
    }
}

} // namespace partywall::inline v0::detail
