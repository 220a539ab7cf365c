// SPDX-License-Identifier: BSL-1.0
// A process that rewrites words of a lanes segment at full speed while honest ones send and receive
// through it: a sender that keeps to its own lane harms nobody, whoever writes everywhere harms that
// one receiver and its senders, and neither kills, hangs or leads anybody out of bounds.
#include "support.hpp"

#include <support/counts.hpp>
#include <support/nasty.hpp>
#include <support/role.hpp>
#include <support/watchdog.hpp>

#include <random>

namespace partywall::test {
namespace {

constexpr std::uint64_t depth = 8;

std::uint64_t a_number(std::mt19937_64& random) {
    return random() % 2 == 0 ? nasty[random() % nasty.size()] : random() >> (random() % 64);
}

template <class Word>
void put(Word& word, std::uint64_t value) {
    std_atomics::store(word, static_cast<Word>(value), std::memory_order_relaxed);
}

void rewrite_lane(tampered_inbox const& box, std::uint32_t index, std::uint64_t ticket,
                  std::mt19937_64& random) {
    detail::lane_header& h = box.lane(index);
    std::uint64_t const tickets[] = {0, 1, ticket, ticket + 1, 1000, ticket_max};
    std::uint64_t const at = std_atomics::load(h.control.position, std::memory_order_relaxed);
    switch (random() % 12) {
    case 0:
        put(h.owner, owner::make(tickets[random() % std::size(tickets)],
                                 static_cast<slot_phase>(random() % 4), random())
                         .word);
        break;
    case 1: put(h.owner, a_number(random)); break;
    case 2: put(h.start, a_number(random)); break;
    case 3: put(h.overflow, random() % 5); break;
    case 4: put(h.control.closed, random() % 2 == 0 ? 0 : a_number(random)); break;
    case 5: put(h.control.room_arm, random()); break;
    case 6: put(h.control.position, a_number(random)); break;
    case 7:
        put(h.slot.cursor,
            random() % 2 == 0 ? a_number(random) : detail::cursor_at(at + random() % 20 - 10));
        break;
    case 8: put(h.slot.freed, random()); break;
    case 9: put(h.incarnation, a_number(random)); break;
    default: {
        std::uint64_t const cell = random() % depth;
        std::uint64_t const laps = depth * (random() % 4);
        put(box.cell(index, cell), random() % 3 == 0   ? a_number(random)
                                   : random() % 2 == 0 ? detail::ready_stamp(at + cell + laps)
                                                       : detail::writing_stamp(at + cell + laps));
    }
    }
}

void rewrite_inbox(tampered_inbox const& box, std::mt19937_64& random) {
    detail::lanes_segment& s = box.segment();
    std::uint32_t const lanes = box.lane_count();
    switch (random() % 6) {
    case 0: put(s.control.arm, random()); break;
    case 1: put(s.control.closed, random() % 16 == 0 ? 1 : 0); break;
    case 2: put(s.bell.rung, random()); break;
    case 3: put(s.bell.arrivals, random()); break;
    case 4: put(s.control.received, random()); break;
    default: put(box.hint(static_cast<std::uint32_t>(random() % lanes)), random());
    }
}

/// root, seed, where: "own", "all"; rewrites until it is killed
PARTYWALL_ROLE(hostile_sender) {
    participant me = joined(context.arg(0), "hostile");
    auto out = me.sender<tick>("in", sending(overflow::reject)).value();
    tampered_inbox const box(me, "in");
    std::uint32_t const mine = box.lane_of(me.ticket());
    std::mt19937_64 random(context.number(1));
    bool const all = context.arg(2) == "all";
    std::uint32_t const lanes = box.lane_count();
    context.send("writes");
    for (;;) {
        if (all && random() % 2 == 0) {
            rewrite_inbox(box, random);
        }
        rewrite_lane(box, all ? static_cast<std::uint32_t>(random() % lanes) : mine, me.ticket(),
                     random);
        if (random() % 16 == 0) {
            (void)out.send(tick::of(0, 66), 0ns);
        }
    }
}

/// root, seed: receives, and rewrites all of its segment meanwhile
PARTYWALL_ROLE(hostile_receiver) {
    participant me = joined(context.arg(0), "hostile");
    std::mt19937_64 random(context.number(1));
    for (bool said = false;; said = true) {
        auto in = me.receiver<tick>("in", lanes_of(depth, 4)).value();
        if (!said) {
            context.send("writes");
        }
        tampered_inbox const box(me, "in");
        for (int i = 0; i < 20'000; ++i) { // then it comes back as another one
            rewrite_lane(box, static_cast<std::uint32_t>(random() % 4), me.ticket(), random);
            rewrite_inbox(box, random);
            if (random() % 16 == 0) {
                (void)in.try_receive();
            }
        }
    }
}

struct pair_elsewhere {
    pair_elsewhere(participant& me, participant& other)
        : in(me.receiver<tick>("elsewhere", lanes_of(depth)).value()),
          out(other.sender<tick>("elsewhere", sending(overflow::reject)).value()) {}
    void goes_on() {
        send_ticks(out, sent, 1);
        ASSERT_EQ(take_all(in), numbers(sent, 1));
        sent += 1;
    }
    receiver<tick> in;
    sender<tick> out;
    std::uint64_t sent = 0;
};

TEST(LiveEnemy, InItsOwnLaneHarmsNoOtherSender) {
    watchdog::extend(std::chrono::minutes(5));
    for (std::uint64_t seed = 0; seed < count(4, 60); ++seed) {
        scratch_root root;
        participant me = joined(root.path());
        participant other = joined(root.path(), "other");
        pair_elsewhere elsewhere(me, other);
        receiver_options options = lanes_of(depth, seed % 2 == 0 ? 4 : 100);
        options.waiting = seed % 4 < 2 ? waiting::park : waiting::spin_then_park;
        auto in = me.receiver<tick>("in", options).value();
        auto good = other.sender<tick>("in", sending(overflow::block, 1s)).value();
        child enemy =
            spawn("hostile_sender", {root.path(), std::to_string(run_seed() + seed), "own"});
        enemy.expect("writes");
        std::uint64_t sent = 0;
        std::uint64_t got = 0;
        auto const take = [&](auto const& s) {
            if (s && s->sender == 1) {
                ASSERT_TRUE(s->whole());
                ASSERT_EQ(s->number, got);
                got += 1;
            }
        };
        for (std::uint64_t i = 0; i < count(3000, 100'000); ++i) {
            if (sent - got < depth) {
                ASSERT_TRUE(good.send(tick::of(sent, 1)));
                sent += 1;
            }
            ASSERT_NO_FATAL_FAILURE(take(in.try_receive()));
            if (i % 16 == 0) {
                ASSERT_NO_FATAL_FAILURE(take(in.receive(10us)));
            }
            if (i % 256 == 0) {
                (void)me.recover();
                ASSERT_NO_FATAL_FAILURE(elsewhere.goes_on());
            }
        }
        enemy.kill(SIGKILL);
        EXPECT_EQ(enemy.wait(), killed_by(SIGKILL));
        for (int i = 0; i < 100'000 && got < sent; ++i) {
            ASSERT_NO_FATAL_FAILURE(take(in.try_receive()));
        }
        EXPECT_EQ(got, sent);
        in.close();
        (void)me.recover();
        EXPECT_EQ(root.leftovers().size(), 5u) << "directory, registry, two lives, other lanes";
    }
}

TEST(LiveEnemy, InAllLanesHarmsOneReceiverAndItsSenders) {
    watchdog::extend(std::chrono::minutes(5));
    for (std::uint64_t seed = 0; seed < count(4, 60); ++seed) {
        scratch_root root;
        participant me = joined(root.path());
        participant other = joined(root.path(), "other");
        pair_elsewhere elsewhere(me, other);
        receiver_options options = lanes_of(depth, seed % 2 == 0 ? 4 : 1024);
        options.report_close = seed % 4 < 2;
        auto in = me.receiver<tick>("in", options).value();
        auto good = other.sender<tick>("in", sending(overflow::block, 100us)).value();
        child enemy =
            spawn("hostile_sender", {root.path(), std::to_string(run_seed() + seed), "all"});
        enemy.expect("writes");
        for (std::uint64_t i = 0; i < count(500, 20'000); ++i) {
            auto const sent = good.send(tick::of(i, 1));
            ASSERT_TRUE(sent || sent.error() == send_errc::timed_out ||
                        sent.error() == send_errc::no_receiver ||
                        sent.error() == send_errc::peer_died || sent.error() == send_errc::refused)
                << to_string(sent.error());
            (void)in.try_receive();
            (void)in.receive(10us);
            if (i % 64 == 0) {
                (void)me.recover();
                auto late = other.sender<tick>("in", sending(overflow::drop_oldest));
                if (late) {
                    (void)late->send(tick::of(0, 2));
                }
            }
            ASSERT_NO_FATAL_FAILURE(elsewhere.goes_on());
        }
        enemy.kill(SIGKILL);
        EXPECT_EQ(enemy.wait(), killed_by(SIGKILL));
        in.close();
        good.close();
        (void)me.recover();
        EXPECT_EQ(root.leftovers().size(), 5u);
    }
}

TEST(LiveEnemy, ThatReceivesHarmsNobodyElse) {
    watchdog::extend(std::chrono::minutes(5));
    for (std::uint64_t seed = 0; seed < count(4, 60); ++seed) {
        scratch_root root;
        participant me = joined(root.path());
        participant other = joined(root.path(), "other");
        pair_elsewhere elsewhere(me, other);
        child enemy = spawn("hostile_receiver", {root.path(), std::to_string(run_seed() + seed)});
        enemy.expect("writes");
        auto const policy = static_cast<overflow>(1 + seed % 3);
        auto out = me.sender<tick>("in", sending(policy, 100us));
        for (std::uint64_t i = 0; i < count(1500, 50'000); ++i) {
            if (!out || !out->send(tick::of(i, 1))) {
                if (i % 8 == 0) {
                    out = me.sender<tick>("in", sending(policy, 100us));
                }
            } else if (i % 100 == 0) {
                std::vector<tick> const batch(20, tick::of(i, 1));
                (void)out->send_batch(batch);
            }
            if (i % 16 == 0) {
                ASSERT_NO_FATAL_FAILURE(elsewhere.goes_on());
            }
        }
        enemy.kill(SIGKILL);
        EXPECT_EQ(enemy.wait(), killed_by(SIGKILL));
        (void)me.recover();
        EXPECT_EQ(root.leftovers().size(), 5u);
    }
}

} // namespace
} // namespace partywall::test
