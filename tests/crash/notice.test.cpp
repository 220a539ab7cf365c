// SPDX-License-Identifier: BSL-1.0
// How long it takes from a kill until those who wait go on: on notice, and where it takes proof,
// which comes the later the more memory the kernel has to tear down. Times are printed and
// recorded, and judged by nobody: a test fails only where somebody waits for ever.
#include "world.hpp"

#include <partywall/os/clock.hpp>
#include <partywall/os/futex.hpp>
#include <support/counts.hpp>
#include <support/watchdog.hpp>

#include <atomic>
#include <optional>
#include <thread>
#include <tuple>
#include <vector>

namespace partywall::test {
namespace {

subscriber_options parking(subscriber_options options) {
    options.waiting = waiting::park;
    return options;
}

/// Nothing but work, on one processor.
PARTYWALL_ROLE(keeps_busy) {
    context.send("busy");
    for (std::atomic<std::uint64_t> work{0};;) {
        work += 1;
    }
}

/// As many of these as there are processors, if there shall be any.
std::vector<child> load(bool wanted) {
    std::vector<child> all;
    for (unsigned i = 0; wanted && i < std::max(2u, std::thread::hardware_concurrency()); ++i) {
        all.push_back(spawn("keeps_busy"));
        all.back().expect("busy");
    }
    return all;
}

/// How the victims are.
struct victims {
    std::string joined_by = "main";
    bool waitv = true;
    bool wakes = true;
    std::uint64_t memory_mib = 0;
    bool loaded = false; ///< every processor is busy
    std::uint64_t quick = 20;

    /// Tearing down, and filling before that, takes the longer the more there is.
    std::uint64_t rounds() const { return count(quick, memory_mib > 64 ? 20 : 1000); }
};

/// Victims with little memory and with much (4 MiB and 1 GiB; 64 MiB in quick runs), beside nothing
/// and beside as many busy processes as there are processors.
class KilledWithMemory : public testing::TestWithParam<std::tuple<bool, bool>> {
  protected:
    template <class Time>
    static void each(std::string const& what, Time const& time) {
        auto const [much, loaded] = GetParam();
        std::uint64_t const mib = much ? count(64, 1024) : 4;
        time(what + ", " + std::to_string(mib) + " MiB" + (loaded ? ", loaded" : ""),
             victims{.memory_mib = mib, .loaded = loaded, .quick = much ? 3U : 10U});
    }
};

/// Kills publishers under a subscriber that sleeps in receive().
void time_notice(std::string const& what, victims const& how) {
    watchdog::extend(10min);
    os::for_test::disable_futex_waitv(!how.waitv);
    scratch_root root;
    participant me = joined(root.path());
    auto sub = me.subscriber<tick>("t", parking(lossy())).value();
    times until_told;
    auto const busy = load(how.loaded);
    for (std::uint64_t i = how.rounds(); i != 0; --i) {
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
TEST_P(KilledWithMemory, PublishersEndABlockedReceive) { each("kill to peer_died", time_notice); }

/// Kills subscribers that a publisher blocks on.
void time_proof(std::string const& what, bool attached, victims const& how) {
    watchdog::extend(10min);
    os::for_test::disable_futex_waitv(!how.waitv);
    scratch_root root;
    participant me = joined(root.path());
    times until_sent;
    auto const busy = load(how.loaded);
    for (std::uint64_t i = how.rounds(); i != 0; --i) {
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
TEST_P(KilledWithMemory, SubscribersLetAPublisherThatTheyBlockedGoOn) {
    each("kill of the laggard to sent",
         [](std::string const& what, victims const& how) { time_proof(what, true, how); });
}

/// A process with an endpoint of the one-way style, which is killed while somebody sleeps in `call`.
template <class Call>
std::uint64_t killed_under(child& dies, Call const& call) {
    std::uint64_t killed_ns = 0;
    std::atomic<std::uint64_t> told_ns{0};
    while_asleep(
        [&] {
            call();
            told_ns = os::monotonic_ns();
        },
        [&] {
            killed_ns = os::monotonic_ns();
            dies.kill(SIGKILL);
        });
    EXPECT_EQ(dies.wait(), killed_by(SIGKILL));
    return told_ns - killed_ns;
}

/// Kills senders under a receiver that sleeps: it looks at its senders' lives once per slice.
void time_sender(std::string const& what, victims const& how) {
    watchdog::extend(10min);
    scratch_root root;
    participant me = joined(root.path());
    receiver_options options = receives({});
    options.waiting = waiting::park;
    auto in = me.receiver<parcel>(inbox_name(1), options).value();
    times until_told;
    auto const busy = load(how.loaded);
    for (std::uint64_t i = how.rounds(); i != 0; --i) {
        child dies =
            spawn("crash_sending_corpse", {root.path(), "1", std::to_string(how.memory_mib)});
        (void)dies.receive();
        for (std::uint64_t n = 0; n < noted::letters_of_corpse; ++n) {
            ASSERT_EQ(in.receive(1h)->number, n);
        }
        until_told.add(killed_under(
            dies, [&] { EXPECT_EQ(in.receive(1h).error(), receive_errc::peer_died); }));
    }
    until_told.report(what);
}

/// It has the third inbox, with room for eight senders, by the time that this returns.
child receiving_victim(scratch_root const& root, victims const& how) {
    child dies = spawn("crash_receiving_corpse", {root.path(), std::to_string(third_inbox), "8",
                                                  std::to_string(how.memory_mib)});
    (void)dies.receive();
    return dies;
}

/// Kills receivers under a sender that waits for room.
void time_receiver(std::string const& what, victims const& how) {
    watchdog::extend(10min);
    scratch_root root;
    participant me = joined(root.path());
    sender_options options = posts({});
    options.block_for = 1h;
    options.waiting = waiting::park;
    auto out = me.sender<parcel>(inbox_name(third_inbox), options).value();
    times until_told;
    auto const busy = load(how.loaded);
    for (std::uint64_t i = how.rounds(); i != 0; --i) {
        child dies = receiving_victim(root, how);
        ASSERT_TRUE(out.wait_for_receiver(1h));
        for (std::uint64_t n = 0; n < world{}.depth; ++n) {
            ASSERT_TRUE(out.send(parcel::of(n, 1)));
        }
        until_told.add(killed_under(
            dies, [&] { EXPECT_EQ(out.send(parcel::of(9, 1)).error(), send_errc::peer_died); }));
        EXPECT_EQ(out.send(parcel::of(9, 1)).error(), send_errc::no_receiver);
    }
    until_told.report(what);
    (void)me.recover();
    EXPECT_EQ(me.snapshot().participants.size(), 1u);
}

/// Kills receivers whose name somebody wants: it is free when the death is proven.
void time_name(std::string const& what, victims const& how) {
    watchdog::extend(10min);
    scratch_root root;
    participant me = joined(root.path());
    times until_ours;
    auto const busy = load(how.loaded);
    for (std::uint64_t i = how.rounds(); i != 0; --i) {
        child dies = receiving_victim(root, how);
        ASSERT_EQ(me.receiver<parcel>(inbox_name(third_inbox)).error().code,
                  endpoint_errc::name_taken);
        std::uint64_t const killed_ns = os::monotonic_ns();
        dies.kill(SIGKILL);
        // It may not be marked as dying yet: then the name is still taken.
        eventually([&] { return me.receiver<parcel>(inbox_name(third_inbox)).has_value(); });
        until_ours.add(os::monotonic_ns() - killed_ns);
        EXPECT_EQ(dies.wait(), killed_by(SIGKILL));
    }
    until_ours.report(what);
    (void)me.recover();
    EXPECT_EQ(me.snapshot().participants.size(), 1u);
}

/// root, whether it takes requests, MiB of memory: a server that answers nobody.
PARTYWALL_ROLE(crash_mute_server) {
    std::vector<char> const memory(context.number(2) << 20, 'x');
    participant me = joined(context.arg(0), "mute");
    auto s =
        me.server<parcel, parcel>("svc", [&](parcel const&) -> parcel { context.hang(); }).value();
    context.send("there");
    if (context.number(1) != 0) {
        (void)s.run();
    }
    context.hang();
}

/// Kills servers under a client that sleeps in call(): every other one would never take the request.
void time_call(std::string const& what, victims const& how) {
    watchdog::extend(10min);
    os::for_test::disable_futex_waitv(!how.waitv);
    scratch_root root;
    participant me = joined(root.path());
    client_options options;
    options.deadline = 1h;
    options.waiting = waiting::park;
    options.with_breaker = false;
    auto c = me.client<parcel, parcel>("svc", options).value();
    times until_told;
    auto const busy = load(how.loaded);
    for (std::uint64_t i = how.rounds(); i != 0; --i) {
        bool const takes = i % 2 == 0;
        child dies = spawn("crash_mute_server",
                           {root.path(), takes ? "1" : "0", std::to_string(how.memory_mib)});
        dies.expect("there");
        ASSERT_TRUE(c.wait_for_server(1h));
        until_told.add(killed_under(dies, [&] {
            auto const r = c.call(parcel::of(i, 1));
            EXPECT_EQ(r.error(), call_errc::peer_died);
            EXPECT_TRUE(takes || r.error().executed == executed::no);
        }));
    }
    os::for_test::disable_futex_waitv(false);
    until_told.report(what);
    EXPECT_EQ(c.open_calls(), 0u);
    c.close();
    (void)me.recover();
    EXPECT_EQ(me.snapshot().participants.size(), 1u);
}

TEST(KilledServer, EndsABlockedCall) { time_call("kill of a server to the call's end", {}); }
TEST(KilledServer, EndsABlockedCallWithoutFutexWaitv) {
    time_call("kill of a server to the call's end without futex_waitv", {.waitv = false});
}
TEST_P(KilledWithMemory, ServersEndABlockedCallOfTheirClient) {
    each("kill of a server to the call's end", time_call);
}

TEST_P(KilledWithMemory, SendersEndABlockedReceiveOfTheirReceiver) {
    each("kill of a sender to peer_died", time_sender);
}
TEST_P(KilledWithMemory, ReceiversEndABlockedSendOfTheirSenders) {
    each("kill of a receiver to peer_died", time_receiver);
}
TEST_P(KilledWithMemory, ReceiversLeaveTheirNameToTheNext) {
    each("kill of a receiver to its name in other hands", time_name);
}

INSTANTIATE_TEST_SUITE_P(Of, KilledWithMemory, testing::Combine(testing::Bool(), testing::Bool()),
                         [](auto const& one) {
                             return std::string(std::get<0>(one.param) ? "Much" : "Little") +
                                    (std::get<1>(one.param) ? "Loaded" : "");
                         });

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
