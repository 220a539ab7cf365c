// SPDX-License-Identifier: BSL-1.0
// Publishers and subscribers that are killed or stopped, and those who wait for them.
#include "puppet.hpp"

#include <support/sandbox.hpp>

#include <atomic>
#include <fstream>
#include <optional>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

namespace partywall::test {
namespace {

/// Whether the process's main thread sleeps in one of the system calls that wait on futexes.
bool waits_on_a_futex(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/syscall");
    long number = -1;
    file >> number;
    constexpr long sys_futex_waitv = 449;
    return number == SYS_futex || number == sys_futex_waitv;
}

subscriber_options parking(subscriber_options options) {
    options.waiting = waiting::park;
    return options;
}

TEST(KilledPublisher, IsReadToItsLastMessageThenReportedOnceThenASuccessorIsRead) {
    scratch_root root;
    participant me = joined(root.path());
    for (auto const& options : {lossless(), lossy(), looking()}) {
        puppet dies(root.path());
        ASSERT_EQ(dies.publish(1, "t", "reject", 8), "ok");
        auto sub = me.subscriber<tick>("t", options).value();
        ASSERT_EQ(dies.send(1, 0, 8), "8");
        EXPECT_EQ(sub.try_receive()->number, 0u);
        dies.kill();
        for (std::uint64_t i = 1; i < 8; ++i) {
            EXPECT_EQ(in_words(sub.receive(1h)), "0:" + std::to_string(i));
        }
        auto const end = sub.receive(1h);
        EXPECT_EQ(end.error(), receive_errc::peer_died);
        EXPECT_EQ(sub.receive(5ms).error(), receive_errc::timed_out) << "once";
        puppet successor(root.path());
        ASSERT_EQ(successor.publish(1, "t", "reject", 8), "ok");
        ASSERT_EQ(successor.send(1, 100, 3, 7), "3");
        for (std::uint64_t i = 100; i < 103; ++i) {
            EXPECT_EQ(in_words(sub.receive(1h)), "7:" + std::to_string(i));
        }
        successor.leave();
        EXPECT_EQ(sub.receive(5ms).error(), receive_errc::timed_out) << "a good end is no death";
    }
}

TEST(KilledPublisher, ThatNobodyHadLookedAtYetIsReadByTheSubscriptionThatWasThereFirst) {
    scratch_root root;
    participant me = joined(root.path());
    auto sub = me.subscriber<tick>("t", lossless()).value();
    for (std::uint64_t sent : {5u, 0u, 8u}) {
        puppet dies(root.path());
        ASSERT_EQ(dies.publish(1, "t", "reject", 8), "ok");
        ASSERT_EQ(dies.send(1, 0, sent), std::to_string(sent));
        dies.kill();
        { participant recovers = joined(root.path(), "recovers"); }
        for (std::uint64_t i = 0; i < sent; ++i) {
            ASSERT_EQ(in_words(sub.receive(1h)), "0:" + std::to_string(i));
        }
        EXPECT_EQ(sub.receive(1h).error(), receive_errc::peer_died);
        EXPECT_EQ(sub.receive(1ms).error(), receive_errc::timed_out);
        eventually([&] { // its death has to be proven before its files may go
            (void)sub.receive(1ms);
            return topic_files(root).empty();
        });
        EXPECT_EQ(me.snapshot().entries.size(), 1u);
    }
    EXPECT_EQ(sub.publishers_seen(), 3u);
}

// Closed, and kept for a subscription that then came: only its own process would have removed it.
TEST(KilledPublisher, ThatHadClosedIsRemovedWithTheSubscriptionThatItStayedFor) {
    scratch_root root;
    participant me = joined(root.path());
    auto sub = std::make_optional(me.subscriber<tick>("t", lossless()).value());
    puppet dies(root.path());
    ASSERT_EQ(dies.publish(1, "t", "reject", 8), "ok");
    ASSERT_EQ(dies.send(1, 0, 5), "5");
    ASSERT_EQ(dies.close(1), "ok");
    for (std::uint64_t i = 0; i < 5; ++i) {
        ASSERT_EQ(in_words(sub->receive(1h)), "0:" + std::to_string(i));
    }
    EXPECT_EQ(sub->try_receive().error(), receive_errc::empty);
    dies.kill();
    eventually([&] { return me.core()->proven_dead(dies.ticket()); });
    EXPECT_EQ(topic_files(root).size(), 2u);
    sub.reset();
    EXPECT_EQ(topic_files(root), std::vector<std::string>{});
}

TEST(KilledPublisher, LeavesItsLastValue) {
    scratch_root root;
    participant me = joined(root.path());
    auto value = me.latest<tick>("t").value();
    puppet dies(root.path());
    ASSERT_EQ(dies.publish(1, "t", "drop", 4), "ok");
    ASSERT_EQ(dies.send(1, 0, 11), "11");
    EXPECT_EQ(value.get()->number, 10u);
    ASSERT_EQ(dies.send(1, 11, 3), "3");
    dies.kill();
    EXPECT_EQ(value.wait(1h)->number, 13u);
    EXPECT_EQ(value.wait(1h).error(), receive_errc::peer_died);
    EXPECT_EQ(value.wait(1ms).error(), receive_errc::timed_out);
    EXPECT_EQ(value.get()->number, 13u);
}

// The kernel wakes one of those who sleep on a dead process's word; that one wakes the others.
TEST(KilledPublisher, EndsAllBlockedReceives) {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    puppet dies(root.path());
    ASSERT_EQ(dies.publish(1, "t", "drop", 4), "ok");
    std::vector<subscriber<tick>> subs;
    for (int i = 0; i < 6; ++i) {
        subs.push_back((i % 2 == 0 ? me : other).subscriber<tick>("t", parking(lossy())).value());
    }
    std::vector<std::atomic<int>> tids(subs.size());
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < subs.size(); ++i) {
        threads.emplace_back([&, i] {
            tids[i] = ::gettid();
            EXPECT_EQ(subs[i].receive(1h).error(), receive_errc::peer_died);
        });
    }
    for (auto& tid : tids) {
        eventually([&] { return tid != 0 && is_asleep(tid); });
    }
    dies.kill();
    for (auto& thread : threads) {
        thread.join();
    }
}

TEST(Publisher, ThatClosedAndLeftWhileTheSubscriberCouldNotLookDidNotDie) {
    scratch_root root;
    participant me = joined(root.path());
    for (char const* const kind : {"lossless", "lossy", "looking"}) {
        puppet reads(root.path());
        puppet sends(root.path());
        ASSERT_EQ(sends.publish(1, "t", "reject", 4), "ok");
        ASSERT_EQ(reads.subscribe(1, "t", kind), "ok");
        ASSERT_EQ(sends.send(1, 0, 2), "2");
        ASSERT_EQ(reads.receive(1, 3'600'000), "0:0");
        ASSERT_EQ(reads.receive(1, 3'600'000), "0:1");
        reads.process.send("receive 1 3600000");
        eventually([&] { return waits_on_a_futex(reads.pid()); });
        reads.process.stop();
        sends.leave();
        { participant recovers = joined(root.path(), "recovers"); }
        reads.process.resume();
        EXPECT_EQ(reads.process.receive(), "publisher closed");
        reads.leave();
    }
}

TEST(StoppedPublisher, IsNotTakenForDead) {
    scratch_root root;
    participant me = joined(root.path());
    puppet stops(root.path());
    ASSERT_EQ(stops.publish(1, "t", "reject", 4), "ok");
    auto sub = me.subscriber<tick>("t", parking(lossless())).value();
    ASSERT_EQ(stops.send(1, 0, 1), "1");
    stops.process.stop();
    EXPECT_EQ(sub.receive(1h)->number, 0u);
    EXPECT_EQ(sub.receive(50ms).error(), receive_errc::timed_out);
    EXPECT_TRUE(me.recover().nothing());
    EXPECT_EQ(me.publishers("t").size(), 1u);
    stops.process.resume();
    ASSERT_EQ(stops.send(1, 1, 3), "3");
    EXPECT_EQ(sub.receive(1h)->number, 1u);
    stops.leave();
}

TEST(StoppedSubscriber, IsNotTakenForDeadAndGetsEverythingWhenItGoesOn) {
    scratch_root root;
    participant me = joined(root.path());
    for (overflow const policy : {overflow::block, overflow::reject}) {
        publisher_options options = gated(8, policy);
        options.block_for = 30ms; // long enough for a dozen questions whether it lives
        options.waiting = waiting::park;
        auto pub = me.publisher<tick>("t", options).value();
        puppet stops(root.path());
        ASSERT_EQ(stops.subscribe(1, "t", "lossless"), "ok");
        auto other = me.subscriber<tick>("t", lossy()).value();
        send_ticks(pub, 0, 1);
        ASSERT_EQ(stops.receive(1, 3'600'000), "0:0");
        stops.process.stop();
        std::uint64_t sent = 1;
        while (pub.send(tick::of(sent))) {
            sent += 1;
        }
        EXPECT_GE(sent, 8u); // what it took is given back a quarter of a ring later
        for (int i = 0; i < 3; ++i) {
            auto const r = pub.send(tick::of(99));
            ASSERT_FALSE(r);
            EXPECT_EQ(r.error(),
                      policy == overflow::block ? send_errc::timed_out : send_errc::full);
        }
        EXPECT_TRUE(me.recover().nothing());
        EXPECT_EQ(pub.subscriber_count(), 2u);
        EXPECT_EQ(take_all(other), numbers(0, sent)) << "the others have it all";
        stops.process.resume();
        for (std::uint64_t i = 1; i < sent; ++i) {
            EXPECT_EQ(stops.receive(1, 3'600'000), "0:" + std::to_string(i));
        }
        EXPECT_EQ(stops.receive(1, 0), "timed out");
        send_ticks(pub, sent, 8);
        stops.leave();
    }
}

TEST(KilledSubscribers, OfWhichSeveralBlockAPublisherAllLetItGoOn) {
    scratch_root root;
    participant me = joined(root.path());
    publisher_options options = gated(4, overflow::block);
    options.block_for = 1h;
    std::vector<puppet> die;
    for (int i = 0; i < 3; ++i) {
        die.emplace_back(root.path());
        ASSERT_EQ(die.back().subscribe(1, "t", "lossless"), "ok");
    }
    auto pub = me.publisher<tick>("t", options).value();
    for (int i = 0; i < 3; ++i) {
        die.emplace_back(root.path());
        ASSERT_EQ(die.back().subscribe(1, "t", "lossless"), "ok");
    }
    auto lives = me.subscriber<tick>("t", lossless()).value();
    EXPECT_EQ(pub.subscriber_count(), 7u);
    send_ticks(pub, 0, 4);
    EXPECT_EQ(take_all(lives), numbers(0, 4));
    while_asleep([&] { send_ticks(pub, 4, 4); },
                 [&] {
                     for (puppet& one : die) {
                         one.kill();
                     }
                 });
    EXPECT_EQ(take_all(lives), numbers(4, 4));
    EXPECT_EQ(pub.subscriber_count(), 1u);
    EXPECT_EQ(tampered_topic(me, "t").used_slots(), 1u);
}

TEST(KilledSubscribers, DoNotCountAndTheirRoomComesBack) {
    scratch_root root;
    participant me = joined(root.path());
    publisher_options options = gated(4);
    options.subscribers_max = 2;
    std::vector<puppet> die;
    die.emplace_back(root.path());
    ASSERT_EQ(die[0].subscribe(1, "t", "lossless"), "ok");
    puppet sends(root.path()); // another process than the one that comes later
    auto pub = me.publisher<tick>("t", options).value(); // keeps a place for the first
    die.emplace_back(root.path());
    ASSERT_EQ(die[1].subscribe(1, "t", "lossy"), "ok");
    EXPECT_EQ(me.subscriber<tick>("t").error().code, endpoint_errc::too_many_subscribers);
    EXPECT_EQ(pub.subscriber_count(), 2u);
    EXPECT_TRUE(pub.wait_for_subscribers(2, 0ms));
    for (puppet& one : die) {
        one.kill();
    }
    eventually([&] { // until the kernel gives the proof
        return me.core()->proven_dead(die[0].ticket()) && me.core()->proven_dead(die[1].ticket());
    });
    EXPECT_EQ(pub.subscriber_count(), 0u) << "the dead are no subscribers, nor is their place";
    EXPECT_EQ(pub.wait_for_subscribers(1, 0ms).error(), send_errc::timed_out);
    EXPECT_EQ(sends.subscribe(1, "t", "lossless"), "ok");
    EXPECT_EQ(sends.subscribe(2, "t", "lossy"), "ok");
    EXPECT_EQ(pub.subscriber_count(), 2u);
}

// One recovery by anybody: also of what a living publisher keeps for a dead subscription.
TEST(KilledSubscribers, AreGoneFromEverySegmentAfterOneRecovery) {
    scratch_root root;
    participant me = joined(root.path());
    std::vector<puppet> die;
    for (int i = 0; i < 2; ++i) {
        die.emplace_back(root.path());
        ASSERT_EQ(die.back().subscribe(1, "t", "lossless"), "ok");
    }
    puppet publishes(root.path());
    ASSERT_EQ(publishes.publish(1, "t", "reject", 4), "ok");
    for (char const* const kind : {"lossless", "lossy", "looking"}) {
        die.emplace_back(root.path());
        ASSERT_EQ(die.back().subscribe(1, "t", kind), "ok");
    }
    tampered_topic topic(me, "t");
    EXPECT_EQ(topic.used_slots(), 4u);
    for (puppet& one : die) {
        one.kill();
    }
    eventually([&] {
        return std::all_of(die.begin(), die.end(),
                           [&](puppet const& one) { return me.core()->proven_dead(one.ticket()); });
    });
    (void)me.recover();
    EXPECT_EQ(topic.used_slots(), 0u);
    EXPECT_EQ(me.snapshot().entries.size(), 1u);
    EXPECT_EQ(me.snapshot().participants.size(), 2u);
    EXPECT_TRUE(me.recover().nothing());
    EXPECT_EQ(publishes.send(1, 0, 100), "100");
}

TEST(ThreadThatJoined, MayEndWithoutTakingItsProcessWithIt) {
    scratch_root root;
    participant me = joined(root.path());
    puppet threads(root.path(), "thread");
    ASSERT_EQ(threads.publish(1, "t", "block", 4), "ok");
    auto sub = me.subscriber<tick>("t", parking(lossless())).value();
    ASSERT_EQ(threads.subscribe(2, "back", "lossless"), "ok");
    auto pub = me.publisher<tick>("back", gated(4)).value();
    EXPECT_EQ(sub.receive(30ms).error(), receive_errc::timed_out);
    EXPECT_TRUE(me.recover().nothing());
    ASSERT_EQ(threads.send(1, 0, 3), "3");
    for (std::uint64_t i = 0; i < 3; ++i) {
        EXPECT_EQ(sub.receive(1h)->number, i);
    }
    send_ticks(pub, 0, 4);
    EXPECT_EQ(pub.send(tick::of(9)).error(), send_errc::full);
    threads.leave();
}

} // namespace
} // namespace partywall::test
