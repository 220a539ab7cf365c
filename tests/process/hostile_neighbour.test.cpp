// SPDX-License-Identifier: BSL-1.0
// Processes that rewrite all that is theirs at full speed, while they take part: a client, with its lane
// in a server's inbox and its own inbox for replies; a participant, with its slot, its entries and its
// segments. Honest processes talk beside them, on another topic and another service of the same domain.
#include "puppet.hpp"

#include <calls/support.hpp>
#include <registry/support.hpp>
#include <support/counts.hpp>
#include <support/nasty.hpp>
#include <support/watchdog.hpp>

#include <atomic>
#include <cstddef>
#include <random>
#include <span>
#include <vector>

namespace partywall::test {
namespace {

std::uint64_t a_number(std::mt19937_64& random) {
    return random() % 2 == 0 ? nasty[random() % nasty.size()] : random() >> (random() % 64);
}

/// Any word of it becomes another one.
void rewrite(std::span<std::byte> bytes, std::mt19937_64& random) {
    auto* const words = reinterpret_cast<std::uint64_t*>(bytes.data());
    std::atomic_ref<std::uint64_t> const word(words[random() % (bytes.size() / 8)]);
    std::uint64_t const now = word.load(std::memory_order_relaxed);
    std::uint64_t const other = a_number(random);
    word.store(random() % 4 == 0 ? now + other : other, std::memory_order_relaxed);
}
template <class Slot>
std::span<std::byte> bytes_of(Slot& slot) {
    return {reinterpret_cast<std::byte*>(&slot), sizeof slot};
}

/// root, seed: calls the service "victim", and rewrites its lane there and its own inbox
PARTYWALL_ROLE(hostile_caller) {
    participant me = joined(context.arg(0), "hostile");
    std::mt19937_64 random(context.number(1));
    auto c = me.client<ask, told>("victim", calling(100us)).value();
    PARTYWALL_ROLE_CHECK(c.wait_for_server(1h).has_value());
    (void)c.call(ask::of(0)); // now it has a lane there
    auto const services = me.core()->entries(entry_kind::service, "victim");
    PARTYWALL_ROLE_CHECK(services.size() == 1);
    tampered_inbox const requests(me, services[0]);
    std::uint32_t const lane = requests.lane_of(me.ticket());
    PARTYWALL_ROLE_CHECK(lane < requests.lane_count());
    entry_info replies_to;
    replies_to.owner_ticket = me.ticket();
    replies_to.number = c.incarnation() & endpoints_max;
    tampered_inbox const replies(me, replies_to);
    std::span<std::byte> const cells{
        reinterpret_cast<std::byte*>(&requests.cell(lane, 0)),
        static_cast<std::size_t>(requests.segment().constants.lane_bytes)};
    context.send("writes");
    for (std::uint64_t i = 1;; ++i) {
        rewrite(bytes_of(requests.lane(lane)), random);
        rewrite(cells, random);
        rewrite(replies.bytes(), random);
        if (i % 64 == 0) {
            (void)c.call(ask::of(i));
        }
    }
}

/// root, seed: rewrites its participant's slot, its entries, and the segments of its endpoints
PARTYWALL_ROLE(hostile_participant) {
    participant me = joined(context.arg(0), "hostile");
    std::mt19937_64 random(context.number(1));
    auto pub = me.publisher<tick>("hostile", dropping(8)).value();
    auto in = me.receiver<tick>("hostile", lanes_of(8, 4)).value();
    registry_bytes const all(me.core()->dir());
    std::vector<std::span<std::byte>> mine;
    auto const add_if_mine = [&](auto& slot) {
        if (owner_word<>::load(slot.owner).ticket() == me.ticket()) {
            mine.push_back(bytes_of(slot));
        }
    };
    for (auto& slot : all->participants) {
        add_if_mine(slot);
    }
    for (auto& slot : all->entries) {
        add_if_mine(slot);
    }
    PARTYWALL_ROLE_CHECK(mine.size() == 3);
    tampered_inbox const inbox(me, "hostile");
    tampered_topic const topic(me, "hostile");
    mine.push_back(inbox.bytes());
    mine.push_back(bytes_of(topic.ring()));
    mine.push_back(bytes_of(topic.readers()));
    context.send("writes");
    for (;;) {
        rewrite(mine[random() % mine.size()], random);
        if (random() % 16 == 0) {
            (void)pub.send(tick::of(0));
            (void)in.try_receive();
        }
    }
}

/// root: sends back what comes, and serves, until it gets a message of sender 1. Then says how often
/// it has executed.
PARTYWALL_ROLE(honest_neighbour) {
    participant me = joined(context.arg(0), "honest");
    auto in = me.subscriber<tick>("there", lossless()).value();
    auto out = me.publisher<tick>("back", gated(8, overflow::block)).value();
    std::uint64_t executed = 0;
    auto s = me.server<ask, told>(
                   "good",
                   [&](ask const& a) {
                       executed += 1;
                       return told::of(a.number);
                   },
                   serving())
                 .value();
    context.send("serves");
    for (std::uint64_t next = 0;;) {
        (void)s.poll();
        auto const got = in.receive(50us);
        if (!got) {
            PARTYWALL_ROLE_CHECK(got.error() == receive_errc::timed_out);
            continue;
        }
        PARTYWALL_ROLE_CHECK(got->whole() && got->number == next && got.missed() == 0);
        next += 1;
        PARTYWALL_ROLE_CHECK(out.send(*got).has_value());
        if (got->sender == 1) {
            context.send(std::to_string(executed));
            context.expect("leave");
            return 0;
        }
    }
}

class HostileNeighbour : public testing::TestWithParam<char const*> {};

TEST_P(HostileNeighbour, HarmsNobodyOnOtherTopicsAndServices) {
    watchdog::extend(5min);
    for (std::uint64_t seed = 0; seed < count(3, 60); ++seed) {
        scratch_root root;
        participant me = joined(root.path());
        auto out = me.publisher<tick>("there", gated(8, overflow::block)).value();
        auto back = me.subscriber<tick>("back", lossless()).value();
        child honest = spawn("honest_neighbour", {root.path()});
        honest.expect("serves");
        auto good = me.client<ask, told>("good", calling()).value();
        ASSERT_TRUE(good.wait_for_server(1h));
        // What the hostile one is welcome to.
        auto victim = me.server<ask, told>(
                            "victim", [](ask const& a) { return told::of(a.number); }, serving(8))
                          .value();
        auto looker = me.subscriber<tick>("hostile").value();
        child hostile = spawn(GetParam(), {root.path(), std::to_string(run_seed() + seed)});
        {
            running const attends(victim);
            hostile.expect("writes");
        }
        std::uint64_t const rounds = count(1000, 50'000);
        for (std::uint64_t i = 0; i < rounds; ++i) {
            ASSERT_TRUE(out.send(tick::of(i, i + 1 == rounds ? 1 : 0)));
            auto const s = back.receive(1h);
            ASSERT_TRUE(s) << to_string(s.error());
            ASSERT_TRUE(s->whole());
            ASSERT_EQ(s->number, i);
            ASSERT_EQ(s.missed(), 0u);
            if (i + 1 < rounds) {
                auto const reply = good.call(ask::of(i));
                ASSERT_TRUE(reply) << to_string(reply.error().reason);
                ASSERT_TRUE((**reply).answers(i));
            }
            (void)victim.poll(8);
            (void)looker.try_receive();
            if (i % 64 == 0) {
                (void)me.recover();
                (void)me.snapshot();
            }
        }
        honest.expect(std::to_string(rounds - 1));
        hostile.kill(SIGKILL);
        EXPECT_EQ(hostile.wait(), killed_by(SIGKILL)) << "an enemy that ends itself is none";
        honest.send("leave");
        EXPECT_EQ(honest.wait(), exited(0));
    }
}

INSTANTIATE_TEST_SUITE_P(Of, HostileNeighbour,
                         testing::Values("hostile_caller", "hostile_participant"),
                         [](auto const& one) { return std::string(one.param); });

} // namespace
} // namespace partywall::test
