// SPDX-License-Identifier: BSL-1.0
// Taking letters out of an inbox: in place and copied, after being overtaken, asleep, held; and what
// the closed and the dead have left there. Whoever is stopped meanwhile gets more letters.
#include "inboxes.hpp"

#include <array>

namespace partywall::test {
namespace {

constexpr world with_hints{overflow::block, 8, false, 72};

template <std::uint64_t Count>
void takes(victim& v) {
    auto in = opened(v);
    v.armed([&] {
        for (std::uint64_t i = 0; i < Count; ++i) {
            PARTYWALL_ROLE_CHECK(v.took(in.try_receive()));
        }
    });
}
template <std::uint64_t Count>
void posts_to_it(stage& s) {
    s.here().post_to(victims_inbox, Count);
}
void sleeps_until_one_comes(victim& v) {
    auto in = opened(v);
    v.armed([&] { PARTYWALL_ROLE_CHECK(v.took(in.receive(1h))); });
}

std::vector<operation> that_find_something() {
    return {
        {.name = "take_in_place", .where = one_way, .run = takes<1>, .before = posts_to_it<1>},
        {.name = "take_and_give_back", .where = one_way, .run = takes<4>, .before = posts_to_it<4>},
        {.name = "take_by_hint", .where = with_hints, .run = takes<4>, .before = posts_to_it<4>},
        {.name = "take_of_two",
         .where = one_way,
         .run = takes<4>,
         .before =
             [](stage& s) {
                 posts_to_it<2>(s);
                 s.ask_other("post " + std::to_string(victims_inbox) + " 2");
             }},
        {.name = "take_copy", .where = one_way_dropping, .run = takes<2>, .before = posts_to_it<2>},
        {.name = "take_overtaken",
         .where = one_way_dropping,
         .run = takes<8>,
         .before = posts_to_it<30>},
        {.name = "take_batch",
         .where = one_way,
         .run =
             [](victim& v) {
                 auto in = opened(v);
                 v.will_take(1, 4);
                 v.will_take(2, 4);
                 v.armed([&] {
                     std::array<parcel, 4> out{};
                     PARTYWALL_ROLE_CHECK(in.receive_batch(out) == 4 && out[3].whole());
                 });
             },
         .before = posts_to_it<4>},
        {.name = "take_lets_a_sender_go_on",
         .where = one_way,
         .run = takes<6>,
         .before = somebody_waits_for_room,
         .after = nobody_waits_for_room},
    };
}

std::vector<operation> that_wait() {
    return {
        {.name = "take_asleep",
         .where = one_way,
         .run = sleeps_until_one_comes,
         .when_asleep = posts_to_it<1>},
        {.name = "take_asleep_dropping",
         .where = one_way_dropping,
         .run = sleeps_until_one_comes,
         .when_asleep = posts_to_it<1>},
        {.name = "take_timed_out",
         .where = one_way,
         .run =
             [](victim& v) {
                 auto in = opened(v);
                 v.armed([&] { // unless it is stopped, and they post meanwhile
                     auto const s = in.receive(1ms);
                     PARTYWALL_ROLE_CHECK(v.took(s) || s.error() == receive_errc::timed_out);
                 });
             }},
    };
}

/// Takes what there is until somebody is reported dead; then its lane is freed.
void takes_what_the_dead_left(victim& v) {
    auto in = opened(v);
    v.armed([&] {
        for (auto error = receive_errc::none; error != receive_errc::peer_died;) {
            auto const s = in.receive(1s);
            error = s.error();
            PARTYWALL_ROLE_CHECK(v.took(s) || error == receive_errc::peer_died);
        }
        (void)v.took(in.receive(1ms));
    });
}

/// Until nothing is there, a sender that has gone is gone, and its lane free.
void takes_all(victim& v, receiver<parcel>& in) {
    while (v.took(in.try_receive())) {
    }
    (void)v.took(in.receive(1ms));
}

void somebody_comes_and_goes(stage& s) {
    s.here().open_post(victims_inbox, 2);
    s.here().close_post();
}

std::vector<operation> that_free_lanes() {
    return {
        {.name = "take_of_a_closed_sender",
         .where = one_way,
         .run =
             [](victim& v) {
                 auto in = opened(v);
                 v.armed([&] { takes_all(v, in); });
             },
         .before = somebody_comes_and_goes},
        {.name = "take_and_hold_of_a_closed_sender",
         .where = one_way,
         .run =
             [](victim& v) {
                 auto in = opened(v);
                 v.armed([&] {
                     auto one = in.try_receive();
                     auto other = in.try_receive();
                     PARTYWALL_ROLE_CHECK(v.took(one) && v.took(other));
                     one.reset();
                     (void)v.took(in.try_receive()); // sees the end, and cannot free the lane
                     other.reset();
                     takes_all(v, in);
                 });
             },
         .before = somebody_comes_and_goes},
        {.name = "take_of_a_dead_sender",
         .where = one_way,
         .run = takes_what_the_dead_left,
         .before = [](stage& s) { a_sender_dies(s, victims_inbox); },
         .corpses = true},
        {.name = "take_of_a_dead_sender_dropping",
         .where = one_way_dropping,
         .run = takes_what_the_dead_left,
         .before = [](stage& s) { a_sender_dies(s, victims_inbox); },
         .corpses = true},
        {.name = "take_the_lane_of_one_who_died_claiming_it",
         .where = one_way,
         .run =
             [](victim& v) {
                 auto in = opened(v);
                 v.armed([&] { // the first look sees nothing of it, since nobody rang
                     (void)v.took(in.receive(1ms));
                     takes_all(v, in);
                 });
             },
         .before =
             [](stage& s) {
                 (void)s.corpse("crash_claiming_corpse", {std::to_string(victims_inbox)});
                 s.kill_corpses();
             },
         .corpses = true},
    };
}

} // namespace

std::vector<operation> letter_operations() {
    std::vector<operation> all = that_find_something();
    for (auto const& more : {that_wait(), that_free_lanes()}) {
        all.insert(all.end(), more.begin(), more.end());
    }
    return all;
}

} // namespace partywall::test
