// SPDX-License-Identifier: BSL-1.0
// Receiving: in place and copied, after being overtaken, asleep, and what was kept for us.
#include "../stage.hpp"

#include <array>

namespace partywall::test {
namespace {

constexpr world blocking{overflow::block, 8, false};
constexpr world dropping_world{overflow::drop_oldest, 8, false};

subscriber<parcel> made(victim& v, subscriber_options options) {
    options.waiting = waiting::park;
    return v.me().subscriber<parcel>("t", options).value();
}
subscriber<parcel> made(victim& v) { return made(v, subscribes(v.where())); }

template <int Count>
void receives(victim& v) {
    auto sub = made(v);
    v.armed([&] {
        for (int i = 0; i < Count; ++i) {
            PARTYWALL_ROLE_CHECK(v.whole(sub.try_receive()));
        }
    });
}
void sleeps_until_one_comes(victim& v) {
    auto sub = made(v);
    v.armed([&] { PARTYWALL_ROLE_CHECK(v.whole(sub.receive(1h))); });
}
void sends_one(stage& s) { s.here().send(1); }

std::vector<operation> that_find_something() {
    return {
        {.name = "receive_in_place", .where = blocking, .run = receives<1>, .before = sends_one},
        {.name = "receive_and_give_back",
         .where = blocking,
         .run = receives<4>,
         .before = [](stage& s) { s.here().send(4); }},
        {.name = "receive_copy", .where = dropping_world, .run = receives<1>, .before = sends_one},
        {.name = "receive_overtaken",
         .where = dropping_world,
         .run =
             [](victim& v) {
                 auto sub = made(v);
                 v.armed([&] {
                     auto const s = sub.try_receive();
                     PARTYWALL_ROLE_CHECK(v.whole(s) && s.missed() != 0);
                 });
             },
         .before = [](stage& s) { s.here().send(30); }},
        {.name = "receive_batch",
         .where = blocking,
         .run =
             [](victim& v) {
                 auto sub = made(v);
                 v.armed([&] {
                     std::array<parcel, 4> out{};
                     PARTYWALL_ROLE_CHECK(sub.receive_batch(out) == 4 && out[3].whole());
                 });
             },
         .before = [](stage& s) { s.here().send(4); }},
        {.name = "receive_history_in_place",
         .where = blocking,
         .run =
             [](victim& v) {
                 subscriber_options options = lossless();
                 options.history = 4;
                 auto sub = made(v, options);
                 v.armed([&] { PARTYWALL_ROLE_CHECK(v.whole(sub.try_receive())); });
             },
         .before = sends_one},
        {.name = "receive_looking",
         .where = dropping_world,
         .run =
             [](victim& v) {
                 auto sub = made(v, looking());
                 v.armed([&] { PARTYWALL_ROLE_CHECK(v.whole(sub.try_receive())); });
             },
         .before = sends_one},
        {.name = "latest_get",
         .where = dropping_world,
         .run =
             [](victim& v) {
                 auto value = v.me().latest<parcel>("t").value();
                 v.armed([&] { PARTYWALL_ROLE_CHECK(v.whole(value.get())); });
             },
         .before = [](stage& s) { s.here().send(5); }},
    };
}

std::vector<operation> that_wait() {
    return {
        {.name = "receive_asleep",
         .where = blocking,
         .run = sleeps_until_one_comes,
         .when_asleep = sends_one},
        {.name = "receive_asleep_lossy",
         .where = dropping_world,
         .run = sleeps_until_one_comes,
         .when_asleep = sends_one},
        {.name = "receive_timed_out",
         .where = blocking,
         .run =
             [](victim& v) {
                 auto sub = made(v);
                 v.armed([&] { // unless it is stopped, and they send meanwhile
                     auto const s = sub.receive(1ms);
                     PARTYWALL_ROLE_CHECK(v.whole(s) || s.error() == receive_errc::timed_out);
                 });
             }},
        {.name = "latest_asleep",
         .where = dropping_world,
         .run =
             [](victim& v) {
                 subscriber_options options;
                 options.waiting = waiting::park;
                 auto value = v.me().latest<parcel>("t", options).value();
                 while (value.wait(0ns)) {
                 }
                 v.armed([&] { PARTYWALL_ROLE_CHECK(v.whole(value.wait(1h))); });
             },
         .when_asleep = sends_one},
        {.name = "receive_takes_what_was_kept",
         .where = blocking,
         .run = receives<2>,
         .before = [](stage& s) { s.here().open_extra(2); },
         .after = [](stage& s) { s.here().close_extra(); }},
        {.name = "receive_of_a_closed_publisher",
         .where = blocking,
         .run =
             [](victim& v) {
                 auto sub = made(v);
                 v.armed([&] {
                     PARTYWALL_ROLE_CHECK(v.whole(sub.try_receive()));
                     PARTYWALL_ROLE_CHECK(v.whole(sub.try_receive()));
                     PARTYWALL_ROLE_CHECK(sub.receive(1ms).error() != receive_errc::corrupt);
                 });
             },
         .before =
             [](stage& s) {
                 s.here().open_extra(2);
                 s.here().close_extra();
             }},
    };
}

} // namespace

std::vector<operation> receive_operations() {
    std::vector<operation> all = that_find_something();
    for (operation& one : that_wait()) {
        all.push_back(std::move(one));
    }
    return all;
}

} // namespace partywall::test
