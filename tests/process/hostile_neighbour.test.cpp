// SPDX-License-Identifier: BSL-1.0
// Processes that rewrite all that is theirs at full speed, while they take part: a client, with its lane
// in a server's inbox and its own inbox for replies; a server, with its inbox and its lane in a client's;
// a respondent, with its lane in a surveyor's inbox and its slot there; a surveyor, with its ring and its
// inbox; a participant, with its slot, its entries, its life word and its segments. Honest processes talk
// beside them, on another topic, another service and another survey of the same domain.
#include "puppet.hpp"

#include <partywall/registry/life_layout.hpp>

#include <calls/support.hpp>
#include <registry/support.hpp>
#include <support/counts.hpp>
#include <support/nasty.hpp>
#include <support/watchdog.hpp>
#include <survey/support.hpp>

#include <atomic>
#include <cstddef>
#include <random>
#include <span>
#include <string>
#include <thread>
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

/// All of a segment behind its header.
std::span<std::byte> bytes_behind_header(mapping const& map) {
    return {map.data() + sizeof(segment_header), map.size() - sizeof(segment_header)};
}
mapping mapped(participant const& as, segment_kind kind, std::uint64_t incarnation) {
    segment_id const id{kind, incarnation >> 24, incarnation & endpoints_max};
    bool const ring = kind == segment_kind::ring;
    bool const readers = kind == segment_kind::readers;
    return attach_segment(as.core()->dir(),
                          {id,
                           ring      ? detail::ring_layout_version
                           : readers ? detail::readers_layout_version
                                     : detail::lanes_layout_version,
                           ring      ? detail::ring_fingerprint
                           : readers ? detail::readers_fingerprint
                                     : detail::lanes_fingerprint},
                          access::read_write)
        .value();
}
entry_info entry_at(std::uint64_t incarnation) {
    entry_info e;
    e.owner_ticket = incarnation >> 24;
    e.number = incarnation & endpoints_max;
    return e;
}
/// The lane that `me` has in that inbox: its header, and its cells.
std::vector<std::span<std::byte>> lane_in(tampered_inbox const& inbox, std::uint64_t ticket) {
    std::uint32_t const lane = inbox.lane_of(ticket);
    PARTYWALL_ROLE_CHECK(lane < inbox.lane_count());
    return {bytes_of(inbox.lane(lane)),
            {reinterpret_cast<std::byte*>(&inbox.cell(lane, 0)),
             static_cast<std::size_t>(inbox.segment().constants.lane_bytes)}};
}

/// root, seed: serves "hostile", and rewrites its inbox and its lane in that of its first client
PARTYWALL_ROLE(hostile_server) {
    participant me = joined(context.arg(0), "hostile");
    std::mt19937_64 random(context.number(1));
    std::uint64_t client = 0;
    auto s = me.server<ask, told>(
                   "hostile",
                   [&](ask const& a, call_context& c) {
                       client = c.client();
                       return told::of(a.number);
                   },
                   serving(8))
                 .value();
    while (client == 0) {
        (void)s.run_for(1ms);
    }
    tampered_inbox const replies(me, entry_at(client));
    std::vector<std::span<std::byte>> mine = lane_in(replies, me.ticket());
    tampered_inbox const requests(me, entry_at(s.incarnation()));
    mine.push_back(requests.bytes());
    context.send("writes");
    for (std::uint64_t i = 1;; ++i) {
        rewrite(mine[random() % mine.size()], random);
        if (i % 64 == 0) {
            (void)s.poll(8);
        }
    }
}

/// root, seed: responds to "victim", and rewrites its lane in the surveyor's inbox and its slot there
PARTYWALL_ROLE(hostile_respondent) {
    participant me = joined(context.arg(0), "hostile");
    std::mt19937_64 random(context.number(1));
    std::uint64_t surveyor = 0;
    auto r = me.respondent<ask, told>("victim", [&](ask const& a, call_context& c) {
                   surveyor = c.client();
                   return told::of(a.number);
               }).value();
    while (surveyor == 0) {
        (void)r.run_for(1ms);
    }
    tampered_inbox const inbox(me, entry_at(surveyor));
    std::vector<std::span<std::byte>> mine = lane_in(inbox, me.ticket());
    mapping const readers = mapped(me, segment_kind::readers, surveyor);
    mine.push_back(bytes_behind_header(readers)); // where nothing holds anybody back
    context.send("writes");
    for (std::uint64_t i = 1;; ++i) {
        rewrite(mine[random() % mine.size()], random);
        if (i % 64 == 0) {
            (void)r.poll(8);
        }
    }
}

/// root, seed: asks "hostile", and rewrites its ring, its readers and its inbox
PARTYWALL_ROLE(hostile_surveyor) {
    participant me = joined(context.arg(0), "hostile");
    std::mt19937_64 random(context.number(1));
    auto s = me.surveyor<ask, told>("hostile", asking(100us)).value();
    PARTYWALL_ROLE_CHECK(s.wait_for_respondents(1, 1h).has_value());
    mapping const ring = mapped(me, segment_kind::ring, s.incarnation());
    mapping const readers = mapped(me, segment_kind::readers, s.incarnation());
    tampered_inbox const inbox(me, entry_at(s.incarnation()));
    std::span<std::byte> const mine[] = {bytes_behind_header(ring), bytes_behind_header(readers),
                                         inbox.bytes()};
    context.send("writes");
    for (std::uint64_t i = 1;; ++i) {
        rewrite(mine[random() % 3], random);
        if (i % 64 == 0) {
            if (auto survey = s.ask(ask::of(i))) {
                (void)s.poll();
            }
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
    mapping const life = attach_segment(me.core()->dir(),
                                        {{segment_kind::life, me.ticket(), 0},
                                         detail::life_layout_version,
                                         detail::life_layout_fingerprint},
                                        access::read_write)
                             .value();
    auto& its_futex = *reinterpret_cast<std::uint32_t*>(life.data() + sizeof(segment_header));
    context.send("writes");
    for (;;) {
        rewrite(mine[random() % mine.size()], random);
        if (random() % 16 == 0) { // dead, alive, somebody else's
            std_atomics::store(its_futex, static_cast<std::uint32_t>(random() >> (random() % 64)),
                               std::memory_order_relaxed);
        }
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
    auto r =
        me.respondent<ask, told>("good", [](ask const& a) { return told::of(a.number); }).value();
    context.send("serves");
    for (std::uint64_t next = 0;;) {
        (void)s.poll();
        (void)r.poll();
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

/// What the hostile one is welcome to: a server, a surveyor and a respondent of its victim's, and a
/// client and a subscriber of its own things.
struct prey {
    explicit prey(participant const& me)
        : server_(me.server<ask, told>(
                        "victim", [](ask const& a) { return told::of(a.number); }, serving(8))
                      .value()),
          surveyor_(me.surveyor<ask, told>("victim", asking(100us)).value()),
          respondent_(
              me.respondent<ask, told>("hostile", [](ask const& a) { return told::of(a.number); })
                  .value()),
          client_(me.client<ask, told>("hostile", calling(100us)).value()),
          looker_(me.subscriber<tick>("hostile").value()) {}

    void move(std::uint64_t i) {
        (void)server_.poll(8);
        (void)respondent_.poll(8);
        if (auto survey = surveyor_.ask(ask::of(i))) {
            (void)survey->next();
            survey->cancel();
            auto const r = survey->result();
            EXPECT_LE(r.answered, r.expected + r.joined_late);
        }
        (void)client_.call(ask::of(i));
        (void)looker_.try_receive();
    }

  private:
    server<ask, told> server_;
    surveyor<ask, told> surveyor_;
    respondent<ask, told> respondent_;
    client<ask, told> client_;
    subscriber<tick> looker_;
};

TEST_P(HostileNeighbour, HarmsNobodyOnOtherTopicsServicesAndSurveys) {
    watchdog::extend(30min);
    for (std::uint64_t seed = 0; seed < count(2, 60); ++seed) {
        scratch_root root;
        participant me = joined(root.path());
        auto out = me.publisher<tick>("there", gated(8, overflow::block)).value();
        auto back = me.subscriber<tick>("back", lossless()).value();
        child honest = spawn("honest_neighbour", {root.path()});
        honest.expect("serves");
        auto good = me.client<ask, told>("good", calling()).value();
        ASSERT_TRUE(good.wait_for_server(1h));
        auto all = me.surveyor<ask, told>("good", asking()).value();
        ASSERT_TRUE(all.wait_for_respondents(1, 1h));
        prey victim(me);
        child hostile = spawn(GetParam(), {root.path(), std::to_string(run_seed() + seed)});
        {
            std::atomic<bool> writes{false};
            std::thread attends([&] {
                for (std::uint64_t i = 0; !writes; ++i) {
                    victim.move(i);
                }
            });
            std::string const line = hostile.receive();
            writes = true;
            attends.join();
            ASSERT_EQ(line, "writes");
        }
        std::uint64_t const rounds = count(600, 50'000);
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
                auto survey = all.ask(ask::of(i)).value();
                auto const* const answer = survey.next();
                ASSERT_NE(answer, nullptr);
                ASSERT_TRUE((*answer)->answers(i));
                auto const r = survey.result();
                ASSERT_EQ(r.answered, 1U);
                ASSERT_EQ(r.respondents.size(), 1U);
            }
            victim.move(i);
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
                         testing::Values("hostile_caller", "hostile_server", "hostile_respondent",
                                         "hostile_surveyor", "hostile_participant"),
                         [](auto const& one) { return std::string(one.param); });

} // namespace
} // namespace partywall::test
