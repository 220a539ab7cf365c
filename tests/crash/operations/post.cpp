// SPDX-License-Identifier: BSL-1.0
// Sending to an inbox: every policy, with room and without, copied, lent and in batches, to the
// sleeping and to the dead.
#include "inboxes.hpp"

#include <array>

namespace partywall::test {
namespace {

constexpr world rejecting{overflow::reject, 8, false};
constexpr world dropping_soon{overflow::drop_oldest, 4, false};
constexpr world with_hints{overflow::block, 8, false, 72};

sender<parcel> attached(victim& v, std::uint64_t inbox = 1,
                        std::chrono::nanoseconds block_for = 1ms) {
    auto out = a_way_to(v, inbox, block_for);
    PARTYWALL_ROLE_CHECK(out.receiver() != 0);
    return out;
}

/// A sender whose lane is full of what nobody has read.
sender<parcel> filled(victim& v, std::uint64_t inbox = 1,
                      std::chrono::nanoseconds block_for = 1ms) {
    auto out = attached(v, inbox, block_for);
    for (std::uint64_t i = 0; i < v.where().depth; ++i) {
        PARTYWALL_ROLE_CHECK(v.send(out));
    }
    return out;
}

template <std::uint64_t To>
void posts_one(victim& v) {
    auto out = attached(v, To);
    PARTYWALL_ROLE_CHECK(v.send(out)); // the first one looks for room
    v.armed([&] { PARTYWALL_ROLE_CHECK(v.send(out)); });
}
void posts_to_the_full(victim& v) {
    auto out = filled(v);
    v.armed([&] { (void)v.send(out); }); // unless it is stopped, and they read meanwhile
}
void posts_after_a_lap(victim& v) {
    auto out = filled(v);
    v.armed([&] { PARTYWALL_ROLE_CHECK(v.send(out)); });
}
void the_other_sleeps(stage& s) {
    s.everybody_reads();
    s.let_other_sleep(2);
}

std::vector<operation> of_one() {
    return {
        {.name = "post", .where = one_way, .run = posts_one<1>},
        {.name = "post_first",
         .where = one_way,
         .run =
             [](victim& v) {
                 auto out = attached(v);
                 v.armed([&] { PARTYWALL_ROLE_CHECK(v.send(out)); });
             }},
        {.name = "post_with_a_hint", .where = with_hints, .run = posts_one<1>},
        {.name = "post_dropping", .where = one_way_dropping, .run = posts_one<1>},
        {.name = "post_dropping_at_the_wrap", .where = dropping_soon, .run = posts_after_a_lap},
        {.name = "post_after_a_lap",
         .where = one_way,
         .run = posts_after_a_lap,
         .before = [](stage& s) { s.everybody_reads(); }},
        {.name = "post_rejected", .where = rejecting, .run = posts_to_the_full},
        {.name = "post_timed_out", .where = one_way, .run = posts_to_the_full},
        {.name = "post_blocked",
         .where = one_way,
         .run =
             [](victim& v) {
                 auto out = filled(v, 1, 1h);
                 v.armed([&] { PARTYWALL_ROLE_CHECK(v.send(out)); });
             },
         .when_asleep = [](stage& s) { s.everybody_reads(); }},
        {.name = "post_wakes_a_sleeper",
         .where = one_way,
         .run = posts_one<2>,
         .before = the_other_sleeps},
        {.name = "post_wakes_a_sleeper_dropping",
         .where = one_way_dropping,
         .run = posts_one<2>,
         .before = the_other_sleeps},
    };
}

std::vector<operation> of_several() {
    return {
        {.name = "loan_and_post",
         .where = one_way,
         .run =
             [](victim& v) {
                 auto out = attached(v);
                 v.armed([&] {
                     auto memory = out.loan().value();
                     *memory = v.next();
                     PARTYWALL_ROLE_CHECK(memory.send().has_value());
                     v.was_sent();
                 });
             }},
        {.name = "loan_abandoned_then_post",
         .where = one_way,
         .run =
             [](victim& v) {
                 auto out = attached(v);
                 v.armed([&] {
                     {
                         auto memory = out.loan().value();
                         *memory = parcel{};
                     }
                     PARTYWALL_ROLE_CHECK(v.send(out));
                 });
             }},
        {.name = "post_batch",
         .where = one_way,
         .run =
             [](victim& v) {
                 auto out = attached(v);
                 v.armed([&] {
                     std::array const three{v.next(3), v.next(2), v.next(1)};
                     PARTYWALL_ROLE_CHECK(out.send_batch(three).value() == 3);
                     v.was_sent(3);
                 });
             }},
    };
}

/// Fills the lane of one who is killed when the next send waits for it.
void posts_until_it_dies(victim& v) {
    auto out = filled(v, third_inbox, 1h);
    v.armed([&] {
        PARTYWALL_ROLE_CHECK(out.send(v.next()).error() == send_errc::peer_died);
        PARTYWALL_ROLE_CHECK(out.send(v.next()).error() == send_errc::no_receiver);
        PARTYWALL_ROLE_CHECK(out.lost() == v.where().depth);
    });
}

std::vector<operation> to_the_dead() {
    return {
        {.name = "post_to_the_dead",
         .where = one_way,
         .run = posts_until_it_dies,
         .prepare = [](stage& s) { a_receiver_comes(s, third_inbox); },
         .before = [](stage& s) { s.kill_corpses(); },
         .corpses = true},
        {.name = "post_blocked_by_the_dying",
         .where = one_way,
         .run = posts_until_it_dies,
         .prepare = [](stage& s) { a_receiver_comes(s, third_inbox); },
         .when_asleep = [](stage& s) { s.kill_corpses(); },
         .after = [](stage& s) { s.kill_corpses(); },
         .corpses = true},
    };
}

} // namespace

std::vector<operation> post_operations() {
    std::vector<operation> all = of_one();
    for (auto const& more : {of_several(), to_the_dead()}) {
        all.insert(all.end(), more.begin(), more.end());
    }
    return all;
}

} // namespace partywall::test
