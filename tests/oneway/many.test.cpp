// SPDX-License-Identifier: BSL-1.0
// As many lanes as there may be, taken by several processes at a time, which then die; batches under
// each policy; and what one-way messages do not have.
#include "support.hpp"

#include <support/counts.hpp>
#include <support/role.hpp>
#include <support/sandbox.hpp>
#include <support/watchdog.hpp>

#include <map>
#include <set>

namespace partywall::test {
namespace {

template <class Options>
concept has_history = requires(Options o) {
    o.history;
};
static_assert(has_history<subscriber_options>);
static_assert(!has_history<receiver_options> && !has_history<sender_options>,
              "a lane belongs to one sender: there is no past to read");

/// root, senders: makes that many at "go", and sends as many messages through each as it is told.
PARTYWALL_ROLE(has_many_senders) {
    participant me = joined(context.arg(0), "many");
    context.send(std::to_string(me.ticket()));
    context.expect("go");
    std::vector<sender<tick>> all;
    for (std::uint64_t i = 0; i < context.number(1); ++i) {
        auto made = me.sender<tick>("in", sending(overflow::reject));
        PARTYWALL_ROLE_CHECK(made.has_value());
        all.push_back(std::move(*made));
    }
    context.send("attached");
    std::uint64_t const count = std::stoull(context.receive());
    for (std::uint64_t n = 0; n < count; ++n) {
        for (std::size_t i = 0; i < all.size(); ++i) {
            PARTYWALL_ROLE_CHECK(all[i].send(tick::of(n, me.ticket() << 16 | i)).has_value());
        }
    }
    context.send("sent");
    context.hang();
}

struct crowd {
    crowd(std::string const& root, std::uint64_t senders)
        : process(spawn("has_many_senders", {root, std::to_string(senders)})),
          ticket(std::stoull(process.receive())) {}
    child process;
    std::uint64_t ticket;
};

TEST(ManyLanes, OfSeveralProcessesAreTakenReadReportedAndFreeAgain) {
    watchdog::extend(std::chrono::minutes(5));
    constexpr std::uint64_t processes = 4;
    constexpr std::uint64_t each = senders_max / processes;
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", lanes_of(4, senders_max)).value();
    for (std::uint64_t round = 0; round < count(2, 20); ++round) {
        std::vector<crowd> crowds;
        for (std::uint64_t i = 0; i < processes; ++i) {
            crowds.emplace_back(root.path(), each);
        }
        for (crowd& one : crowds) {
            one.process.send("go"); // all at a time
        }
        for (crowd& one : crowds) {
            one.process.expect("attached");
        }
        EXPECT_EQ(tampered_inbox(me, "in").used_lanes(), senders_max) << "a lane each";
        EXPECT_EQ(me.sender<tick>("in").error().code, endpoint_errc::no_lane);
        for (crowd& one : crowds) {
            one.process.send("3");
        }
        for (crowd& one : crowds) {
            one.process.expect("sent");
            one.process.kill(SIGKILL);
            EXPECT_EQ(one.process.wait(), killed_by(SIGKILL));
        }
        std::map<std::uint64_t, std::uint64_t> next;
        std::set<std::uint64_t> died; // incarnations
        eventually([&] {
            auto const s = in.receive(1ms);
            if (s) {
                EXPECT_TRUE(s->whole());
                EXPECT_EQ(s->number, next[s->sender]++);
                EXPECT_FALSE(died.contains(s.sender())) << "first what it sent, then its death";
            } else if (s.error() == receive_errc::peer_died) {
                EXPECT_TRUE(died.insert(s.sender()).second) << "once";
            } else {
                EXPECT_EQ(s.error(), receive_errc::timed_out);
            }
            return died.size() == senders_max;
        });
        EXPECT_EQ(next.size(), senders_max);
        for (auto const& [who, got] : next) {
            ASSERT_EQ(got, 3u) << who;
        }
        eventually([&] {
            (void)in.receive(1ms);
            return tampered_inbox(me, "in").used_lanes() == 0;
        });
        (void)me.recover();
        EXPECT_EQ(root.leftovers().size(), 4u) << "directory, registry, life, lanes";
    }
    auto out = me.sender<tick>("in", sending(overflow::reject)).value();
    send_ticks(out, 0, 4);
    EXPECT_EQ(take_all(in), numbers(0, 4));
}

std::vector<tick> ticks(std::uint64_t first, std::uint64_t count) {
    std::vector<tick> all;
    for (std::uint64_t i = 0; i < count; ++i) {
        all.push_back(tick::of(first + i));
    }
    return all;
}

TEST(Batch, SendsWhatFitsUnderReject) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", lanes_of(8)).value();
    auto out = me.sender<tick>("in", sending(overflow::reject)).value();
    EXPECT_EQ(out.send_batch(ticks(0, 0)).value(), 0u);
    EXPECT_EQ(out.send_batch(ticks(0, 5)).value(), 5u);
    EXPECT_EQ(out.send_batch(ticks(5, 100)).value(), 3u);
    EXPECT_EQ(out.send_batch(ticks(8, 100)).error(), send_errc::full);
    std::vector<tick> two(2);
    EXPECT_EQ(in.receive_batch(two), 2u);
    EXPECT_EQ(take_all(in), numbers(2, 6));
    EXPECT_EQ(out.sent(), 8u);
}

TEST(Batch, WaitsForRoomForOneUnderBlock) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", lanes_of(8)).value();
    auto out = me.sender<tick>("in", sending(overflow::block)).value();
    EXPECT_EQ(out.send_batch(ticks(0, 100)).value(), 8u);
    std::vector<std::uint64_t> got;
    while_asleep([&] { EXPECT_GE(out.send_batch(ticks(8, 8)).value(), 1u); },
                 [&] { got = take_all(in); });
    for (std::uint64_t const n : take_all(in)) {
        got.push_back(n);
    }
    EXPECT_EQ(got, numbers(0, out.sent()));
    auto brief = me.sender<tick>("in", sending(overflow::block, 1ms)).value();
    EXPECT_EQ(brief.send_batch(ticks(0, 8)).value(), 8u);
    EXPECT_EQ(brief.send_batch(ticks(8, 8)).error(), send_errc::timed_out);
    EXPECT_EQ(brief.sent(), 8u);
}

TEST(Batch, OvertakesTheReceiverUnderDropOldestAndSaysByHowMuch) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", lanes_of(8)).value();
    auto out = me.sender<tick>("in", sending(overflow::drop_oldest)).value();
    EXPECT_EQ(out.send_batch(ticks(0, 100)).value(), 100u);
    auto const first = in.try_receive();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->number, 92u);
    EXPECT_EQ(first.missed(), 92u);
    EXPECT_EQ(take_all(in), numbers(93, 7));
    EXPECT_EQ(in.received() + in.missed(), out.sent());
}

TEST(Batch, EndsWithTheReceiver) {
    scratch_root root;
    participant me = joined(root.path());
    for (overflow const policy : {overflow::reject, overflow::block, overflow::drop_oldest}) {
        auto in = std::make_optional(me.receiver<tick>("in", lanes_of(8)).value());
        auto out = me.sender<tick>("in", sending(policy)).value();
        EXPECT_EQ(out.send_batch(ticks(0, 3)).value(), 3u);
        in.reset();
        EXPECT_EQ(out.send_batch(ticks(3, 3)).error(), send_errc::no_receiver);
        EXPECT_EQ(out.lost(), 3u);
    }
}

} // namespace
} // namespace partywall::test
