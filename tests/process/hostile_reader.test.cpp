// SPDX-License-Identifier: BSL-1.0
// A subscriber's process that writes whatever it likes into the readers segment, at full speed,
// while an honest one reads: the publisher keeps its deadlines and its life, and other topics do
// not notice.
#include "puppet.hpp"

#include <support/counts.hpp>
#include <support/nasty.hpp>
#include <support/watchdog.hpp>

#include <random>

namespace partywall::test {
namespace {

/// root, seed: writes everywhere behind the constants until it is killed
PARTYWALL_ROLE(hostile_reader) {
    participant me = joined(context.arg(0), "hostile");
    auto sub = me.subscriber<tick>("t", lossless()).value();
    tampered_topic topic(me, "t");
    std::mt19937_64 random(context.number(1));
    std::uint64_t const tickets[] = {0, me.ticket(), me.publishers("t")[0].owner_ticket,
                                     3, ticket_max,  1'000'000};
    std::uint32_t const slots = topic.slot_count();
    context.send("writes");
    for (;;) {
        detail::reader_slot& slot = topic.slots()[random() % slots];
        auto const value =
            random() % 2 == 0 ? nasty[random() % nasty.size()] : random() >> (random() % 64);
        switch (random() % 8) {
        case 0:
            std_atomics::store(slot.owner,
                               owner::make(tickets[random() % std::size(tickets)],
                                           static_cast<slot_phase>(random() % 4), random())
                                   .word,
                               std::memory_order_relaxed);
            break;
        case 1: std_atomics::store(slot.owner, value, std::memory_order_relaxed); break;
        case 2: std_atomics::store(slot.cursor, value, std::memory_order_relaxed); break;
        case 3: {
            std::uint64_t const at =
                std_atomics::load(topic.ring().control.position, std::memory_order_relaxed);
            std_atomics::store(slot.cursor, detail::cursor_at(at + random() % 20 - 10),
                               std::memory_order_relaxed);
            break;
        }
        case 4:
            std_atomics::store(slot.role, static_cast<std::uint32_t>(random() % 5),
                               std::memory_order_relaxed);
            break;
        case 5:
            std_atomics::store(slot.subscription, value, std::memory_order_relaxed);
            std_atomics::store(slot.subscription_ticket, tickets[random() % std::size(tickets)],
                               std::memory_order_relaxed);
            break;
        case 6:
            std_atomics::store(slot.freed, static_cast<std::uint32_t>(random()),
                               std::memory_order_relaxed);
            break;
        default:
            std_atomics::store(topic.readers().arm, static_cast<std::uint32_t>(random()),
                               std::memory_order_relaxed);
        }
    }
}

TEST(HostileReader, NeitherHangsNorKillsThePublisherAndOtherTopicsDoNotNotice) {
    watchdog::extend(3min);
    for (std::uint64_t seed = 0; seed < count(4, 60); ++seed) {
        scratch_root root;
        participant me = joined(root.path());
        participant reader = joined(root.path(), "reader");
        publisher_options options = gated(16, overflow::block);
        options.subscribers_max = 4;
        options.block_for = 2ms;
        options.waiting = seed % 2 == 0 ? waiting::park : waiting::spin_then_park;
        auto pub = me.publisher<tick>("t", options).value();
        auto honest = reader.subscriber<tick>("t", lossless()).value();
        auto elsewhere = me.publisher<tick>("u", gated(16)).value();
        auto elsewhere_sub = reader.subscriber<tick>("u", lossless()).value();
        child hostile = spawn("hostile_reader", {root.path(), std::to_string(seed)});
        hostile.expect("writes");
        std::uint64_t const sends = count(1500, 50'000);
        std::uint64_t sent = 0;
        std::uint64_t elsewhere_sent = 0;
        for (std::uint64_t i = 0; i < sends; ++i) {
            auto const r = pub.send(tick::of(sent));
            ASSERT_TRUE(r || r.error() == send_errc::timed_out) << to_string(r.error());
            sent += r ? 1 : 0;
            auto const s = honest.try_receive();
            ASSERT_TRUE(s || s.error() == receive_errc::empty || s.error() == receive_errc::corrupt)
                << to_string(s.error());
            (void)honest.receive(0ns);
            ASSERT_LE(pub.subscriber_count(), 4u);
            (void)pub.wait_for_subscribers(3, 0ns);
            if (i % 50 == 0) {
                (void)me.recover();
                (void)reader.recover();
                auto more = reader.subscriber<tick>("t", i % 100 == 0 ? lossless() : lossy());
                if (more) {
                    (void)more->try_receive();
                }
            }
            ASSERT_TRUE(elsewhere.send(tick::of(elsewhere_sent)));
            auto const e = elsewhere_sub.try_receive();
            ASSERT_TRUE(e);
            ASSERT_EQ(e->number, elsewhere_sent);
            elsewhere_sent += 1;
        }
        hostile.kill(SIGKILL);
        EXPECT_EQ(hostile.wait(), killed_by(SIGKILL));
        pub.close();
        honest.close();
        (void)me.recover();
        EXPECT_EQ(topic_files(root).size(), 2u) << "those of the other topic";
    }
}

} // namespace
} // namespace partywall::test
