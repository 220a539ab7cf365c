// SPDX-License-Identifier: BSL-1.0
// Senders and receivers in processes of their own that are killed, and those who wait for them.
#include "support.hpp"

#include <support/counts.hpp>
#include <support/role.hpp>
#include <support/sandbox.hpp>
#include <support/watchdog.hpp>

#include <csignal>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>

namespace partywall::test {
namespace {

/// "send FIRST COUNT": answers how many were sent; "sleep": blocks in the next send.
PARTYWALL_ROLE(oneway_sender) {
    participant me = joined(context.arg(0), "sender");
    context.send(std::to_string(me.ticket()));
    auto out = me.sender<tick>(
        "in", sending(context.arg(1) == "drop" ? overflow::drop_oldest : overflow::block));
    PARTYWALL_ROLE_CHECK(out.has_value());
    PARTYWALL_ROLE_CHECK(out->wait_for_receiver(1h).has_value());
    context.send("attached");
    for (;;) {
        std::istringstream line(context.receive());
        std::string verb;
        std::uint64_t first = 0;
        std::uint64_t count = 0;
        line >> verb >> first >> count;
        if (verb != "send") {
            return 0;
        }
        std::string why = "ok";
        for (std::uint64_t i = first; i < first + count && why == "ok"; ++i) {
            if (auto const sent = out->send(tick::of(i, me.ticket())); !sent) {
                why = to_string(sent.error());
            }
        }
        context.send(why + " " + std::to_string(out->sent()) + " " + std::to_string(out->lost()));
    }
}

/// Root, and MiB of memory that it has. "take COUNT": answers with the numbers that came.
PARTYWALL_ROLE(oneway_receiver) {
    std::vector<char> const memory(context.args() > 1 ? context.number(1) << 20 : 0, 'x');
    participant me = joined(context.arg(0), "receiver");
    context.send(std::to_string(me.ticket()));
    auto in = me.receiver<tick>("in", lanes_of(8));
    context.send(in ? "receiving" : std::string(to_string(in.error().code)));
    for (;;) {
        std::istringstream line(context.receive());
        std::string verb;
        std::uint64_t count = 0;
        line >> verb >> count;
        if (verb != "take") {
            return 0;
        }
        std::string got;
        for (std::uint64_t i = 0; i < count; ++i) {
            auto const s = in->receive(1h);
            PARTYWALL_ROLE_CHECK(s && s->whole());
            got += std::to_string(s->number) + " ";
        }
        PARTYWALL_ROLE_CHECK(!in->try_receive()); // finds nothing, and so gives everything back
        context.send(got);
    }
}

struct actor {
    actor(std::string const& role, std::vector<std::string> args)
        : process(spawn(role, std::move(args))), ticket(std::stoull(process.receive())) {}
    std::string ask(std::string const& what) {
        process.send(what);
        return process.receive();
    }
    void kill() {
        process.kill(SIGKILL);
        EXPECT_EQ(process.wait(), killed_by(SIGKILL));
    }
    child process;
    std::uint64_t ticket;
};

TEST(KilledSender, IsReadToItsLastMessageReportedOnceAndItsLaneIsFreeAgain) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", lanes_of(8, 1)).value();
    for (std::string const policy : {"block", "drop"}) {
        for (std::uint64_t const count : {0u, 1u, 8u}) {
            actor dies("oneway_sender", {root.path(), policy});
            dies.process.expect("attached");
            if (count != 0) {
                EXPECT_EQ(dies.ask("send 0 " + std::to_string(count)),
                          "ok " + std::to_string(count) + " 0");
            }
            dies.kill();
            for (std::uint64_t i = 0; i < count; ++i) {
                auto const s = in.receive(1h);
                ASSERT_TRUE(s) << to_string(s.error());
                EXPECT_EQ(s->number, i);
                EXPECT_EQ(s.sender() >> 24, dies.ticket);
            }
            EXPECT_EQ(in.receive(1h).error(), receive_errc::peer_died);
            EXPECT_EQ(in.receive(1ms).error(), receive_errc::timed_out) << "once";
            eventually([&] { // the death has to be proven before the lane is another's
                (void)in.receive(1ms);
                return tampered_inbox(me, "in").used_lanes() == 0;
            });
        }
    }
    (void)me.recover();
    EXPECT_EQ(me.snapshot().participants.size(), 1u);
}

TEST(KilledSender, ThatPolledReceiversNeverSleepForIsNoticedToo) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", lanes_of(8, 1)).value();
    actor dies("oneway_sender", {root.path(), "block"});
    dies.process.expect("attached");
    EXPECT_EQ(dies.ask("send 0 3"), "ok 3 0");
    dies.kill();
    std::vector<std::uint64_t> all;
    eventually([&] {
        receive_errc event{};
        for (std::uint64_t const n : take_all(in, &event)) {
            all.push_back(n);
        }
        return event == receive_errc::peer_died;
    });
    EXPECT_EQ(all, numbers(0, 3));
    eventually([&] {
        (void)in.try_receive();
        return me.sender<tick>("in").has_value();
    });
}

TEST(KilledSender, InTheMiddleOfClaimingALaneLeavesItToBeFreed) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", lanes_of(8, 1)).value();
    std::uint64_t ticket = 0;
    {
        participant other = joined(root.path(), "other");
        ticket = other.ticket();
        tampered_inbox const inbox(me, "in");
        inbox.lane(0).owner = owner::make(ticket, slot_phase::filling, 9).word;
    }
    EXPECT_EQ(me.sender<tick>("in").error().code, endpoint_errc::no_lane);
    EXPECT_EQ(in.receive(50ms).error(), receive_errc::timed_out); // looks at every slice
    auto out = me.sender<tick>("in", sending(overflow::reject));
    ASSERT_TRUE(out);
    send_ticks(*out, 0, 3);
    EXPECT_EQ(take_all(in), numbers(0, 3)) << "both sides begin at the same position";
    EXPECT_EQ(in.missed(), 0u);
}

TEST(KilledReceiver, EndsASendThatWaitsAndItsSuccessorGetsWhatComesThen) {
    scratch_root root;
    participant me = joined(root.path());
    auto receiving =
        std::make_unique<actor>("oneway_receiver", std::vector<std::string>{root.path()});
    receiving->process.expect("receiving");
    auto out = me.sender<tick>("in", sending(overflow::block)).value();
    for (std::uint64_t round = 0; round < 5; ++round) {
        ASSERT_TRUE(out.wait_for_receiver(1h));
        send_ticks(out, 100 * round, 8);
        while_asleep([&] { EXPECT_EQ(out.send(tick::of(99)).error(), send_errc::peer_died); },
                     [&] { receiving->kill(); });
        EXPECT_EQ(out.lost(), 8 * (round + 1));
        EXPECT_EQ(out.send(tick::of(99)).error(), send_errc::no_receiver) << "said once";
        // At once: the kernel may still be at work on its predecessor.
        receiving =
            std::make_unique<actor>("oneway_receiver", std::vector<std::string>{root.path()});
        receiving->process.expect("receiving");
        ASSERT_TRUE(out.wait_for_receiver(1h));
        send_ticks(out, 100 * round + 50, 3);
        std::string const b = std::to_string(100 * round + 50);
        EXPECT_EQ(receiving->ask("take 3"), std::to_string(100 * round + 50) + " " +
                                                std::to_string(100 * round + 51) + " " +
                                                std::to_string(100 * round + 52) + " ");
    }
}

/// Of files below `path`, whether they have a name or not.
int mappings_below(std::string const& path) {
    std::ifstream maps("/proc/self/maps");
    int count = 0;
    for (std::string line; std::getline(maps, line);) {
        count += line.find(path + "/") != std::string::npos ? 1 : 0;
    }
    return count;
}

// The kernel takes the longer to confirm a death the more memory it has to take apart.
TEST(KilledReceiver, IsNotSentToAgainWhileItsDeathIsNotYetProven) {
    scratch_root root;
    participant me = joined(root.path());
    actor receiving("oneway_receiver", {root.path(), "256"});
    receiving.process.expect("receiving");
    auto out = me.sender<tick>("in", sending(overflow::block)).value();
    send_ticks(out, 0, 8);
    while_asleep([&] { EXPECT_EQ(out.send(tick::of(8)).error(), send_errc::peer_died); },
                 [&] { receiving.process.kill(SIGKILL); });
    EXPECT_EQ(out.send(tick::of(8)).error(), send_errc::no_receiver);
    EXPECT_EQ(receiving.process.wait(), killed_by(SIGKILL));
    EXPECT_EQ(out.send(tick::of(8)).error(), send_errc::no_receiver);
}

// A receiver says so in its segment, and only then removes its entry: it may be stopped in between.
TEST(StoppedReceiver, ThatHasClosedIsNotSentTo) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", lanes_of(8)).value();
    tampered_inbox const inbox(me, "in");
    inbox.segment().control.closed = 1;
    auto out = me.sender<tick>("in", sending(overflow::reject)).value();
    for (std::uint64_t i = 0; i < 10; ++i) {
        EXPECT_EQ(out.send(tick::of(i)).error(), send_errc::no_receiver);
        me.core()->bump_epoch();
    }
    EXPECT_EQ(out.sent(), 0u);
    EXPECT_EQ(out.lost(), 0u);
    EXPECT_EQ(inbox.used_lanes(), 0u) << "nobody would free them";
}

TEST(KilledReceiver, TakesItsMemoryWithItAndALoanOfItStaysHarmless) {
    scratch_root root;
    participant me = joined(root.path());
    int const before = mappings_below(root.path());
    actor receiving("oneway_receiver", {root.path()});
    receiving.process.expect("receiving");
    auto out = me.sender<tick>("in", sending(overflow::block)).value();
    auto memory = out.loan().value();
    receiving.kill();
    EXPECT_EQ(out.send(tick::of(1)).error(), send_errc::peer_died);
    *memory = tick::of(2);
    EXPECT_EQ(memory.send().error(), send_errc::closed);
    EXPECT_FALSE(out.send(tick::of(1)));
    eventually([&] {
        (void)me.recover();
        return mappings_below(root.path()) == before;
    });
}

// What the next receivers map may lie where the first one's memory was.
TEST(KilledReceivers, OneAfterTheOtherLeaveALoanOfTheFirstHarmlessToTheThird) {
    scratch_root root;
    participant me = joined(root.path());
    int const before = mappings_below(root.path());
    for (overflow const policy : {overflow::block, overflow::drop_oldest}) {
        std::optional<actor> receiving(std::in_place, "oneway_receiver",
                                       std::vector<std::string>{root.path()});
        receiving->process.expect("receiving");
        auto out = me.sender<tick>("in", sending(policy)).value();
        auto memory = out.loan().value();
        for (int ends = 0; ends < 3; ++ends) {
            receiving->kill();
            receiving.emplace("oneway_receiver", std::vector<std::string>{root.path()});
            receiving->process.expect("receiving");
            ASSERT_TRUE(out.wait_for_receiver(1h)); // a call that does not send
            *memory = tick::of(99);
        }
        send_ticks(out, 0, 8);
        *memory = tick::of(99);
        EXPECT_EQ(memory.send().error(), send_errc::closed) << "of a receiver that has ended";
        EXPECT_EQ(receiving->ask("take 8"), "0 1 2 3 4 5 6 7 ");
        auto again = out.loan().value(); // from here on the other one is of no use
        receiving->kill();
        EXPECT_EQ(out.send(tick::of(8)).error(), send_errc::peer_died);
        *again = tick::of(99);
        EXPECT_EQ(again.send().error(), send_errc::closed);
    }
    eventually([&] {
        (void)me.recover();
        return mappings_below(root.path()) == before;
    });
}

TEST(KilledReceiver, IsNoticedByASendThatNeedNotWait) {
    scratch_root root;
    participant me = joined(root.path());
    actor receiving("oneway_receiver", {root.path()});
    receiving.process.expect("receiving");
    auto out = me.sender<tick>("in", sending(overflow::drop_oldest)).value();
    send_ticks(out, 0, 3);
    receiving.kill();
    EXPECT_EQ(out.send(tick::of(3)).error(), send_errc::peer_died);
    EXPECT_EQ(out.send(tick::of(3)).error(), send_errc::no_receiver);
    EXPECT_EQ(out.lost(), 3u);
}

TEST(StoppedReceiver, IsWaitedForUntilTheDeadlineAndNotTakenForDead) {
    scratch_root root;
    participant me = joined(root.path());
    actor receiving("oneway_receiver", {root.path()});
    receiving.process.expect("receiving");
    auto out = me.sender<tick>("in", sending(overflow::block, 20ms)).value();
    receiving.process.stop();
    send_ticks(out, 0, 8);
    EXPECT_EQ(out.send(tick::of(8)).error(), send_errc::timed_out);
    EXPECT_EQ(me.receiver<tick>("in").error().code, endpoint_errc::name_taken);
    receiving.process.resume();
    EXPECT_EQ(receiving.ask("take 8"), "0 1 2 3 4 5 6 7 ");
    send_ticks(out, 8, 1);
}

TEST(SenderStorm, LosesNothingThatWasSentAndLeavesNothing) {
    watchdog::extend(std::chrono::minutes(10));
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("in", lanes_of(8, 4)).value();
    std::map<std::uint64_t, std::uint64_t> next;     // by ticket
    std::map<std::uint64_t, std::uint64_t> promised; // by ticket
    auto const drain = [&] {
        for (auto& s : in) {
            EXPECT_TRUE(s->whole());
            EXPECT_EQ(s->number, next[s->sender]++);
        }
    };
    for (std::uint64_t i = 0; i < count(40, 2000); ++i) {
        eventually([&] {
            drain();
            if (auto const s = in.receive(1ms)) {
                EXPECT_EQ(s->number, next[s->sender]++);
            }
            return tampered_inbox(me, "in").used_lanes() < 4;
        });
        actor dies("oneway_sender", {root.path(), "block"});
        dies.process.expect("attached");
        std::uint64_t const sent = i % 9;
        if (sent != 0) {
            EXPECT_EQ(dies.ask("send 0 " + std::to_string(sent)),
                      "ok " + std::to_string(sent) + " 0");
        }
        promised[dies.ticket] = sent;
        dies.kill();
        drain();
    }
    eventually([&] {
        drain();
        (void)in.receive(0ms);
        return tampered_inbox(me, "in").used_lanes() == 0;
    });
    for (auto const& [ticket, sent] : promised) {
        EXPECT_EQ(next[ticket], sent);
    }
    (void)me.recover();
    EXPECT_EQ(me.snapshot().participants.size(), 1u);
    EXPECT_EQ(root.leftovers().size(), 4u) << "directory, registry, life, lanes";
}

} // namespace
} // namespace partywall::test
