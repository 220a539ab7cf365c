// SPDX-License-Identifier: BSL-1.0
// Streams that are written by other threads than the one that reads them.
#include "streaming.hpp"

#include <support/counts.hpp>

#include <atomic>
#include <thread>
#include <vector>

namespace partywall::test {
namespace {

struct StreamThreads : streaming_test {};

TEST_F(StreamThreads, AWorkerSendsAsFastAsItsClientReads) {
    auto s = counter();
    auto c = caller();
    running const thread(s);
    std::uint64_t const replies = count(2'000, 200'000);
    for (std::uint32_t const size : {1U, 7U, 64U}) {
        auto in = c.stream(ask::of(replies), window(size));
        expect_rest(in, 0, replies);
    }
    EXPECT_EQ(c.open_calls(), 0u);
    EXPECT_EQ(c.late_replies(), 0u);
}

TEST_F(StreamThreads, ManyAtATimeGoOnBesideCallsToTheSameAndToOtherServers) {
    auto s = counter(8);
    auto plain = me.server<ask, told>("p", [](ask const& a) { return told::of(a.number); }).value();
    client_options o = calling();
    o.calls_max = 128;
    auto c = caller(o);
    auto calls = other.client<ask, told>("p", calling()).value();
    running const streams(s);
    running const answers(plain);
    constexpr std::uint64_t replies = 400;
    std::vector<reply_stream<told>> in;
    for (std::uint64_t i = 0; i < 8; ++i) {
        in.push_back(c.stream(ask::of(replies), window(static_cast<std::uint32_t>(1 + 3 * i))));
    }
    for (std::uint64_t i = 0; i < replies; ++i) {
        for (auto& each : in) {
            ASSERT_NO_FATAL_FAILURE(expect_next(each, i));
        }
        ASSERT_TRUE((*calls.call(ask::of(i)))->answers(i));
        auto const refused = c.call(ask::of(i)); // on the way back the items of eight streams
        ASSERT_EQ(refused.error().fault, server_fault::failed);
    }
    for (auto& each : in) {
        expect_rest(each, 0, 0);
    }
    EXPECT_EQ(c.open_calls(), 0u);
    EXPECT_EQ(c.late_replies(), 0u);
    EXPECT_EQ(s.lost(), 0u);
}

TEST_F(StreamThreads, AWriterWaitsForRoomUntilItsTimeAndIsWokenByTheClient) {
    auto s = keeper();
    auto c = caller();
    auto in = c.stream(ask::of(0), window(1));
    EXPECT_EQ(s.poll(), 1u);
    EXPECT_TRUE(writers[0].try_send(told::of(0)));
    running const thread(s);
    std::atomic<bool> was_full{false};
    std::thread waits([&] {
        EXPECT_EQ(writers[0].send(told::of(1), 1ms).error(), stream_errc::full);
        was_full.store(true);
        EXPECT_TRUE(writers[0].send(told::of(1), 1h));
        EXPECT_TRUE(writers[0].finish());
    });
    while (!was_full.load()) {
        std::this_thread::yield();
    }
    expect_rest(in, 0, 2);
    waits.join();
}

TEST_F(StreamThreads, AWriterThatWaitsIsToldWhenItsClientGoesOrTheServerCloses) {
    for (bool const server_closes : {false, true}) {
        auto s = keeper();
        auto c = caller();
        auto in = c.stream(ask::of(0), window(1));
        EXPECT_EQ(s.poll(), 1u);
        std::thread waits([&] {
            EXPECT_TRUE(writers[0].send(told::of(0), 1h));
            EXPECT_EQ(writers[0].send(told::of(1), 1h).error(), stream_errc::gone);
        });
        EXPECT_TRUE(in.next().has_value());
        if (server_closes) {
            s.close();
        } else {
            c.close();
            while (s.client_count() != 0) {
                (void)s.run_for(1ms);
            }
        }
        waits.join();
        writers.clear();
    }
}

TEST_F(StreamThreads, AWriterThatWaitsEndsWithTheDeadline) {
    auto s = keeper();
    auto c = caller();
    auto in = c.stream(ask::of(0), window(1, 20ms));
    EXPECT_EQ(s.poll(), 1u);
    std::thread waits([&] {
        EXPECT_TRUE(writers[0].try_send(told::of(0)));
        EXPECT_EQ(writers[0].send(told::of(1), 1h).error(), stream_errc::gone);
    });
    waits.join();
}

TEST_F(StreamThreads, StoppedAnywhereEndsAndLeavesNothing) {
    auto s = counter(4);
    client_options o = calling();
    o.when_full = when_full::wait; // for the servers of those that were stopped
    auto c = caller(o);
    running const thread(s);
    for (std::uint64_t i = 0; i < count(200, 20'000); ++i) {
        auto in = c.stream(ask::of(1'000'000), window(static_cast<std::uint32_t>(1 + i % 9)));
        for (std::uint64_t n = 0; n < i % 23; ++n) {
            ASSERT_NO_FATAL_FAILURE(expect_next(in, n));
        }
        if (i % 2 == 0) {
            in.cancel();
        }
    }
    while (c.open_calls() != 0) {
        (void)c.poll(1ms);
    }
    while (s.deferred() != 0) { // counted down after the last word
        std::this_thread::yield();
    }
}

} // namespace
} // namespace partywall::test
