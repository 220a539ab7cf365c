// SPDX-License-Identifier: BSL-1.0
// How long it takes from a kill until those who wait go on: on notice, and where it takes proof,
// which comes the later the more memory the kernel has to tear down. Times are printed and
// recorded, and judged by nobody: a test fails only where somebody waits for ever.
#include <process/puppet.hpp>

#include <partywall/os/clock.hpp>
#include <partywall/os/futex.hpp>
#include <support/counts.hpp>
#include <support/watchdog.hpp>

#include <atomic>
#include <optional>

namespace partywall::test {
namespace {

subscriber_options parking(subscriber_options options) {
    options.waiting = waiting::park;
    return options;
}

/// How the victims are.
struct victims {
    std::string joined_by = "main";
    bool waitv = true;
    bool wakes = true;
    std::uint64_t memory_mib = 0;
    std::uint64_t quick = 30;
};

/// Kills publishers under a subscriber that sleeps in receive().
void time_notice(std::string const& what, victims const& how) {
    watchdog::extend(10min);
    os::for_test::disable_futex_waitv(!how.waitv);
    scratch_root root;
    participant me = joined(root.path());
    auto sub = me.subscriber<tick>("t", parking(lossy())).value();
    times until_told;
    for (std::uint64_t i = count(how.quick, 1000); i != 0; --i) {
        puppet dies(root.path(), how.joined_by);
        ASSERT_EQ(dies.hold_memory(how.memory_mib), "ok");
        ASSERT_EQ(dies.publish(1, "t", "drop", 4, 0, how.wakes), "ok");
        ASSERT_EQ(dies.send(1, i, 1), "1");
        ASSERT_EQ(sub.receive(1h)->number, i);
        std::uint64_t killed_ns = 0;
        std::atomic<std::uint64_t> told_ns{0};
        while_asleep(
            [&] {
                EXPECT_EQ(sub.receive(1h).error(), receive_errc::peer_died);
                told_ns = os::monotonic_ns();
            },
            [&] {
                killed_ns = os::monotonic_ns();
                dies.process.kill(SIGKILL);
            });
        until_told.add(told_ns - killed_ns);
        EXPECT_EQ(dies.process.wait(), killed_by(SIGKILL));
    }
    os::for_test::disable_futex_waitv(false);
    until_told.report(what);
    (void)me.recover();
    EXPECT_TRUE(topic_files(root).empty());
}

TEST(KilledPublisher, EndsABlockedReceive) { time_notice("kill to peer_died", {}); }
TEST(KilledPublisher, EndsABlockedReceiveWithoutFutexWaitv) {
    time_notice("kill to peer_died without futex_waitv", {.waitv = false});
}
TEST(KilledPublisher, EndsABlockedReceiveAlthoughTheThreadThatJoinedHadEnded) {
    time_notice("kill to peer_died, joining thread ended", {.joined_by = "thread"});
}
TEST(KilledPublisher, EndsABlockedReceiveAlthoughItNeverWakesAnybody) {
    time_notice("kill to peer_died, wake = never", {.wakes = false});
}
TEST(KilledPublisher, EndsABlockedReceiveHoweverMuchMemoryItHas) {
    time_notice("kill of 4 MiB to peer_died", {.memory_mib = 4});
    if (full_counts()) {
        time_notice("kill of 1 GiB to peer_died", {.memory_mib = 1024});
    }
}

/// Kills subscribers that a publisher blocks on.
void time_proof(std::string const& what, bool attached, victims const& how) {
    watchdog::extend(10min);
    os::for_test::disable_futex_waitv(!how.waitv);
    scratch_root root;
    participant me = joined(root.path());
    times until_sent;
    for (std::uint64_t i = count(how.quick, 1000); i != 0; --i) {
        std::optional<publisher<tick>> pub;
        publisher_options options = gated(4, overflow::block);
        options.block_for = 1h;
        options.waiting = waiting::park;
        if (attached) {
            pub.emplace(me.publisher<tick>("t", options).value());
        }
        puppet dies(root.path());
        ASSERT_EQ(dies.hold_memory(how.memory_mib), "ok");
        ASSERT_EQ(dies.subscribe(1, "t", "lossless"), "ok");
        if (!attached) {
            pub.emplace(me.publisher<tick>("t", options).value());
        }
        send_ticks(*pub, 0, 4);
        std::uint64_t killed_ns = 0;
        std::atomic<std::uint64_t> sent_ns{0};
        while_asleep(
            [&] {
                auto const r = pub->send(tick::of(4));
                sent_ns = os::monotonic_ns();
                EXPECT_TRUE(r) << to_string(r.error());
            },
            [&] {
                killed_ns = os::monotonic_ns();
                dies.process.kill(SIGKILL);
            });
        until_sent.add(sent_ns - killed_ns);
        EXPECT_EQ(dies.process.wait(), killed_by(SIGKILL));
        send_ticks(*pub, 5, 100);
        EXPECT_EQ(pub->subscriber_count(), 0u);
        EXPECT_EQ(tampered_topic(me, "t").used_slots(), 0u);
    }
    os::for_test::disable_futex_waitv(false);
    until_sent.report(what);
}

TEST(KilledSubscriber, LetsAPublisherThatItBlockedGoOn) {
    time_proof("kill of the laggard to sent", true, {});
}
TEST(KilledSubscriber, LetsAPublisherGoOnThatKeptAPlaceForIt) {
    time_proof("kill of the reserved laggard to sent", false, {});
}
TEST(KilledSubscriber, LetsAPublisherThatItBlockedGoOnWithoutFutexWaitv) {
    time_proof("kill of the laggard to sent without futex_waitv", true, {.waitv = false});
}
TEST(KilledSubscriber, LetsAPublisherThatItBlockedGoOnHoweverMuchMemoryItHas) {
    time_proof("kill of a laggard of 4 MiB to sent", true, {.memory_mib = 4});
    if (full_counts()) {
        time_proof("kill of a laggard of 1 GiB to sent", true, {.memory_mib = 1024});
    }
}

// Who waits for subscribers does not wait for the dead: the next one's coming ends the wait.
TEST(KilledSubscriber, IsNotCountedByAPublisherThatWaitsForSubscribers) {
    watchdog::extend(10min);
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t", gated(4)).value();
    times until_uncounted;
    for (std::uint64_t i = count(20, 1000); i != 0; --i) {
        puppet dies(root.path());
        puppet comes(root.path());
        ASSERT_EQ(dies.subscribe(1, "t", "lossless"), "ok");
        ASSERT_TRUE(pub.wait_for_subscribers(1, 1h));
        std::uint64_t const killed_ns = os::monotonic_ns();
        dies.process.kill(SIGKILL);
        eventually([&] { return pub.subscriber_count() == 0; });
        until_uncounted.add(os::monotonic_ns() - killed_ns);
        while_asleep([&] { EXPECT_TRUE(pub.wait_for_subscribers(1, 1h)); },
                     [&] { EXPECT_EQ(comes.subscribe(1, "t", "lossless"), "ok"); });
        comes.leave();
        EXPECT_EQ(dies.process.wait(), killed_by(SIGKILL));
    }
    until_uncounted.report("kill to no longer counted");
}

} // namespace
} // namespace partywall::test
