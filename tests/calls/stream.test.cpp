// SPDX-License-Identifier: BSL-1.0
// Requests that are answered in several replies.
#include "support.hpp"

#include <partywall/calls/stream_writer.hpp>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

namespace partywall::test {
namespace {

struct StreamTest : testing::Test {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    std::vector<stream_writer<told>> writers;

    auto keeper() {
        return me
            .server<ask, told>("s", [this](ask const&, stream_writer<told> out,
                                           call_context&) { writers.push_back(std::move(out)); })
            .value();
    }
    static call_options window(std::uint32_t replies) {
        call_options o;
        o.window = replies;
        return o;
    }
};
using Stream = StreamTest;

TEST_F(Stream, IsReadInOrderToItsEnd) {
    std::vector<std::thread> streams; // of the server's thread, until it stops
    auto s = me.server<ask, told>("s", [&](ask const& a, stream_writer<told> out, call_context&) {
                   streams.emplace_back([count = a.number, out = std::move(out)]() mutable {
                       for (std::uint64_t i = 0; i < count; ++i) {
                           ASSERT_TRUE(out.send(told::of(i), 1h));
                       }
                       EXPECT_TRUE(out.finish());
                       EXPECT_FALSE(out.finish()) << "once";
                       EXPECT_EQ(out.try_send(told::of(0)).error(), stream_errc::gone);
                   });
               }).value();
    auto c = other.client<ask, told>("s", calling()).value();
    running thread(s);
    auto in = c.stream(ask::of(500), window(7));
    for (std::uint64_t i = 0; i < 500; ++i) {
        auto const r = in.next();
        ASSERT_TRUE(r.has_value()) << i << ' ' << to_string(r.error().reason);
        ASSERT_TRUE((*r)->answers(i));
        if (i % 100 == 0) { // other calls are not held up, nor lost
            auto one = c.stream(ask::of(0), window(1));
            EXPECT_EQ(one.next().error(), call_errc::end_of_stream);
        }
    }
    EXPECT_EQ(in.next().error(), call_errc::end_of_stream);
    EXPECT_EQ(in.next().error(), call_errc::end_of_stream) << "again";
    EXPECT_TRUE(in.has_ended());
    EXPECT_EQ(c.open_calls(), 0u);
    (void)thread.stop();
    for (std::thread& t : streams) {
        t.join();
    }
}

TEST_F(Stream, HasNoMoreUnderWayThanItsWindow) {
    auto s = keeper();
    auto c = other.client<ask, told>("s", calling()).value();
    auto in = c.stream(ask::of(0), window(4));
    EXPECT_EQ(s.poll(), 1u);
    stream_writer<told>& out = writers.at(0);
    std::uint64_t sent = 0;
    while (out.try_send(told::of(sent))) {
        sent += 1;
    }
    EXPECT_EQ(sent, 4u);
    EXPECT_EQ(out.send(told::of(sent), 1h).error(), stream_errc::full) << "the server's own thread";
    EXPECT_TRUE(in.next().value()->answers(0));
    EXPECT_TRUE(in.next().value()->answers(1)) << "half of it: which is told";
    EXPECT_EQ(s.poll(), 1u);
    EXPECT_TRUE(out.try_send(told::of(4)));
    EXPECT_TRUE(out.try_send(told::of(5)));
    EXPECT_EQ(out.try_send(told::of(6)).error(), stream_errc::full);
    EXPECT_TRUE(out.finish()) << "an end always fits";
    for (std::uint64_t i = 2; i < 6; ++i) {
        EXPECT_TRUE(in.next().value()->answers(i));
    }
    EXPECT_EQ(in.next().error(), call_errc::end_of_stream);
}

TEST_F(Stream, ThatFailsIsReadUpToTheFailure) {
    auto s = keeper();
    auto c = other.client<ask, told>("s", calling()).value();
    auto in = c.stream(ask::of(0));
    auto unfinished = c.stream(ask::of(0));
    EXPECT_EQ(s.poll(), 2u);
    EXPECT_TRUE(writers[0].try_send(told::of(1)));
    EXPECT_TRUE(writers[0].fail(3, "no more paper"));
    EXPECT_TRUE(in.next().value()->answers(1));
    auto const r = in.next();
    EXPECT_EQ(r.error(), call_errc::server_error);
    EXPECT_EQ(r.error().code, 3);
    EXPECT_EQ(r.error().text(), "no more paper");
    writers.clear();
    EXPECT_EQ(unfinished.next().error().fault, server_fault::unanswered);
}

TEST_F(Stream, ThatNobodyReadsOnIsGone) {
    auto s = keeper();
    auto c = other.client<ask, told>("s", calling()).value();
    {
        auto in = c.stream(ask::of(0));
        EXPECT_EQ(s.poll(), 1u);
        EXPECT_TRUE(writers[0].wanted());
        EXPECT_TRUE(writers[0].try_send(told::of(0)));
        EXPECT_TRUE(in.next().has_value());
    }
    EXPECT_EQ(s.poll(), 1u) << "the note";
    EXPECT_FALSE(writers[0].wanted());
    EXPECT_EQ(writers[0].try_send(told::of(1)).error(), stream_errc::gone);
    EXPECT_EQ(c.open_calls(), 1u);
    writers.clear(); // its duty ends
    (void)c.poll();
    EXPECT_EQ(c.open_calls(), 0u);
    auto in = c.stream(ask::of(0));
    EXPECT_EQ(s.poll(), 1u);
    c.close();
    EXPECT_EQ(in.next().error(), call_errc::closed);
    while (writers[0].wanted()) {
        (void)s.poll();
    }
}

TEST_F(Stream, AWriterThatWaitsIsToldWhenItsClientGoes) {
    auto s = keeper();
    std::optional<client<ask, told>> c(other.client<ask, told>("s", calling()).value());
    auto in = c->stream(ask::of(0), window(1));
    EXPECT_EQ(s.poll(), 1u);
    std::thread waits([&] {
        EXPECT_TRUE(writers[0].send(told::of(0), 1h));
        EXPECT_EQ(writers[0].send(told::of(1), 1h).error(), stream_errc::gone);
    });
    EXPECT_TRUE(in.next().has_value());
    c.reset();
    while (s.client_count() != 0) {
        (void)s.run_for(1ms);
    }
    waits.join();
}

TEST_F(Stream, OfAServerThatAnswersAtOnceHasOneReplyAndACallOfAStreamFails) {
    auto plain = me.server<ask, told>("p", [](ask const& a) { return told::of(a.number); }).value();
    auto c = other.client<ask, told>("p", calling()).value();
    {
        running thread(plain);
        auto in = c.stream(ask::of(5));
        EXPECT_TRUE(in.next().value()->answers(5));
        EXPECT_EQ(in.next().error(), call_errc::end_of_stream);
    }
    auto s = keeper();
    auto d = other.client<ask, told>("s", calling()).value();
    running thread(s);
    auto const r = d.call(ask::of(1));
    EXPECT_EQ(r.error().fault, server_fault::failed);
    EXPECT_NE(r.error().text().find("stream"), std::string_view::npos);
}

TEST_F(Stream, EndsAtItsDeadline) {
    auto s = keeper();
    auto c = other.client<ask, told>("s", calling()).value();
    call_options o = window(4);
    o.deadline = 5ms;
    auto in = c.stream(ask::of(0), o);
    EXPECT_EQ(in.next(1ns).error(), call_errc::deadline);
    EXPECT_FALSE(in.has_ended());
    auto const r = in.next();
    EXPECT_EQ(r.error(), call_errc::deadline);
    EXPECT_EQ(r.error().executed, executed::no);
    EXPECT_TRUE(in.has_ended());
    EXPECT_EQ(s.poll(), 1u);
    EXPECT_EQ(s.executed(), 0u);
}

} // namespace
} // namespace partywall::test
