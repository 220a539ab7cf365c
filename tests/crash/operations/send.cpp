// SPDX-License-Identifier: BSL-1.0
// Sending: every policy, with room and without, copied, lent and in batches.
#include "../stage.hpp"

#include <array>
#include <poll.h>
#include <vector>

namespace partywall::test {
namespace {

constexpr world blocking{overflow::block, 8, false};
constexpr world rejecting{overflow::reject, 8, false};
constexpr world dropping_world{overflow::drop_oldest, 4, false};

publisher<parcel> made(victim& v, std::chrono::nanoseconds block_for = 1ms) {
    publisher_options options = publishes(v.where());
    options.block_for = block_for;
    options.waiting = waiting::park;
    return v.me().publisher<parcel>("t", options).value();
}

/// A publisher whose ring is full of what the survivors have not read.
publisher<parcel> filled(victim& v, std::chrono::nanoseconds block_for = 1ms) {
    auto pub = made(v, block_for);
    for (std::uint64_t i = 0; i < v.where().depth; ++i) {
        PARTYWALL_ROLE_CHECK(v.send(pub));
    }
    return pub;
}

void sends_one(victim& v) {
    auto pub = made(v);
    PARTYWALL_ROLE_CHECK(v.send(pub)); // the first one looks for room
    v.armed([&] { PARTYWALL_ROLE_CHECK(v.send(pub)); });
}
void sends_to_the_full(victim& v) {
    auto pub = filled(v);
    v.armed([&] { (void)v.send(pub); }); // unless it is stopped, and they read meanwhile
}
void sends_after_a_lap(victim& v) {
    auto pub = filled(v);
    v.armed([&] { PARTYWALL_ROLE_CHECK(v.send(pub)); });
}

void everybody_reads(stage& s) { s.everybody_reads(); }

/// root, how many, policy: subscriptions that are read until it is told to leave.
PARTYWALL_ROLE(crash_audience) {
    participant me = joined(context.arg(0), "audience");
    world w;
    w.policy = static_cast<overflow>(context.number(2));
    std::vector<subscriber<parcel>> all;
    for (std::uint64_t i = 0; i < context.number(1); ++i) {
        all.push_back(me.subscriber<parcel>("t", subscribes(w)).value());
    }
    context.send(std::to_string(me.ticket()));
    pollfd told{context.descriptor(), POLLIN, 0};
    while (::poll(&told, 1, 0) == 0) {
        (void)all.front().receive(1ms);
        for (auto& one : all) {
            while (one.try_receive()) {
            }
        }
    }
    context.expect("leave");
    return 0;
}
/// With the survivors there are eight.
void an_audience_comes(stage& s) {
    (void)s.corpse("crash_audience",
                   {"6", std::to_string(static_cast<std::uint32_t>(s.where().policy))});
}
void the_audience_goes(stage& s) {
    s.last_corpse().send("leave");
    EXPECT_EQ(s.last_corpse().wait(), exited(0));
}

std::vector<operation> of_one() {
    return {
        {.name = "send", .where = blocking, .run = sends_one},
        {.name = "send_first",
         .where = blocking,
         .run =
             [](victim& v) {
                 auto pub = made(v);
                 v.armed([&] { PARTYWALL_ROLE_CHECK(v.send(pub)); });
             }},
        {.name = "send_dropping", .where = dropping_world, .run = sends_one},
        {.name = "send_dropping_at_the_wrap", .where = dropping_world, .run = sends_after_a_lap},
        {.name = "send_after_a_lap",
         .where = blocking,
         .run = sends_after_a_lap,
         .before = everybody_reads},
        {.name = "send_rejected", .where = rejecting, .run = sends_to_the_full},
        {.name = "send_timed_out", .where = blocking, .run = sends_to_the_full},
        {.name = "send_blocked",
         .where = blocking,
         .run =
             [](victim& v) {
                 auto pub = filled(v, 1h);
                 v.armed([&] { PARTYWALL_ROLE_CHECK(v.send(pub)); });
             },
         .when_asleep = everybody_reads},
        {.name = "send_to_eight",
         .where = blocking,
         .run = sends_one,
         .before = an_audience_comes,
         .after = the_audience_goes},
        {.name = "send_to_eight_dropping",
         .where = dropping_world,
         .run = sends_one,
         .before = an_audience_comes,
         .after = the_audience_goes},
        {.name = "send_wakes_a_sleeper",
         .where = blocking,
         .run = sends_one,
         .before =
             [](stage& s) {
                 everybody_reads(s);
                 s.let_other_sleep();
             }},
        {.name = "send_wakes_a_sleeper_dropping",
         .where = dropping_world,
         .run = sends_one,
         .before =
             [](stage& s) {
                 everybody_reads(s);
                 s.let_other_sleep();
             }},
    };
}

std::vector<operation> of_others() {
    return {
        {.name = "loan_and_send",
         .where = blocking,
         .run =
             [](victim& v) {
                 auto pub = made(v);
                 v.armed([&] {
                     auto memory = pub.loan().value();
                     *memory = v.next();
                     PARTYWALL_ROLE_CHECK(memory.send().has_value());
                     v.was_sent();
                 });
             }},
        {.name = "loan_abandoned_then_send",
         .where = blocking,
         .run =
             [](victim& v) {
                 auto pub = made(v);
                 v.armed([&] {
                     {
                         auto memory = pub.loan().value();
                         *memory = parcel{};
                     }
                     PARTYWALL_ROLE_CHECK(v.send(pub));
                 });
             }},
        {.name = "send_batch",
         .where = blocking,
         .run =
             [](victim& v) {
                 auto pub = made(v);
                 v.armed([&] {
                     std::array const three{v.next(3), v.next(2), v.next(1)};
                     PARTYWALL_ROLE_CHECK(pub.send_batch(three).value() == 3);
                     v.was_sent(3);
                 });
             }},
    };
}

} // namespace

std::vector<operation> send_operations() {
    std::vector<operation> all = of_one();
    for (operation& one : of_others()) {
        all.push_back(std::move(one));
    }
    return all;
}

} // namespace partywall::test
