// SPDX-License-Identifier: BSL-1.0
// Requests that are answered in several replies: order, window, and every way to end. One thread.
#include "streaming.hpp"

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace partywall::test {
namespace {

struct Stream : streaming_test {};

TEST_F(Stream, HasNoMoreUnderWayThanItsWindow) {
    auto s = keeper();
    auto c = caller();
    auto in = c.stream(ask::of(0), window(4));
    EXPECT_EQ(s.poll(), 1u);
    writer& out = writers.at(0);
    std::uint64_t sent = 0;
    while (out.try_send(told::of(sent))) {
        sent += 1;
    }
    EXPECT_EQ(sent, 4u);
    EXPECT_EQ(out.try_send(told::of(sent)).error(), stream_errc::full);
    EXPECT_EQ(out.send(told::of(sent), 1h).error(), stream_errc::full) << "the server's own thread";
    expect_next(in, 0);
    expect_next(in, 1);
    EXPECT_EQ(s.poll(), 0u) << "the second one is being read";
    expect_next(in, 2);
    EXPECT_EQ(s.poll(), 1u) << "half of it was read: which is told";
    EXPECT_TRUE(out.try_send(told::of(4)));
    EXPECT_TRUE(out.try_send(told::of(5)));
    EXPECT_EQ(out.try_send(told::of(6)).error(), stream_errc::full);
    EXPECT_TRUE(out.finish()) << "an end always fits";
    EXPECT_FALSE(out.finish()) << "once";
    EXPECT_EQ(out.try_send(told::of(7)).error(), stream_errc::gone);
    expect_rest(in, 3, 6);
    EXPECT_EQ(in.next().error(), call_errc::end_of_stream) << "again";
    EXPECT_EQ(c.open_calls(), 0u);
    EXPECT_EQ(s.deferred(), 0u);
    EXPECT_EQ(s.failed(), 0u) << "an end is no failure";
    EXPECT_EQ(c.late_replies(), 0u);
}

TEST_F(Stream, OfEveryWindowIsReadToItsEndInOrder) {
    auto s = keeper();
    auto c = caller();
    for (std::uint32_t const replies : {0U, 1U, 2U, 3U, 16U, 64U, 65U, ~0U}) {
        auto in = c.stream(ask::of(0), window(replies));
        EXPECT_EQ(s.poll(), 1u);
        std::uint64_t sent = 0;
        std::uint64_t read = 0;
        while (read < 300) {
            while (sent < 300 && writers[0].try_send(told::of(sent))) {
                sent += 1;
            }
            ASSERT_LE(sent - read, 64u);
            while (auto const r = in.next(0ns)) {
                ASSERT_TRUE((*r)->answers(read));
                read += 1;
            }
            ASSERT_EQ(sent, read) << replies;
            (void)s.poll();
        }
        EXPECT_TRUE(writers[0].finish());
        EXPECT_EQ(in.next().error(), call_errc::end_of_stream);
        writers.clear();
        EXPECT_EQ(c.open_calls(), 0u);
    }
}

TEST_F(Stream, ThatFailsIsReadUpToTheFailure) {
    auto s = keeper();
    auto c = caller();
    auto in = c.stream(ask::of(0));
    auto unfinished = c.stream(ask::of(0));
    EXPECT_EQ(s.poll(), 2u);
    EXPECT_TRUE(writers[0].try_send(told::of(1)));
    EXPECT_TRUE(writers[0].fail(3, "no more paper"));
    expect_next(in, 1);
    auto const r = in.next();
    EXPECT_EQ(r.error(), call_errc::server_error);
    EXPECT_EQ(r.error().code, 3);
    EXPECT_EQ(r.error().text(), "no more paper");
    EXPECT_EQ(in.error().text(), "no more paper");
    EXPECT_EQ(s.failed(), 1u);
    writers.clear();
    EXPECT_EQ(unfinished.next().error().fault, server_fault::unanswered);
    EXPECT_EQ(s.failed(), 2u);
}

TEST_F(Stream, OfAHandlerThatThrowsEndsWithWhatItThrewUnlessAnotherGoesOn) {
    auto s = me.server<ask, told>("s", [this](ask const& a, writer out, call_context&) {
                   EXPECT_TRUE(out.try_send(told::of(0)));
                   if (a.number != 0) {
                       writers.push_back(std::move(out));
                   }
                   throw std::runtime_error("out of ink");
               }).value();
    auto c = caller();
    auto in = c.stream(ask::of(0));
    auto goes_on = c.stream(ask::of(1));
    EXPECT_EQ(s.poll(), 2u);
    expect_next(in, 0);
    auto const r = in.next();
    EXPECT_EQ(r.error().fault, server_fault::threw);
    EXPECT_EQ(r.error().text(), "out of ink");
    EXPECT_EQ(s.deferred(), 1u);
    EXPECT_TRUE(writers.at(0).try_send(told::of(1)));
    EXPECT_TRUE(writers.at(0).finish());
    expect_rest(goes_on, 0, 2);
    EXPECT_EQ(s.deferred(), 0u);
}

TEST_F(Stream, ThatNobodyReadsOnIsGone) {
    auto s = keeper();
    auto c = caller();
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
    while (s.client_count() != 0) {
        (void)s.run_for(1ms);
    }
    EXPECT_FALSE(writers[0].wanted());
}

TEST_F(Stream, ThatIsCancelledGivesWhatCameAndThenSaysSo) {
    auto s = keeper();
    auto c = caller();
    auto in = c.stream(ask::of(0), window(4));
    auto never_taken = c.stream(ask::of(0), window(4));
    EXPECT_EQ(s.poll(1), 1u);
    for (std::uint64_t i = 0; i < 3; ++i) {
        EXPECT_TRUE(writers[0].try_send(told::of(i)));
    }
    expect_next(in, 0);
    (void)c.poll(); // the other two come
    EXPECT_TRUE(in.ready());
    in.cancel();
    never_taken.cancel();
    expect_next(in, 1);
    expect_next(in, 2);
    EXPECT_EQ(in.next().error(), call_errc::cancelled);
    EXPECT_EQ(in.error().executed, executed::maybe);
    EXPECT_EQ(never_taken.next().error(), call_errc::cancelled);
    EXPECT_EQ(never_taken.error().executed, executed::no);
    EXPECT_EQ(s.poll(), 3u) << "a request that was given up, and two notes";
    EXPECT_EQ(writers.size(), 1u);
    EXPECT_EQ(s.cancelled(), 1u);
    EXPECT_EQ(writers[0].try_send(told::of(3)).error(), stream_errc::gone);
    writers.clear();
    (void)c.poll();
    EXPECT_EQ(c.open_calls(), 0u);
}

TEST_F(Stream, EndsAtItsDeadlineWithWhatCameBeforeAndTheServerIsTold) {
    auto s = keeper();
    auto c = caller();
    auto early = c.stream(ask::of(0), window(4, 5ms));
    EXPECT_EQ(early.next(1ns).error(), call_errc::deadline);
    EXPECT_FALSE(early.has_ended());
    EXPECT_EQ(early.next().error(), call_errc::deadline);
    EXPECT_EQ(early.error().executed, executed::no);
    EXPECT_TRUE(early.has_ended());
    (void)s.poll();
    EXPECT_EQ(s.executed(), 0u);

    auto in = c.stream(ask::of(0), window(4, 300ms));
    while (writers.empty()) {
        ASSERT_NE(s.poll(), 0u);
    }
    EXPECT_TRUE(writers[0].try_send(told::of(0)));
    EXPECT_TRUE(writers[0].try_send(told::of(1)));
    (void)c.poll();
    while (writers[0].wanted()) { // which its own deadline ends, though it was not told
    }
    expect_next(in, 0);
    expect_next(in, 1);
    EXPECT_EQ(in.next(0ns).error(), call_errc::deadline);
    EXPECT_TRUE(in.has_ended()) << "not only of the wait";
    EXPECT_EQ(in.error().executed, executed::maybe);
    EXPECT_EQ(s.poll(), 2u) << "notes: how far it was read, and that nobody reads on";
    EXPECT_EQ(writers[0].try_send(told::of(2)).error(), stream_errc::gone);
    writers.clear();
    (void)c.poll();
    EXPECT_EQ(c.open_calls(), 0u);
}

TEST_F(Stream, WhoseServerWasNotToldThatNobodyReadsIsStoppedByTheWindowAndTheDeadline) {
    auto s = keeper();
    auto c = caller();
    auto in = c.stream(ask::of(0), window(2, 50ms));
    EXPECT_EQ(s.poll(), 1u);
    EXPECT_TRUE(writers[0].try_send(told::of(0)));
    EXPECT_TRUE(writers[0].try_send(told::of(1)));
    stream_errc e = stream_errc::full;
    while (e == stream_errc::full) { // nobody polls the client
        e = writers[0].try_send(told::of(2)).error();
    }
    EXPECT_EQ(e, stream_errc::gone);
}

TEST_F(Stream, IsStoppedLaterWhereTheLaneOfRequestsIsFull) {
    auto s = keeper(serving(4));
    auto c = caller();
    {
        auto in = c.stream(ask::of(0));
        EXPECT_EQ(s.poll(), 1u);
        while (c.post(ask::of(0)).has_value()) {
        }
    }
    (void)s.poll();
    EXPECT_TRUE(writers[0].wanted()) << "there was no room to say so";
    (void)c.poll();
    EXPECT_EQ(s.poll(), 1u);
    EXPECT_FALSE(writers[0].wanted());
}

TEST_F(Stream, IsReadOnWhereTheLaneOfRequestsWasFull) {
    auto s = keeper(serving(4));
    auto c = caller();
    auto in = c.stream(ask::of(0), window(1));
    EXPECT_EQ(s.poll(), 1u);
    EXPECT_TRUE(writers[0].try_send(told::of(0)));
    expect_next(in, 0);
    while (c.post(ask::of(0)).has_value()) {
    }
    EXPECT_EQ(in.next(0ns).error(), call_errc::deadline);
    (void)s.poll();
    EXPECT_EQ(writers[0].try_send(told::of(1)).error(), stream_errc::full);
    EXPECT_EQ(in.next(0ns).error(), call_errc::deadline) << "but now it was told";
    EXPECT_EQ(s.poll(), 1u);
    EXPECT_TRUE(writers[0].try_send(told::of(1)));
    expect_next(in, 1);
}

TEST_F(Stream, OfAServerThatAnswersAtOnceHasOneReply) {
    auto s = me.server<ask, told>("s", [](ask const& a) { return told::of(a.number); }).value();
    auto c = caller();
    auto in = c.stream(ask::of(5));
    EXPECT_EQ(s.poll(), 1u);
    expect_next(in, 5);
    EXPECT_TRUE(in.has_ended());
    EXPECT_EQ(in.next().error(), call_errc::end_of_stream);
    EXPECT_EQ(c.open_calls(), 0u);
}

TEST_F(Stream, OfAServerThatIsCalledOrSentToIsRefusedOrReadByNobody) {
    auto s = keeper();
    auto c = caller();
    auto call = c.call_async(ask::of(1));
    EXPECT_EQ(s.poll(), 1u);
    auto const r = call.get();
    EXPECT_EQ(r.error().fault, server_fault::failed);
    EXPECT_NE(r.error().text().find("stream"), std::string_view::npos);
    EXPECT_TRUE(writers.empty()) << "not executed";
    EXPECT_TRUE(c.post(ask::of(2)).has_value());
    EXPECT_EQ(s.poll(), 1u);
    EXPECT_FALSE(writers.at(0).wanted());
    EXPECT_EQ(writers.at(0).try_send(told::of(0)).error(), stream_errc::gone);
    EXPECT_EQ(s.deferred(), 1u);
    writers.clear();
    EXPECT_EQ(s.deferred(), 0u);
}

TEST_F(Stream, KeepsItsRoomWhileOthersAreUnderWay) {
    auto s = keeper();
    client_options o = calling();
    o.calls_max = 8; // and so 16 replies
    auto c = caller(o);
    auto first = c.stream(ask::of(0), window(8));
    auto second = c.stream(ask::of(0), window(6));
    auto third = c.stream(ask::of(0), window(1));
    EXPECT_EQ(third.next().error(), call_errc::overloaded) << "9 and 7 are 16";
    EXPECT_EQ(c.call(ask::of(0), 1h).error(), call_errc::overloaded);
    EXPECT_EQ(s.poll(), 2u);
    for (std::uint64_t i = 0; i < 8; ++i) {
        EXPECT_TRUE(writers[0].try_send(told::of(i)));
    }
    for (std::uint64_t i = 0; i < 6; ++i) {
        EXPECT_TRUE(writers[1].try_send(told::of(i)));
    }
    EXPECT_TRUE(writers[0].finish());
    EXPECT_TRUE(writers[1].finish());
    expect_rest(second, 0, 6);
    expect_rest(first, 0, 8);
    EXPECT_EQ(s.lost(), 0u);
    EXPECT_EQ(c.open_calls(), 0u);
    auto again = c.stream(ask::of(0), window(8));
    EXPECT_FALSE(again.has_ended());
}

TEST_F(Stream, WaitsForRepliesThatAreHeldAndLosesNone) {
    auto s = keeper();
    auto plain = me.server<ask, told>("p", [](ask const& a) { return told::of(a.number); }).value();
    client_options o = calling();
    o.calls_max = 4; // 8 replies
    auto c = caller(o);
    auto in = c.stream(ask::of(0), window(4));
    EXPECT_EQ(s.poll(), 1u);
    EXPECT_TRUE(writers[0].try_send(told::of(0)));
    auto held = in.next();
    ASSERT_TRUE(held.has_value());
    std::uint64_t sent = 1;
    std::uint64_t read = 1;
    auto const until_it_stops = [&] {
        for (int quiet = 0; quiet < 3;) {
            while (writers[0].try_send(told::of(sent))) {
                sent += 1;
                quiet = 0;
            }
            if (auto const r = in.next(0ns)) {
                EXPECT_TRUE((*r)->answers(read));
                read += 1;
                quiet = 0;
            }
            (void)s.poll();
            quiet += 1;
            if (read > 100) {
                return;
            }
        }
    };
    until_it_stops();
    EXPECT_EQ(read, sent);
    EXPECT_LE(read, 8u);
    EXPECT_TRUE((*held)->answers(0)) << "nobody wrote there";
    held = in.next(0ns);
    until_it_stops();
    EXPECT_GT(read, 100u);
    EXPECT_EQ(s.lost(), 0u);
}

TEST_F(Stream, IsReadInPlaceOrCopiedWhereManyAreHeld) {
    auto s = keeper();
    client_options o = calling();
    o.replies_held_max = 2;
    auto c = caller(o);
    auto in = c.stream(ask::of(0), window(8));
    EXPECT_EQ(s.poll(), 1u);
    std::vector<reply<told>> held;
    for (std::uint64_t i = 0; i < 6; ++i) {
        EXPECT_TRUE(writers[0].try_send(told::of(i)));
        auto r = in.next();
        ASSERT_TRUE(r.has_value()) << to_string(r.error().reason);
        held.push_back(std::move(*r));
    }
    for (std::uint64_t i = 0; i < 6; ++i) {
        EXPECT_TRUE(held[i]->answers(i));
    }
}

TEST_F(Stream, CarriesHeadersBesideItsReplies) {
    auto s = keeper();
    auto c = caller();
    call_options o = window(4);
    o.header[0] = 7;
    auto in = c.stream(ask::of(0), o);
    EXPECT_EQ(s.poll(), 1u);
    EXPECT_EQ(writers[0].context().header()[0], 7);
    EXPECT_TRUE(writers[0].try_send(told::of(0)));
    call_header h{};
    h[0] = 9;
    writers[0].set_header(h);
    EXPECT_TRUE(writers[0].try_send(told::of(1)));
    EXPECT_EQ(in.next().value().header()[0], 7);
    EXPECT_EQ(in.next().value().header()[0], 9);
    EXPECT_EQ(in.next(0ns).error(), call_errc::deadline);
}

TEST_F(Stream, IsReadFromAnEventLoop) {
    auto s = keeper();
    auto c = caller();
    auto in = c.stream(ask::of(0), window(4));
    EXPECT_EQ(s.poll(), 1u);
    EXPECT_EQ(c.poll(), 0u);
    EXPECT_FALSE(in.ready());
    EXPECT_TRUE(writers[0].try_send(told::of(0)));
    EXPECT_TRUE(writers[0].try_send(told::of(1)));
    EXPECT_EQ(c.poll(1h).value(), 2u);
    EXPECT_TRUE(in.ready());
    expect_next(in, 0);
    expect_next(in, 1);
    EXPECT_FALSE(in.ready());
    EXPECT_TRUE(writers[0].finish());
    EXPECT_EQ(c.poll(), 1u);
    EXPECT_TRUE(in.ready());
    EXPECT_EQ(in.next().error(), call_errc::end_of_stream);
}

TEST_F(Stream, ThatIsInterruptedGoesOn) {
    auto s = keeper();
    auto c = caller();
    auto in = c.stream(ask::of(0), window(4));
    EXPECT_EQ(s.poll(), 1u);
    c.interrupt();
    EXPECT_EQ(in.next().error(), call_errc::interrupted);
    EXPECT_FALSE(in.has_ended());
    EXPECT_TRUE(writers[0].try_send(told::of(0)));
    EXPECT_TRUE(writers[0].finish());
    expect_rest(in, 0, 1);
}

TEST_F(Stream, OutlivesTheHandlesOfBothItsSides) {
    auto s = keeper();
    auto c = caller();
    auto in = c.stream(ask::of(0), window(4));
    EXPECT_EQ(s.poll(), 1u);
    EXPECT_TRUE(writers[0].try_send(told::of(0)));
    s.close();
    EXPECT_EQ(writers[0].try_send(told::of(1)).error(), stream_errc::gone);
    expect_next(in, 0);
    EXPECT_EQ(in.next().error(), call_errc::no_server);
    EXPECT_EQ(in.error().executed, executed::maybe);
}

TEST_F(Stream, TellsItsBreakerOnceAndAtItsEnd) {
    auto s = keeper();
    client_options o = calling();
    o.breaker = breaker_options();
    o.breaker->slow_call_rate = 0.5;
    o.breaker->slow_call_duration = 1us;
    auto c = caller(o);
    {
        auto in = c.stream(ask::of(0), window(4));
        auto given_up = c.stream(ask::of(0), window(4));
        EXPECT_EQ(s.poll(), 2u);
        for (std::uint64_t i = 0; i < 100; ++i) {
            EXPECT_TRUE(writers[0].try_send(told::of(i)));
            expect_next(in, i);
            EXPECT_EQ(in.next(10us).error(), call_errc::deadline);
            (void)s.poll();
            EXPECT_EQ(c.breakers().at(0).total.calls, 0u);
        }
        EXPECT_TRUE(writers[0].finish());
        EXPECT_EQ(in.next().error(), call_errc::end_of_stream);
    }
    breaker_stats const f = c.breakers().at(0);
    EXPECT_EQ(f.total.calls, 1u);
    EXPECT_EQ(f.total.failures, 0u);
    EXPECT_EQ(f.total.slow, 0u) << "though it went on for longer than a call may";
    EXPECT_EQ(f.total.cancelled, 1u);
    writers.clear();
    auto failing = c.stream(ask::of(0));
    (void)s.poll();
    EXPECT_TRUE(writers[0].try_send(told::of(0)));
    EXPECT_TRUE(writers[0].fail(1));
    expect_next(failing, 0);
    EXPECT_EQ(failing.next().error(), call_errc::server_error);
    EXPECT_EQ(c.breakers().at(0).total.calls + c.breakers().at(0).total.ignored, 2u);
}

TEST_F(Stream, IsOneOfThoseThatAreDeferredAndIsRefusedBeyondTheirLimit) {
    server_options o = serving();
    o.deferred_max = 1;
    auto s = keeper(o);
    auto c = caller();
    auto first = c.stream(ask::of(0));
    auto second = c.stream(ask::of(0));
    EXPECT_EQ(s.poll(), 2u);
    EXPECT_EQ(second.next().error(), call_errc::overloaded);
    EXPECT_EQ(second.error().executed, executed::no);
    EXPECT_EQ(s.deferred(), 1u);
    EXPECT_FALSE(s.shutdown(1ms)) << "one is not finished";
    EXPECT_EQ(first.next().error(), call_errc::no_server);
}

TEST(StreamOfBytes, HasRepliesOfAnyLength) {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
    std::vector<stream_writer<bytes>> writers;
    auto s = me.server<bytes, bytes>("s", [&](std::span<std::byte const>, stream_writer<bytes> out,
                                              call_context&) {
                   writers.push_back(std::move(out));
               }).value();
    client_options o = calling();
    o.reply_bytes_max = 300'000; // in chunks
    auto c = other.client<bytes, bytes>("s", o).value();
    auto in = c.stream("all of it", window(4));
    EXPECT_EQ(s.poll(), 1u);
    auto const text = [](std::uint64_t i) {
        return std::string(i % 5 == 0 ? 0 : 60'000 * (i % 5), static_cast<char>('a' + i % 26));
    };
    std::uint64_t sent = 0;
    call_outcome<bytes> last = call_error();
    for (std::uint64_t i = 0; i < 40; ++i) {
        while (writers[0].try_send(text(sent))) {
            sent += 1;
        }
        if (i % 3 == 0) {
            (void)c.poll(); // copies
        }
        auto r = in.next();
        ASSERT_TRUE(r.has_value()) << i << to_string(r.error().reason);
        EXPECT_EQ(r->text(), text(i)) << i;
        if (last) {
            EXPECT_EQ(last->text(), text(i - 1)) << "is held";
        }
        last = std::move(r);
        (void)s.poll();
    }
    EXPECT_EQ(writers[0].try_send(std::string(300'001, 'x')).error(), stream_errc::too_large);
    EXPECT_TRUE(writers[0].finish());
}

} // namespace
} // namespace partywall::test
