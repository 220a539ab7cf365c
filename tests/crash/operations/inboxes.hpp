// SPDX-License-Identifier: BSL-1.0
// What operations with inboxes have in common.
#pragma once

#include "../stage.hpp"

namespace partywall::test {

constexpr world one_way{overflow::block, 8, false};
constexpr world one_way_dropping{overflow::drop_oldest, 8, false};

/// The victim's inbox. What it takes is to be given to v.took().
inline receiver<parcel> opened(victim& v) {
    receiver_options options = receives(v.where());
    options.waiting = waiting::park;
    v.receives();
    return v.me().receiver<parcel>(inbox_name(victims_inbox), options).value();
}

/// The victim's way to an inbox, which need not be there.
inline sender<parcel> a_way_to(victim& v, std::uint64_t inbox,
                               std::chrono::nanoseconds block_for = 1ms) {
    sender_options options = posts(v.where());
    options.block_for = block_for;
    options.waiting = waiting::park;
    v.sends_to(inbox);
    return v.me().sender<parcel>(inbox_name(inbox), options).value();
}

/// A participant with letters in the inbox, which dies.
inline void a_sender_dies(stage& s, std::uint64_t inbox) {
    s.note(noted::corpses_sent_to, inbox);
    (void)s.corpse("crash_sending_corpse", {std::to_string(inbox)});
    s.kill_corpses();
}
/// A participant with an inbox of so many lanes, which shall die.
inline void a_receiver_comes(stage& s, std::uint64_t inbox, std::uint32_t lanes = 8) {
    (void)s.corpse("crash_receiving_corpse", {std::to_string(inbox), std::to_string(lanes)});
}

/// One more participant, which fills its lane of the victim's inbox and then waits for room.
void somebody_waits_for_room(stage& s);
/// Once the victim is dead, or has made room: it does not wait any more.
void nobody_waits_for_room(stage& s);

} // namespace partywall::test
