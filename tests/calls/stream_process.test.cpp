// SPDX-License-Identifier: BSL-1.0
// Streams between processes that are killed midway.
#include "streaming.hpp"

#include <support/role.hpp>

#include <csignal>
#include <string>
#include <thread>

namespace partywall::test {
namespace {

/// Sends as many replies to the request that it takes as it asks for, says "sent", and hangs.
PARTYWALL_ROLE(streams_and_hangs) {
    participant me = joined(context.arg(0), "server");
    std::vector<writer> writers;
    auto s = me.server<ask, told>("s", [&](ask const& a, writer out, call_context&) {
                   for (std::uint64_t i = 0; i < a.number; ++i) {
                       PARTYWALL_ROLE_CHECK(out.try_send(told::of(i)).has_value());
                   }
                   writers.push_back(std::move(out));
               }).value();
    context.send("serves");
    while (writers.empty()) {
        (void)s.poll();
    }
    context.send("sent");
    context.hang();
}

/// Streams without an end in workers, until it is killed.
PARTYWALL_ROLE(streams_for_ever) {
    participant me = joined(context.arg(0), "server");
    server_options o = serving();
    o.workers = 2;
    auto s = me.server<ask, told>(
                   "s",
                   [](ask const&, writer out, call_context&) {
                       for (std::uint64_t i = 0; out.send(told::of(i), 1h); ++i) {
                       }
                   },
                   o)
                 .value();
    context.send("serves");
    (void)s.run();
    return 1;
}

/// Reads one reply, says "reading", and hangs.
PARTYWALL_ROLE(reads_and_hangs) {
    participant me = joined(context.arg(0), "client");
    auto c = me.client<ask, told>("s", calling()).value();
    auto in = c.stream(ask::of(0), window(2));
    PARTYWALL_ROLE_CHECK(in.next().has_value());
    context.send("reading");
    context.hang();
}

struct StreamProcess : streaming_test {
    child start(char const* role) {
        child one = spawn(role, {root.path()});
        one.expect("serves");
        return one;
    }
    static void kill(child& one) {
        one.kill(SIGKILL);
        EXPECT_EQ(one.wait(), killed_by(SIGKILL));
    }
};

TEST_F(StreamProcess, OfAServerThatDiesIsReadUpToItsLastReplyAndThenSaysSo) {
    for (std::uint64_t const sent : {0U, 1U, 5U, 8U}) {
        child s = start("streams_and_hangs");
        auto c = caller();
        auto in = c.stream(ask::of(sent), window(8));
        s.expect("sent");
        kill(s);
        for (std::uint64_t i = 0; i < sent; ++i) {
            expect_next(in, i);
        }
        EXPECT_EQ(in.next().error(), call_errc::peer_died);
        EXPECT_EQ(in.error().executed, executed::maybe);
        EXPECT_EQ(c.open_calls(), 0u);
        EXPECT_EQ(c.late_replies(), 0u);
    }
}

TEST_F(StreamProcess, OfAServerThatDiesBeforeItTakesTheRequestIsNotExecuted) {
    child s = start("streams_and_hangs");
    auto c = caller();
    auto first = c.stream(ask::of(0), window(8));
    s.expect("sent");
    auto second = c.stream(ask::of(0), window(8));
    kill(s);
    EXPECT_EQ(second.next().error(), call_errc::peer_died);
    EXPECT_EQ(second.error().executed, executed::no);
    EXPECT_EQ(first.next().error(), call_errc::peer_died);
    EXPECT_EQ(first.error().executed, executed::maybe);
}

TEST_F(StreamProcess, WhoSleepsIsToldOfTheDeathWithoutSlices) {
    no_slices const endless;
    child s = start("streams_and_hangs");
    client_options o = calling();
    o.waiting = waiting::park;
    auto c = caller(o);
    auto in = c.stream(ask::of(1), window(8));
    s.expect("sent");
    expect_next(in, 0);
    std::thread killer([&] { s.kill(SIGKILL); });
    EXPECT_EQ(in.next().error(), call_errc::peer_died);
    killer.join();
    EXPECT_EQ(s.wait(), killed_by(SIGKILL));
}

TEST_F(StreamProcess, OfAServerThatIsKilledAnywhereHasNoHoleAndTheNextOneStreamsAgain) {
    auto c = caller();
    for (std::uint64_t round = 0; round < 8; ++round) {
        child s = start("streams_for_ever");
        ASSERT_TRUE(c.wait_for_server(1h).has_value());
        auto in = c.stream(ask::of(0), window(static_cast<std::uint32_t>(1 + round * 3)));
        std::uint64_t read = 0;
        std::thread killer;
        for (;;) {
            auto const r = in.next();
            if (!r) {
                EXPECT_EQ(r.error(), call_errc::peer_died) << to_string(r.error().reason);
                EXPECT_EQ(r.error().executed, executed::maybe);
                break;
            }
            ASSERT_TRUE((*r)->answers(read)) << read;
            read += 1;
            if (read == 20 * (round + 1)) {
                killer = std::thread([&] { s.kill(SIGKILL); });
            }
        }
        killer.join();
        EXPECT_GE(read, 20 * (round + 1));
        EXPECT_EQ(s.wait(), killed_by(SIGKILL));
        EXPECT_EQ(c.open_calls(), 0u);
    }
}

TEST_F(StreamProcess, OfAClientThatDiesIsGoneForAWriterThatWaits) {
    auto s = keeper();
    child c = spawn("reads_and_hangs", {root.path()});
    while (writers.empty()) {
        (void)s.run_for(1ms);
    }
    std::thread waits([&] {
        stream_errc e{};
        for (std::uint64_t i = 0; e == stream_errc{}; ++i) {
            auto const r = writers[0].send(told::of(i), 1h);
            e = r ? stream_errc{} : r.error();
        }
        EXPECT_EQ(e, stream_errc::gone);
        EXPECT_FALSE(writers[0].finish()) << "nobody hears it";
    });
    c.expect("reading");
    kill(c);
    while (s.client_count() != 0) {
        (void)s.run_for(1ms);
    }
    waits.join();
    EXPECT_EQ(s.deferred(), 0u);
}

} // namespace
} // namespace partywall::test
