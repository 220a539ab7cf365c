// SPDX-License-Identifier: BSL-1.0
// Inboxes that come and go, names that change hands, and lanes that do.
#include "inboxes.hpp"

#include <partywall/inbox/lane.hpp>

namespace partywall::test {
namespace {

constexpr world the_last_lane{overflow::block, 8, false, 2};
constexpr world a_lane_left{overflow::block, 8, false, 3};
constexpr world nobody_there{overflow::block, 8, true};

/// An argument that need not be there: MiB of memory that have to be torn down.
std::vector<char> memory_of(role_context const& context, std::size_t argument) {
    std::uint64_t const mib = context.args() > argument ? context.number(argument) : 0;
    return std::vector<char>(mib << 20, 'x');
}

/// root, inbox, MiB of memory; says its ticket when its letters are there.
PARTYWALL_ROLE(crash_sending_corpse) {
    auto const memory = memory_of(context, 2);
    participant me = joined(context.arg(0), "corpse");
    auto out = me.sender<parcel>(inbox_name(context.number(1))).value();
    for (std::uint64_t i = 0; i < noted::letters_of_corpse; ++i) {
        auto const letter = parcel::of(i, noted::corpse_sender + me.ticket());
        PARTYWALL_ROLE_CHECK(out.send(letter).has_value());
    }
    context.send(std::to_string(me.ticket()));
    context.hang();
}

/// root, inbox, lanes, MiB of memory
PARTYWALL_ROLE(crash_receiving_corpse) {
    auto const memory = memory_of(context, 3);
    participant me = joined(context.arg(0), "corpse");
    world w = one_way;
    w.lanes = static_cast<std::uint32_t>(context.number(2));
    auto const in = me.receiver<parcel>(inbox_name(context.number(1)), receives(w)).value();
    context.send(std::to_string(me.ticket()));
    context.hang();
}

/// root, inbox: has a lane that it never opens.
PARTYWALL_ROLE(crash_claiming_corpse) {
    participant me = joined(context.arg(0), "corpse");
    tampered_inbox const inbox(me, inbox_name(context.number(1)));
    owner mine;
    PARTYWALL_ROLE_CHECK(detail::lane<>::claim(inbox.lanes(), inbox.lane_count(), 0, me.ticket(),
                                               mine) != detail::lane<>::none);
    context.send(std::to_string(me.ticket()));
    context.hang();
}

/// root, depth: "full" when the next send will wait; then how that ended.
PARTYWALL_ROLE(crash_waiting_sender) {
    participant me = joined(context.arg(0), "waiting");
    context.send(std::to_string(me.ticket()));
    sender_options options;
    options.block_for = 1h;
    options.waiting = waiting::park;
    auto out = me.sender<parcel>(inbox_name(victims_inbox), options).value();
    std::uint64_t const sender = noted::corpse_sender + me.ticket();
    for (std::uint64_t i = 0; i < context.number(1); ++i) {
        PARTYWALL_ROLE_CHECK(out.send(parcel::of(i, sender)).has_value());
    }
    context.send("full");
    auto const sent = out.send(parcel::of(context.number(1), sender));
    context.send(sent ? "sent" : to_string(sent.error()));
    context.expect("leave");
    return 0;
}

/// What the victim has when it is complete has to outlive that.
void creates_a_receiver(victim& v) {
    std::optional<receiver<parcel>> in;
    v.me();
    v.armed([&] { in.emplace(opened(v)); });
}

void is_refused_the_name(victim& v) {
    v.me();
    v.armed([&] {
        auto const in = v.me().receiver<parcel>(inbox_name(victims_inbox), receives(v.where()));
        PARTYWALL_ROLE_CHECK(!in && in.error().code == endpoint_errc::name_taken);
    });
}

void closes_a_receiver(victim& v) {
    auto in = opened(v);
    v.armed([&] { in.close(); });
}

/// Gets the name after the victim, and what is sent to it from now on.
void has_a_successor(stage& s) {
    s.here().open_inbox(victims_inbox);
    s.here().post_to(victims_inbox, 3);
    s.ask_other("post " + std::to_string(victims_inbox) + " 3");
    s.here().expect_everything();
    s.here().close_inbox();
}
void everybody_posts(stage& s) {
    s.here().post_to(victims_inbox, 3);
    s.ask_other("post " + std::to_string(victims_inbox) + " 2");
}

std::vector<operation> of_names() {
    return {
        {.name = "create_receiver",
         .where = one_way,
         .run = creates_a_receiver,
         .after = has_a_successor},
        {.name = "create_receiver_where_nobody_is",
         .where = nobody_there,
         .run = creates_a_receiver},
        {.name = "create_receiver_after_a_dead_one",
         .where = one_way,
         .run = creates_a_receiver,
         .prepare = [](stage& s) { a_receiver_comes(s, victims_inbox); },
         .before =
             [](stage& s) {
                 everybody_posts(s);
                 s.kill_corpses();
             },
         .after = has_a_successor,
         .corpses = true},
        {.name = "create_receiver_that_is_refused",
         .where = one_way,
         .run = is_refused_the_name,
         .prepare = [](stage& s) { a_receiver_comes(s, victims_inbox); },
         .before =
             [](stage& s) { // the entry of the dead is beside that of the living
                 s.kill_corpses();
                 s.here().open_inbox(victims_inbox);
             },
         .after = [](stage& s) { s.here().close_inbox(); },
         .corpses = true},
        {.name = "close_receiver",
         .where = one_way,
         .run = closes_a_receiver,
         .before = everybody_posts,
         .after = has_a_successor},
        {.name = "close_receiver_that_somebody_waits_for",
         .where = one_way,
         .run = closes_a_receiver,
         .before = somebody_waits_for_room,
         .after = nobody_waits_for_room},
        {.name = "restart_receiver",
         .where = one_way,
         .run =
             [](victim& v) {
                 auto in = std::make_optional(opened(v));
                 std::optional<receiver<parcel>> again;
                 v.armed([&] {
                     in.reset();
                     again.emplace(opened(v));
                 });
             },
         .before = everybody_posts,
         .after = has_a_successor},
    };
}

void attaches(victim& v) {
    std::optional<sender<parcel>> out;
    v.me();
    v.armed([&] { out.emplace(a_way_to(v, 1)); });
}

void detaches(victim& v) {
    auto out = a_way_to(v, 1);
    for (int i = 0; i < 3; ++i) {
        PARTYWALL_ROLE_CHECK(v.send(out));
    }
    v.armed([&] { out.close(); });
}

void waits_for_a_receiver(victim& v) {
    auto out = a_way_to(v, third_inbox);
    v.armed([&] {
        PARTYWALL_ROLE_CHECK(out.wait_for_receiver(1h).has_value());
        PARTYWALL_ROLE_CHECK(v.send(out));
    });
}

std::vector<operation> of_lanes() {
    return {
        {.name = "attach_sender", .where = one_way, .run = attaches},
        {.name = "attach_sender_to_the_last_lane", .where = the_last_lane, .run = attaches},
        {.name = "attach_sender_beside_a_dead_one",
         .where = a_lane_left,
         .run = attaches,
         .before = [](stage& s) { a_sender_dies(s, 1); },
         .corpses = true},
        {.name = "attach_sender_where_the_dead_have_all_lanes",
         .where = the_last_lane,
         .run =
             [](victim& v) {
                 std::optional<sender<parcel>> out;
                 v.me();
                 v.armed([&] { // unless it is stopped, and they read what the dead left
                     if (auto made = v.me().sender<parcel>(inbox_name(1))) {
                         out.emplace(*std::move(made));
                     } else {
                         PARTYWALL_ROLE_CHECK(made.error().code == endpoint_errc::no_lane);
                     }
                 });
             },
         .before = [](stage& s) { a_sender_dies(s, 1); },
         .corpses = true},
        {.name = "attach_sender_before_there_is_a_receiver",
         .where = one_way,
         .run =
             [](victim& v) {
                 std::optional<sender<parcel>> out;
                 v.me();
                 v.armed([&] { out.emplace(a_way_to(v, third_inbox)); });
             }},
        {.name = "detach_sender_that_is_still_to_be_read", .where = one_way, .run = detaches},
        {.name = "detach_sender",
         .where = one_way,
         .run = detaches,
         .before = [](stage& s) { s.everybody_reads(); }},
        {.name = "detach_sender_dropping", .where = one_way_dropping, .run = detaches},
    };
}

std::vector<operation> of_restarts() {
    return {
        {.name = "sender_waits_for_a_receiver",
         .where = one_way,
         .run = waits_for_a_receiver,
         .when_asleep = [](stage& s) { s.here().open_inbox(third_inbox); },
         .after = [](stage& s) { s.here().close_inbox_when_read(); }},
        {.name = "sender_waits_for_the_lane_of_a_dead_one",
         .where = one_way,
         .run = waits_for_a_receiver,
         .before =
             [](stage& s) {
                 s.here().open_inbox(third_inbox, 1);
                 a_sender_dies(s, third_inbox);
             },
         .when_asleep = [](stage& s) { s.here().look(); },
         .after = [](stage& s) { s.here().close_inbox_when_read(); },
         .corpses = true},
        {.name = "sender_finds_a_successor",
         .where = one_way,
         .run =
             [](victim& v) {
                 auto out = a_way_to(v, third_inbox);
                 PARTYWALL_ROLE_CHECK(out.receiver() != 0);
                 for (std::uint64_t i = 0; i < 3; ++i) { // which are lost
                     PARTYWALL_ROLE_CHECK(
                         out.send(parcel::of(i, noted::corpse_sender)).has_value());
                 }
                 v.armed([&] {
                     PARTYWALL_ROLE_CHECK(out.send(v.next()).error() == send_errc::peer_died);
                     v.take_back();
                     PARTYWALL_ROLE_CHECK(out.lost() == 3 && v.send(out));
                 });
             },
         .prepare = [](stage& s) { a_receiver_comes(s, third_inbox); },
         .before =
             [](stage& s) {
                 s.kill_corpses();
                 s.here().open_inbox(third_inbox);
             },
         .after = [](stage& s) { s.here().close_inbox_when_read(); },
         .corpses = true},
    };
}

} // namespace

void somebody_waits_for_room(stage& s) {
    child& waiting = s.corpse("crash_waiting_sender", {std::to_string(s.where().depth)});
    waiting.expect("full");
    s.until_asleep(waiting);
}

void nobody_waits_for_room(stage& s) {
    child& waiting = s.last_corpse();
    s.expect_soon(waiting, {"sent", "receiver died", "no receiver"});
    waiting.send("leave");
    EXPECT_EQ(waiting.wait(), exited(0));
}

std::vector<operation> inbox_operations() {
    std::vector<operation> all = of_names();
    for (auto const& more : {of_lanes(), of_restarts()}) {
        all.insert(all.end(), more.begin(), more.end());
    }
    return all;
}

} // namespace partywall::test
