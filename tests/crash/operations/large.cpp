// SPDX-License-Identifier: BSL-1.0
// The same operations where messages lie in chunks, and those that only there are something else.
#include "../stage.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace partywall::test {
namespace {

constexpr world blocking{overflow::block, 8, false, 8, true};
constexpr world dropping_world{overflow::drop_oldest, 8, false, 8, true};

/// Whatever touches a chunk, a descriptor or a pin.
constexpr std::array as_others = {
    "send",
    "send_dropping",
    "send_dropping_at_the_wrap",
    "send_after_a_lap",
    "send_rejected",
    "send_blocked",
    "send_wakes_a_sleeper",
    "loan_and_send",
    "loan_abandoned_then_send",
    "send_batch",
    "receive_in_place",
    "receive_and_give_back",
    "receive_copy",
    "receive_overtaken",
    "receive_batch",
    "receive_history_in_place",
    "receive_looking",
    "receive_asleep",
    "receive_takes_what_was_kept",
    "latest_get",
    "latest_asleep",
    "post",
    "post_dropping_at_the_wrap",
    "post_after_a_lap",
    "post_wakes_a_sleeper",
    "loan_and_post",
    "post_batch",
    "take_in_place",
    "take_and_give_back",
    "take_copy",
    "take_overtaken",
    "take_and_hold_of_a_closed_sender",
    "take_of_a_dead_sender",
    "attach_sender",
    "detach_sender",
    "call",
    "call_cancelled",
    "serve",
    "serve_in_place",
    "serve_later",
};

/// Takes `Count` and gives them back late: pins that outlive their cells.
template <int Count>
void holds(victim& v) {
    subscriber_options options = subscribes(v.where());
    options.samples_held_max = Count;
    auto sub = v.me().subscriber<parcel>("t", options).value();
    v.armed([&] {
        std::vector<sample<parcel>> held;
        held.reserve(Count);
        for (int i = 0; i < Count; ++i) {
            held.push_back(sub.try_receive());
            PARTYWALL_ROLE_CHECK(v.whole(held.back()));
        }
        PARTYWALL_ROLE_CHECK(!sub.try_receive());
        for (auto const& one : held) {
            PARTYWALL_ROLE_CHECK(one->whole());
        }
    });
}

/// Leaves while it holds what it pinned.
void leaves_with_a_pin(victim& v) {
    auto sub = v.me().subscriber<parcel>("t", subscribes(v.where())).value();
    v.armed([&] {
        auto const held = sub.try_receive();
        PARTYWALL_ROLE_CHECK(v.whole(held));
        sub.close();
        PARTYWALL_ROLE_CHECK(held->whole());
    });
}

std::vector<operation> of_their_own() {
    return {
        {.name = "hold_pinned",
         .where = blocking,
         .run = holds<2>,
         .before = [](stage& s) { s.here().send(2); }},
        {.name = "hold_more_than_pins",
         .where = blocking,
         .run = holds<4>,
         .before = [](stage& s) { s.here().send(4); }},
        {.name = "hold_pinned_lossy",
         .where = dropping_world,
         .run = holds<2>,
         .before = [](stage& s) { s.here().send(2); }},
        {.name = "leave_with_a_pin",
         .where = blocking,
         .run = leaves_with_a_pin,
         .before = [](stage& s) { s.here().send(1); }},
        {.name = "latest_twice_pinned",
         .where = dropping_world,
         .run =
             [](victim& v) {
                 auto value = v.me().latest<parcel>("t").value();
                 v.armed([&] {
                     auto const first = value.get();
                     auto const again = value.get();
                     PARTYWALL_ROLE_CHECK(v.whole(first) && v.whole(again));
                 });
             },
         .before = [](stage& s) { s.here().send(5); }},
    };
}

} // namespace

std::vector<operation> large_operations(std::vector<operation> const& others) {
    std::vector<operation> all = of_their_own();
    for (std::string const name : as_others) {
        auto const found = std::find_if(others.begin(), others.end(),
                                        [&](operation const& one) { return one.name == name; });
        if (found == others.end()) {
            throw std::logic_error("there is no operation " + name);
        }
        operation same = *found;
        same.name += "_large";
        same.where.chunks = true;
        all.push_back(same);
    }
    return all;
}

} // namespace partywall::test
