// SPDX-License-Identifier: BSL-1.0
// Event loops in processes of their own: woken by writers of other processes, by deaths, and killed
// while they wait.
#include "support.hpp"

#include <partywall/endpoint/wait_set.hpp>
#include <process/puppet.hpp>
#include <support/counts.hpp>
#include <support/sandbox.hpp>

#include <csignal>
#include <cstddef>
#include <sys/syscall.h>

namespace partywall::test {
namespace {

/// Waits with epoll alone, and says in words whatever it receives, until "end" is sent as message
/// number 999'999 of the topic or of the inbox.
constexpr std::uint64_t last = 999'999;

PARTYWALL_ROLE(polls_a_handle) {
    participant me = joined(context.arg(0), "loop");
    std::string const kind = context.arg(1);
    os::for_test::endless_slices(context.number(2) != 0);
    event_loop loop;
    // Takes what is there, and returns whether that was the last message.
    auto const run = [&](auto& handle, auto const& take) {
        loop.add(handle.fd().value(), 1);
        context.send("polls " + std::to_string(me.ticket()));
        for (;;) {
            (void)loop.next();
            for (auto s = take(); s || s.error() != receive_errc::empty; s = take()) {
                context.send(in_words(s));
                if (s && s->number == last) {
                    return 0;
                }
            }
        }
    };
    if (kind == "subscriber") {
        auto sub = me.subscriber<tick>("t", lossless()).value();
        return run(sub, [&] { return sub.try_receive(); });
    }
    if (kind == "receiver") {
        auto in = me.receiver<tick>("t", lanes_of(64)).value();
        return run(in, [&] { return in.try_receive(); });
    }
    // A latest never says `empty` once it has a value: what it said last is no news.
    auto value = me.latest<tick>("t").value();
    std::uint64_t said = ~std::uint64_t{0};
    loop.add(value.fd().value(), 1);
    context.send("polls " + std::to_string(me.ticket()));
    while (said != last) {
        (void)loop.next();
        for (auto s = value.get(); s && s->number != said; s = value.get()) {
            said = s->number;
            context.send(in_words(s));
        }
    }
    return 0;
}

TEST(Polling, ASubscriberIsWokenForEveryMessageWithoutSlices) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", gated(8, overflow::block)).value();
    child loop = spawn("polls_a_handle", {root.path(), "subscriber", "1"});
    (void)loop.receive();
    std::uint64_t const rounds = count(2'000, 50'000);
    for (std::uint64_t i = 0; i < rounds; ++i) { // each finds it about to poll, or polling
        ASSERT_TRUE(pub.send(tick::of(i)));
        ASSERT_EQ(loop.receive(), "0:" + std::to_string(i));
    }
    ASSERT_TRUE(pub.send(tick::of(last)));
    (void)loop.receive();
    EXPECT_EQ(loop.wait(), exited(0));
}

TEST(Polling, AReceiverIsWokenByEachOfItsSendersWithoutSlices) {
    scratch_root root;
    participant me = joined(root.path());
    child loop = spawn("polls_a_handle", {root.path(), "receiver", "1"});
    (void)loop.receive();
    auto one = me.sender<tick>("t").value();
    auto two = me.sender<tick>("t").value();
    std::uint64_t const rounds = count(1'000, 50'000);
    for (std::uint64_t i = 0; i < rounds; ++i) {
        auto& from = i % 3 == 0 ? one : two;
        ASSERT_TRUE(from.send(tick::of(i, i % 3)));
        ASSERT_EQ(loop.receive(), std::to_string(i % 3) + ":" + std::to_string(i));
    }
    ASSERT_TRUE(one.send(tick::of(last)));
    (void)loop.receive();
    EXPECT_EQ(loop.wait(), exited(0));
}

TEST(Polling, ALatestIsWokenWithoutSlices) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", dropping(8)).value();
    child loop = spawn("polls_a_handle", {root.path(), "latest", "1"});
    (void)loop.receive();
    std::uint64_t const rounds = count(500, 10'000);
    for (std::uint64_t i = 0; i < rounds; ++i) {
        ASSERT_TRUE(pub.send(tick::of(i)));
        ASSERT_EQ(loop.receive(), "0:" + std::to_string(i));
    }
    ASSERT_TRUE(pub.send(tick::of(last)));
    (void)loop.receive();
    EXPECT_EQ(loop.wait(), exited(0));
}

TEST(Polling, ASubscriberHearsOfADeathAndOfTheSuccessor) {
    // Joined by a thread that has ended, nobody holds its life word: the slices must do.
    for (std::string const joined_by : {"main", "thread"}) {
        scratch_root root;
        child loop =
            spawn("polls_a_handle", {root.path(), "subscriber", joined_by == "main" ? "1" : "0"});
        (void)loop.receive();
        {
            puppet victim(root.path(), joined_by);
            ASSERT_EQ(victim.publish(1, "t", "block", 8), "ok");
            ASSERT_EQ(victim.send(1, 0, 2, 5), "2");
            EXPECT_EQ(loop.receive(), "5:0");
            EXPECT_EQ(loop.receive(), "5:1");
            victim.kill();
        }
        EXPECT_EQ(loop.receive(), "publisher died");
        participant me = joined(root.path());
        auto pub = me.publisher<tick>("t", gated(8, overflow::block)).value();
        ASSERT_TRUE(pub.send(tick::of(last)));
        EXPECT_EQ(loop.receive(), "0:" + std::to_string(last));
        EXPECT_EQ(loop.wait(), exited(0));
    }
}

TEST(Polling, AReceiverHearsOfDeathsWithoutSlices) {
    scratch_root root;
    child loop = spawn("polls_a_handle", {root.path(), "receiver", "1"});
    (void)loop.receive();
    participant me = joined(root.path());
    for (std::uint64_t i = 0; i < 3; ++i) {
        child victim = spawn("sends_and_stays", {root.path()});
        EXPECT_EQ(loop.receive(), "7:1");
        victim.kill(SIGKILL);
        EXPECT_EQ(victim.wait(), killed_by(SIGKILL));
        EXPECT_EQ(loop.receive(), "publisher died");
    }
    auto to = me.sender<tick>("t").value();
    ASSERT_TRUE(to.send(tick::of(last)));
    EXPECT_EQ(loop.receive(), "0:" + std::to_string(last));
    EXPECT_EQ(loop.wait(), exited(0));
}

/// root, name: a blocked call that hears of its sender's death although no slice ever ends.
PARTYWALL_ROLE(hears_a_death) {
    participant me = joined(context.arg(0), "hears");
    auto in = me.receiver<tick>(context.arg(1), lanes_of(8)).value();
    context.send("ready");
    PARTYWALL_ROLE_CHECK(in.receive(1h));
    PARTYWALL_ROLE_CHECK(in.receive(30ms).error() == receive_errc::timed_out); // nobody rang
    os::for_test::endless_slices(true);
    context.send("waits");
    context.send(in_words(in.receive(1h)));
    return 0;
}

PARTYWALL_ROLE(sends_to_three_and_stays) {
    participant me = joined(context.arg(0));
    std::vector<sender<tick>> out;
    for (int i = 0; i < 3; ++i) {
        out.push_back(me.sender<tick>("in" + std::to_string(i)).value());
        PARTYWALL_ROLE_CHECK(out.back().send(tick::of(1, 7)));
    }
    context.send("sent");
    context.hang();
}

/// Of those that sleep on one life word the kernel wakes one.
TEST(Blocked, ReceiversThatWereIdleAllHearOfADeathWithoutSlices) {
    if (!os::have_futex_waitv()) {
        return; // the slices do
    }
    for (std::uint64_t i = 0; i < count(5, 500); ++i) {
        scratch_root root;
        std::vector<child> receivers;
        for (int k = 0; k < 3; ++k) {
            receivers.push_back(spawn("hears_a_death", {root.path(), "in" + std::to_string(k)}));
            receivers.back().expect("ready");
        }
        child victim = spawn("sends_to_three_and_stays", {root.path()});
        victim.expect("sent");
        for (child& one : receivers) {
            one.expect("waits");
        }
        victim.kill(SIGKILL);
        EXPECT_EQ(victim.wait(), killed_by(SIGKILL));
        for (child& one : receivers) {
            one.expect("publisher died");
            EXPECT_EQ(one.wait(), exited(0));
        }
    }
}

/// The process descriptors of peers that have gone are gone as well, and more peers than can be told
/// of are found by the slices.
TEST(Polling, KeepsADescriptorForEachPeerThatLivesAndNotForMoreThanSomeOfThem) {
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("t", lanes_of(8, 64)).value();
    (void)in.fd().value();
    auto const take_all = [&] {
        int deaths = 0;
        for (auto s = in.try_receive(); s || s.error() != receive_errc::empty;
             s = in.try_receive()) {
            deaths += s ? 0 : 1;
        }
        return deaths;
    };
    (void)take_all();
    std::size_t const before = open_descriptors();
    for (std::size_t const count : {std::size_t{2}, processes_told_max + 2}) {
        std::vector<child> peers;
        for (std::size_t i = 0; i < count; ++i) {
            peers.push_back(spawn("sends_and_stays", {root.path()}));
            peers.back().expect("sent");
        }
        std::size_t const controls = 2 * count; // a socket and a pidfd or pipe of the harness
        (void)take_all();
        EXPECT_LE(open_descriptors(), before + controls + processes_told_max);
        if (count <= processes_told_max) {
            EXPECT_GE(open_descriptors(), before + 2 * count) << "a socket and a process each";
        }
        for (child& one : peers) {
            one.kill(SIGKILL);
            EXPECT_EQ(one.wait(), killed_by(SIGKILL));
        }
        peers.clear();
        std::size_t deaths = 0;
        while (deaths < count) {
            deaths += static_cast<std::size_t>(take_all());
        }
        (void)take_all();
        EXPECT_EQ(open_descriptors(), before);
    }
}

PARTYWALL_ROLE(sends_and_stays) {
    participant me = joined(context.arg(0));
    auto out = me.sender<tick>("t").value();
    PARTYWALL_ROLE_CHECK(out.send(tick::of(1, 7)));
    context.send("sent");
    context.hang();
}

PARTYWALL_ROLE(polls_a_watch) {
    participant me = joined(context.arg(0), "loop");
    os::for_test::endless_slices(true);
    registry_watch watch = me.watch();
    event_loop loop;
    loop.add(watch.fd().value(), 1);
    std::string said;
    for (;;) {
        (void)loop.next();
        while (auto const all = watch.next(0ns)) {
            std::string const now = std::to_string(all->participants.size());
            if (now != said) {
                context.send(now);
                said = now;
            }
        }
    }
}

TEST(Polling, AWatchHearsOfComingLeavingAndDeath) {
    scratch_root root;
    child loop = spawn("polls_a_watch", {root.path()});
    loop.expect("1");
    {
        puppet victim(root.path());
        loop.expect("2");
        victim.kill();
    }
    loop.expect("1");
    puppet other(root.path());
    loop.expect("2");
    other.leave();
    loop.expect("1");
}

TEST(Polling, AKilledLoopLeavesNothingAndHurtsNobody) {
    for (std::string const kind : {"subscriber", "latest"}) {
        scratch_root root;
        participant me = joined(root.path());
        auto pub = me.publisher<tick>("t", gated(64, overflow::block)).value();
        auto sub = me.subscriber<tick>("t", lossless()).value();
        child loop = spawn("polls_a_handle", {root.path(), kind, "1"});
        std::string const ticket = loop.receive().substr(6);
        ASSERT_TRUE(pub.send(tick::of(1)));
        loop.expect("0:1");
        EXPECT_EQ(wake_files(root).size(), 2U) << kind;
        loop.kill(SIGKILL);
        EXPECT_EQ(loop.wait(), killed_by(SIGKILL));
        std::size_t const descriptors = open_descriptors();
        for (std::uint64_t i = 2; i < 500; ++i) { // more than a lap
            ASSERT_TRUE(pub.send(tick::of(i)));
            while (sub.try_receive()) {
            }
        }
        EXPECT_EQ(open_descriptors(), descriptors);
        while (!me.core()->proven_dead(std::stoull(ticket))) {
            ::sched_yield();
        }
        (void)me.recover();
        EXPECT_EQ(wake_files(root).size(), 0U) << kind;
        EXPECT_TRUE(pub.send(tick::of(500)));
    }
}

PARTYWALL_ROLE(sends_without_system_calls) {
    participant me = joined(context.arg(0));
    auto pub = me.publisher<tick>("t", dropping(64)).value();
    context.send("there");
    context.expect("go");
    (void)pub.send(tick::of(0)); // wakes who waits
    context.send("warm");
    context.expect("go");
    forbid_system_calls();
    for (std::uint64_t i = 1; i < 10'000; ++i) {
        (void)pub.send(tick::of(i));
    }
    ::syscall(SYS_exit_group, 0);
    return 1;
}

exit_status send_to_descriptors(bool one_waits) {
    scratch_root root;
    participant me = joined(root.path());
    child writer = spawn("sends_without_system_calls", {root.path()});
    writer.expect("there");
    auto sub = me.subscriber<tick>("t").value();
    int const fd = sub.fd().value();
    EXPECT_EQ(sub.try_receive().error(), receive_errc::empty);
    writer.send("go");
    writer.expect("warm");
    EXPECT_TRUE(is_readable(fd, -1)); // told, and does not wait any more
    if (one_waits) {
        while (sub.try_receive()) {
        }
    }
    writer.send("go");
    return writer.wait();
}

TEST(Polling, CostsAWriterNothingWhileADescriptorIsLeftUndrained) {
    EXPECT_EQ(send_to_descriptors(false), exited(0));
}

TEST(Polling, CostsAWriterSystemCallsWhileSomebodyWaits) { // or the test above could not fail
    EXPECT_EQ(send_to_descriptors(true), killed_by(SIGSYS));
}

PARTYWALL_ROLE(waits_for_many) {
    participant me = joined(context.arg(0), "loop");
    os::for_test::endless_slices(true);
    std::vector<subscriber<tick>> subs;
    wait_set set = me.wait_set();
    for (std::uint64_t i = 0; i < context.number(1); ++i) {
        subs.push_back(me.subscriber<tick>("t" + std::to_string(i)).value());
    }
    for (std::uint64_t i = 0; i < subs.size(); ++i) {
        PARTYWALL_ROLE_CHECK(set.add(subs[i], i));
    }
    PARTYWALL_ROLE_CHECK(set.add_end_of(context.number(2), last));
    context.send("waits");
    for (;;) {
        auto const ready = set.wait(std::chrono::nanoseconds::max());
        PARTYWALL_ROLE_CHECK(ready);
        for (wait_event const& e : *ready) {
            if (e.kind == wait_event::what::ended) {
                context.send("ended");
                PARTYWALL_ROLE_CHECK(set.remove(e.id));
                break;
            }
            auto s = subs[e.key].try_receive();
            context.send(std::to_string(e.key) + " " + in_words(s));
            if (s && s->number == last) {
                return 0;
            }
        }
    }
}

TEST(Polling, ASetHearsOfMessagesAndOfDeaths) {
    for (std::uint64_t const count : {std::uint64_t{2}, std::uint64_t{60}}) { // by words, by epoll
        scratch_root root;
        participant me = joined(root.path());
        auto pub = me.publisher<tick>("t0", dropping(8)).value();
        puppet victim(root.path());
        ASSERT_EQ(victim.publish(1, "t1", "drop", 8), "ok");
        child loop = spawn("waits_for_many",
                           {root.path(), std::to_string(count), std::to_string(victim.ticket())});
        loop.expect("waits");
        for (std::uint64_t i = 0; i < 100; ++i) {
            ASSERT_TRUE(pub.send(tick::of(i)));
            loop.expect("0 0:" + std::to_string(i));
        }
        ASSERT_EQ(victim.send(1, 0, 1, 3), "1");
        loop.expect("1 3:0");
        victim.kill();
        std::vector<std::string> said{loop.receive(), loop.receive()};
        std::sort(said.begin(), said.end());
        EXPECT_EQ(said, (std::vector<std::string>{"1 publisher died", "ended"}));
        ASSERT_TRUE(pub.send(tick::of(last)));
        loop.expect("0 0:" + std::to_string(last));
        EXPECT_EQ(loop.wait(), exited(0));
    }
}

} // namespace
} // namespace partywall::test
