// SPDX-License-Identifier: BSL-1.0
// Blocking calls: every strategy, with and without what the kernel may not have, and interrupt().
#include "support.hpp"

#include <partywall/os/futex.hpp>
#include <partywall/os/membarrier.hpp>
#include <support/counts.hpp>
#include <support/sandbox.hpp>

#include <atomic>
#include <csignal>
#include <optional>
#include <pthread.h>
#include <thread>
#include <unistd.h>

namespace partywall::test {
namespace {

struct kernel {
    bool waitv;
    bool membarrier;
};
struct strategy {
    kernel has;
    waiting wait;
    wake wakes;
    fencing fence;
};

/// The kernel lacks something for as long as this object lives.
class lacking {
  public:
    explicit lacking(kernel has) {
        os::for_test::disable_futex_waitv(!has.waitv);
        os::for_test::disable_membarrier(!has.membarrier);
    }
    ~lacking() {
        os::for_test::disable_futex_waitv(false);
        os::for_test::disable_membarrier(false);
    }
};

class WaitThreads : public testing::TestWithParam<strategy> {};

/// One message at a time to and fro: every send finds the other side waiting, or about to.
TEST_P(WaitThreads, EveryMessageWakesTheOtherSide) {
    strategy const how = GetParam();
    lacking const without(how.has);
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    publisher_options options = gated(4, overflow::block);
    options.block_for = 1h;
    options.wake = how.wakes;
    options.fence = how.fence;
    options.waiting = how.wait;
    subscriber_options reading = lossless();
    reading.waiting = how.wait;
    bool const slow = how.wakes == wake::never || how.wait == waiting::spin;
    std::uint64_t const rounds = slow ? 200 : count(2000, 200'000);
    auto ping = me.publisher<tick>("ping", options).value();
    auto pong_sub = me.subscriber<tick>("pong", reading).value();
    auto ping_sub = other.subscriber<tick>("ping", reading).value();
    auto pong = other.publisher<tick>("pong", options).value();
    std::thread echo([&] {
        for (std::uint64_t i = 0; i < rounds; ++i) {
            auto const s = ping_sub.receive(1h);
            ASSERT_TRUE(s) << to_string(s.error());
            ASSERT_EQ(s->number, i);
            ASSERT_TRUE(pong.send(tick::of(i)));
        }
    });
    for (std::uint64_t i = 0; i < rounds; ++i) {
        ASSERT_TRUE(ping.send(tick::of(i)));
        auto const s = pong_sub.receive(1h);
        ASSERT_TRUE(s) << to_string(s.error());
        ASSERT_EQ(s->number, i);
    }
    echo.join();
}

/// A ring that is always full or empty: the publisher waits for room, the subscriber for data.
TEST_P(WaitThreads, RoomWakesABlockedPublisher) {
    strategy const how = GetParam();
    lacking const without(how.has);
    scratch_root root;
    participant me = joined(root.path());
    publisher_options options = gated(4, overflow::block);
    options.block_for = 1h;
    options.wake = how.wakes;
    options.fence = how.fence;
    options.waiting = how.wait;
    subscriber_options reading = lossless();
    reading.waiting = how.wait;
    bool const slow = how.wakes == wake::never || how.wait == waiting::spin;
    std::uint64_t const messages = slow ? 300 : count(5000, 500'000);
    auto pub = me.publisher<tick>("t", options).value();
    std::vector<subscriber<tick>> subs;
    subs.push_back(me.subscriber<tick>("t", reading).value());
    subs.push_back(me.subscriber<tick>("t", reading).value());
    std::vector<std::thread> readers;
    for (auto& sub : subs) {
        readers.emplace_back([&sub, messages] {
            for (std::uint64_t i = 0; i < messages; ++i) {
                auto const s = sub.receive(1h);
                ASSERT_TRUE(s) << to_string(s.error());
                ASSERT_TRUE(s->whole());
                ASSERT_EQ(s->number, i);
            }
        });
    }
    send_ticks(pub, 0, messages);
    for (auto& reader : readers) {
        reader.join();
    }
}

TEST_P(WaitThreads, ANewPublisherAndItsEndWakeASubscriber) {
    strategy const how = GetParam();
    lacking const without(how.has);
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    subscriber_options reading = lossless(true);
    reading.waiting = how.wait;
    auto sub = me.subscriber<tick>("t", reading).value();
    std::thread comes_and_goes([&] {
        for (int i = 0; i < 5; ++i) {
            publisher_options options = gated(4, overflow::block);
            options.wake = how.wakes;
            options.fence = how.fence;
            auto pub = other.publisher<tick>("t", options).value();
            send_ticks(pub, 0, 1);
        }
    });
    // The end of one and the message of the next come in any order.
    int messages = 0;
    for (int ends = 0; ends < 5 || messages < 5;) {
        auto const s = sub.receive(1h);
        ASSERT_TRUE(s || s.error() == receive_errc::publisher_closed) << to_string(s.error());
        (s ? messages : ends) += 1;
    }
    EXPECT_EQ(messages, 5);
    comes_and_goes.join();
}

std::vector<strategy> all_strategies() {
    std::vector<strategy> all;
    for (kernel const has :
         {kernel{true, true}, kernel{false, true}, kernel{true, false}, kernel{false, false}}) {
        for (waiting const w : {waiting::spin_then_park, waiting::park}) {
            all.push_back({has, w, wake::sleepers, fencing::automatic});
        }
    }
    all.push_back({{true, true}, waiting::spin, wake::sleepers, fencing::automatic});
    all.push_back({{true, true}, waiting::park, wake::never, fencing::automatic});
    all.push_back({{false, false}, waiting::park, wake::never, fencing::automatic});
    all.push_back({{true, true}, waiting::spin, wake::never, fencing::automatic});
    all.push_back({{true, true}, waiting::park, wake::sleepers, fencing::publisher});
    all.push_back({{true, false}, waiting::park, wake::sleepers, fencing::publisher});
    return all;
}

INSTANTIATE_TEST_SUITE_P(EveryStrategy, WaitThreads, testing::ValuesIn(all_strategies()),
                         [](auto const& one) {
                             strategy const& s = one.param;
                             std::string name = s.wait == waiting::spin   ? "Spin"
                                                : s.wait == waiting::park ? "Park"
                                                                          : "SpinThenPark";
                             name += s.wakes == wake::never ? "NeverWaking" : "";
                             name += s.fence == fencing::publisher ? "PublisherFences" : "";
                             name += s.has.waitv ? "" : "WithoutWaitv";
                             name += s.has.membarrier ? "" : "WithoutMembarrier";
                             return name;
                         });

TEST(Receive, TimesOutNoSoonerThanItsDeadline) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t").value();
    for (waiting const how : {waiting::spin, waiting::park, waiting::spin_then_park}) {
        for (bool const somebody_is_there : {true, false}) {
            subscriber_options options;
            options.waiting = how;
            auto sub = me.subscriber<tick>(somebody_is_there ? "t" : "u", options).value();
            auto const start = std::chrono::steady_clock::now();
            EXPECT_EQ(sub.receive(15ms).error(), receive_errc::timed_out);
            EXPECT_GE(std::chrono::steady_clock::now() - start, 15ms);
            auto const deadline = std::chrono::steady_clock::now() + 5ms;
            EXPECT_EQ(sub.receive_until(deadline).error(), receive_errc::timed_out);
            EXPECT_GE(std::chrono::steady_clock::now(), deadline);
            EXPECT_EQ(sub.receive(0ms).error(), receive_errc::timed_out);
            EXPECT_EQ(sub.receive(-1h).error(), receive_errc::timed_out);
            EXPECT_EQ(sub.receive(std::chrono::nanoseconds::min()).error(),
                      receive_errc::timed_out);
            EXPECT_EQ(sub.receive_until(std::chrono::steady_clock::time_point::min()).error(),
                      receive_errc::timed_out);
        }
    }
}

TEST(Receive, GetsWhatIsThereWhateverTheDeadline) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t").value();
    auto sub = me.subscriber<tick>("t").value();
    send_ticks(pub, 0, 4);
    EXPECT_EQ(sub.receive(-1h)->number, 0u);
    EXPECT_EQ(sub.receive(std::chrono::nanoseconds::max())->number, 1u);
    EXPECT_EQ(sub.receive_until(std::chrono::steady_clock::time_point::min())->number, 2u);
    EXPECT_EQ(sub.receive_until(std::chrono::steady_clock::time_point::max())->number, 3u);
}

TEST(Interrupt, BeforeACallEndsTheNextOneThatWouldWaitAndNoOther) {
    scratch_root root;
    participant me = joined(root.path());
    for (waiting const how : {waiting::spin, waiting::park, waiting::spin_then_park}) {
        publisher_options po = gated(4, overflow::block);
        po.waiting = how;
        po.block_for = 1h;
        std::string const topic = std::to_string(static_cast<int>(how));
        auto pub = me.publisher<tick>(topic, po).value();
        subscriber_options so = lossless();
        so.waiting = how;
        auto sub = me.subscriber<tick>(topic, so).value();
        subscriber_options lo;
        lo.waiting = how;
        auto value = me.latest<tick>(topic, lo).value();
        sub.interrupt();
        sub.interrupt();
        pub.interrupt();
        value.interrupt();
        send_ticks(pub, 0, 4);
        EXPECT_EQ(take_all(sub), numbers(0, 4)) << "what does not wait is not interrupted";
        EXPECT_EQ(value.wait(1h)->number, 3u);
        EXPECT_EQ(sub.receive(1h).error(), receive_errc::interrupted);
        EXPECT_EQ(sub.receive(0ms).error(), receive_errc::timed_out)
            << "two before one call are one";
        EXPECT_EQ(value.wait(1h).error(), receive_errc::interrupted);
        send_ticks(pub, 4, 4);
        EXPECT_EQ(pub.send(tick::of(9)).error(), send_errc::interrupted);
        EXPECT_EQ(pub.send(tick::of(9), 0ms).error(), send_errc::timed_out);
        pub.interrupt();
        EXPECT_EQ(pub.wait_for_subscribers(99, 1h).error(), send_errc::interrupted);
        EXPECT_EQ(pub.position(), 8u);
        EXPECT_EQ(take_all(sub), numbers(4, 4));
    }
}

/// Runs `blocks` in a thread, `ends_it` once that thread sleeps (or, if it never does, soon).
template <class Blocks, class EndsIt>
void while_blocked(bool sleeps, Blocks blocks, EndsIt ends_it) {
    std::atomic<int> tid{0};
    std::thread blocked([&] {
        tid = ::gettid();
        blocks();
    });
    eventually([&] { return tid != 0; });
    if (sleeps) {
        eventually([&] { return is_asleep(tid); });
    }
    ends_it(blocked.native_handle());
    blocked.join();
}

TEST(InterruptThreads, EndsACallThatWaits) {
    for (bool const waitv : {true, false}) {
        lacking const without({waitv, true});
        for (waiting const how : {waiting::spin, waiting::park, waiting::spin_then_park}) {
            scratch_root root;
            participant me = joined(root.path());
            publisher_options po = gated(4, overflow::block);
            po.waiting = how;
            po.block_for = 1h;
            auto pub = me.publisher<tick>("t", po).value();
            subscriber_options so = lossless();
            so.waiting = how;
            auto sub = me.subscriber<tick>("t", so).value();
            so = lossy();
            so.waiting = how;
            auto alone = me.subscriber<tick>("nobody", so).value();
            auto value = me.latest<tick>("t", so).value();
            bool const sleeps = how != waiting::spin;
            for (int i = 0; i < 3; ++i) {
                while_blocked(
                    sleeps, [&] { EXPECT_EQ(sub.receive(1h).error(), receive_errc::interrupted); },
                    [&](auto) { sub.interrupt(); });
                while_blocked(
                    sleeps,
                    [&] { EXPECT_EQ(alone.receive(1h).error(), receive_errc::interrupted); },
                    [&](auto) { alone.interrupt(); });
                while_blocked(
                    sleeps, [&] { EXPECT_EQ(value.wait(1h).error(), receive_errc::interrupted); },
                    [&](auto) { value.interrupt(); });
                while_blocked(
                    true,
                    [&] {
                        EXPECT_EQ(pub.wait_for_subscribers(9, 1h).error(), send_errc::interrupted);
                    },
                    [&](auto) { pub.interrupt(); });
            }
            send_ticks(pub, 0, 4);
            (void)value.get();
            while_blocked(
                sleeps, [&] { EXPECT_EQ(pub.send(tick::of(9)).error(), send_errc::interrupted); },
                [&](auto) { pub.interrupt(); });
            EXPECT_EQ(take_all(sub), numbers(0, 4));
        }
    }
}

publisher<tick>* interrupted_publisher = nullptr;
subscriber<tick>* interrupted_subscriber = nullptr;
extern "C" void interrupt_both(int) {
    int const saved = errno;
    interrupted_publisher->interrupt();
    interrupted_subscriber->interrupt();
    errno = saved;
}

TEST(InterruptThreads, WorksFromASignalHandlerOfTheBlockedThread) {
    scratch_root root;
    participant me = joined(root.path());
    publisher_options po = gated(4, overflow::block);
    po.block_for = 1h;
    po.waiting = waiting::park;
    auto pub = me.publisher<tick>("t", po).value();
    subscriber_options so = lossless();
    so.waiting = waiting::park;
    auto sub = me.subscriber<tick>("t", so).value();
    interrupted_publisher = &pub;
    interrupted_subscriber = &sub;
    struct sigaction action {};
    action.sa_handler = interrupt_both;
    struct sigaction before {};
    ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
    while_blocked(
        true, [&] { EXPECT_EQ(sub.receive(1h).error(), receive_errc::interrupted); },
        [](pthread_t thread) { ::pthread_kill(thread, SIGUSR1); });
    EXPECT_EQ(pub.wait_for_subscribers(9, 1h).error(), send_errc::interrupted);
    send_ticks(pub, 0, 4);
    while_blocked(
        true, [&] { EXPECT_EQ(pub.send(tick::of(9)).error(), send_errc::interrupted); },
        [](pthread_t thread) { ::pthread_kill(thread, SIGUSR1); });
    ::sigaction(SIGUSR1, &before, nullptr);
    EXPECT_EQ(take_all(sub), numbers(0, 4));
}

// Signals that interrupt nothing: a wait goes on.
extern "C" void ignore(int) {}
TEST(InterruptThreads, OtherSignalsEndNoWait) {
    scratch_root root;
    participant me = joined(root.path());
    auto pub = me.publisher<tick>("t").value();
    subscriber_options so;
    so.waiting = waiting::park;
    auto sub = me.subscriber<tick>("t", so).value();
    struct sigaction action {};
    action.sa_handler = ignore;
    struct sigaction before {};
    ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
    while_blocked(
        true,
        [&] {
            auto const s = sub.receive(1h);
            ASSERT_TRUE(s) << to_string(s.error());
            EXPECT_EQ(s->number, 5u);
        },
        [&](pthread_t thread) {
            for (int i = 0; i < 20; ++i) {
                ::pthread_kill(thread, SIGUSR1);
                std::this_thread::yield();
            }
            send_ticks(pub, 5, 1);
        });
    ::sigaction(SIGUSR1, &before, nullptr);
}

// A storm round the edge between "nothing there" and sleeping.
TEST(WakeUpThreads, AreNotLostRoundTheEdgeOfSleep) {
    no_slices const on_their_own;
    scratch_root root;
    participant me = joined(root.path());
    publisher_options po = gated(4, overflow::block);
    po.block_for = 1h;
    po.waiting = waiting::park;
    auto pub = me.publisher<tick>("t", po).value();
    subscriber_options so = lossless();
    so.waiting = waiting::park;
    auto sub = me.subscriber<tick>("t", so).value();
    std::uint64_t const messages = count(20'000, 10'000'000);
    std::thread sender([&] {
        std::uint32_t pause = 1;
        for (std::uint64_t i = 0; i < messages; ++i) {
            ASSERT_TRUE(pub.send(tick::of(i)));
            pause = pause * 1664525 + 1013904223;
            for (std::uint32_t spin = 0; spin < pause >> 22; ++spin) {
                asm volatile("");
            }
        }
    });
    for (std::uint64_t i = 0; i < messages; ++i) {
        auto const s = sub.receive(1h);
        ASSERT_TRUE(s);
        ASSERT_EQ(s->number, i);
    }
    sender.join();
}

} // namespace
} // namespace partywall::test
