// SPDX-License-Identifier: BSL-1.0
// Calls between two memberships of one process: what comes back, and in which way.
#include "support.hpp"

#include <array>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace partywall::test {
namespace {

struct CallTest : testing::Test {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");
};
using Call = CallTest;

TEST_F(Call, IsAnsweredWithTheHandlersValue) {
    auto s = me.server<ask, told>("s", [](ask const& a) {
                   EXPECT_TRUE(a.whole());
                   return told::of(a.number);
               }).value();
    auto c = other.client<ask, told>("s", calling()).value();
    running thread(s);
    for (std::uint64_t i = 0; i < 1000; ++i) {
        auto const r = c.call(ask::of(i));
        ASSERT_TRUE(r.has_value()) << to_string(r.error().reason);
        EXPECT_TRUE((*r)->answers(i));
        EXPECT_EQ(r->server(), s.incarnation());
    }
    EXPECT_EQ(thread.stop(), wait_errc::interrupted);
    EXPECT_EQ(s.executed(), 1000u);
    EXPECT_EQ(c.open_calls(), 0u);
    EXPECT_EQ(c.late_replies(), 0u);
}

TEST_F(Call, WorksWithEveryStrategyOfWaitingOnEitherSide) {
    for (waiting const how : {waiting::spin_then_park, waiting::spin, waiting::park}) {
        server_options so = serving();
        so.waiting = how;
        client_options co = calling();
        co.waiting = how;
        auto s = me.server<ask, told>(
                       "s", [](ask const& a) { return told::of(a.number); }, so)
                     .value();
        auto c = other.client<ask, told>("s", co).value();
        running thread(s);
        // Few: spinners on a crowded machine wait for their turn.
        for (std::uint64_t i = 0; i < 30; ++i) {
            ASSERT_TRUE(c.call(ask::of(i)).value()->answers(i));
        }
    }
}

TEST_F(Call, SleepsWithoutSlicesAndIsWokenByItsReply) {
    no_slices const endless;
    server_options so = serving();
    so.waiting = waiting::park;
    client_options co = calling();
    co.waiting = waiting::park;
    auto s = me.server<ask, told>(
                   "s", [](ask const& a) { return told::of(a.number); }, so)
                 .value();
    auto c = other.client<ask, told>("s", co).value();
    running thread(s);
    for (std::uint64_t i = 0; i < 2000; ++i) {
        ASSERT_TRUE(c.call(ask::of(i)).value()->answers(i));
    }
}

TEST_F(Call, IsAnsweredInPlaceWhereTheHandlerAsksForThat) {
    auto s = me.server<ask, told>("s", [](ask const& a, response<told>& out, call_context&) {
                   if (a.number == 7) {
                       out.fail(70, "seven");
                       return;
                   }
                   *out = told::of(a.number);
               }).value();
    auto c = other.client<ask, told>("s", calling()).value();
    running thread(s);
    for (std::uint64_t i = 0; i < 100; ++i) {
        auto const r = c.call(ask::of(i));
        if (i == 7) {
            ASSERT_FALSE(r.has_value());
            EXPECT_EQ(r.error(), call_errc::server_error);
            EXPECT_EQ(r.error().fault, server_fault::failed);
            EXPECT_EQ(r.error().executed, executed::maybe);
            EXPECT_EQ(r.error().code, 70);
            EXPECT_EQ(r.error().text(), "seven");
        } else {
            ASSERT_TRUE(r.has_value());
            EXPECT_TRUE((*r)->answers(i));
        }
    }
}

TEST_F(Call, AHandlerThatMayFailReturnsNumbersAsTheyAre) {
    auto s = me.server<double, double>("s", [](double d) -> result<double, call_failure> {
                   if (d == 0) {
                       return call_failure(1, "");
                   }
                   return 1 / d;
               }).value();
    auto c = other.client<double, double>("s", calling()).value();
    running thread(s);
    EXPECT_EQ(**c.call(4.0), 0.25);
    EXPECT_EQ(c.call(0.0).error().code, 1);
}

TEST_F(Call, FailsWithWhatTheHandlerReturnsOrThrows) {
    auto s =
        me.server<ask, told>("s", [](ask const& a, call_context&) -> result<told, call_failure> {
              switch (a.number) {
              case 1: return call_failure(-5, "no such thing");
              case 2: throw std::runtime_error("out of paper");
              case 3: throw 3;
              case 4: return call_failure(4, std::string(1000, 'x'));
              default: return told::of(a.number);
              }
          }).value();
    auto c = other.client<ask, told>("s", calling()).value();
    running thread(s);
    auto const why = [&](std::uint64_t n) { return c.call(ask::of(n)).error(); };
    call_error e = why(1);
    EXPECT_EQ(e.fault, server_fault::failed);
    EXPECT_EQ(e.code, -5);
    EXPECT_EQ(e.text(), "no such thing");
    e = why(2);
    EXPECT_EQ(e.reason, call_errc::server_error);
    EXPECT_EQ(e.fault, server_fault::threw);
    EXPECT_EQ(e.text(), "out of paper");
    e = why(3);
    EXPECT_EQ(e.fault, server_fault::threw);
    EXPECT_EQ(e.text(), "");
    e = why(4);
    EXPECT_EQ(e.text(), std::string(call_text_bytes_max, 'x')) << "cut";
    EXPECT_TRUE(c.call(ask::of(5)).value()->answers(5)) << "the server goes on";
    (void)thread.stop();
    EXPECT_EQ(s.failed(), 4u);
    EXPECT_EQ(s.executed(), 5u);
}

TEST_F(Call, CarriesTextOfAnyLengthUpToItsLimitsThereAndBack) {
    server_options so = serving();
    so.request_bytes_max = 100;
    client_options co = calling();
    co.reply_bytes_max = 200;
    auto s = me.server<bytes, bytes>(
                   "s",
                   [](std::span<std::byte const> text) {
                       std::string twice(reinterpret_cast<char const*>(text.data()), text.size());
                       return twice + twice + (text.size() == 100 ? "!" : "");
                   },
                   so)
                 .value();
    auto c = other.client<bytes, bytes>("s", co).value();
    running thread(s);
    EXPECT_EQ(c.call("ab").value().text(), "abab");
    EXPECT_EQ(c.call("").value().text(), "");
    EXPECT_EQ(c.call(std::string(99, 'x')).value().text(), std::string(198, 'x'));
    EXPECT_GE(c.request_bytes_max(), 100u);
    auto const longer = c.call(std::string(c.request_bytes_max() + 1, 'x'));
    EXPECT_EQ(longer.error(), call_errc::too_large);
    EXPECT_EQ(longer.error().executed, executed::no);
    auto const answer_longer = c.call(std::string(c.request_bytes_max(), 'x'));
    EXPECT_EQ(answer_longer.error().fault, server_fault::too_large);
    EXPECT_EQ(c.call("cd").value().text(), "cdcd");
}

TEST_F(Call, CarriesAnyNumberOfElementsAndLargeOnesInChunks) {
    server_options so = serving(4);
    so.request_bytes_max = 1 << 20;
    client_options co = calling();
    co.reply_bytes_max = 1 << 20;
    co.calls_max = 4;
    auto s = me.server<std::uint64_t[], std::uint64_t[]>(
                   "s",
                   [](std::span<std::uint64_t const> all, response<std::uint64_t[]>& out,
                      call_context&) {
                       EXPECT_GE(out.capacity(), all.size());
                       std::reverse_copy(all.begin(), all.end(), (*out).begin());
                       out.resize(all.size());
                   },
                   so)
                 .value();
    auto c = other.client<std::uint64_t[], std::uint64_t[]>("s", co).value();
    running thread(s);
    for (std::size_t const size : {0u, 1u, 3u, 100u, 1000u, 100'000u, 131'072u}) {
        std::vector<std::uint64_t> const there = numbers(0, size);
        std::vector<std::uint64_t> back(there.rbegin(), there.rend());
        for (int i = 0; i < 20; ++i) {
            auto const r = c.call(there);
            ASSERT_TRUE(r.has_value()) << to_string(r.error().reason);
            ASSERT_TRUE(std::equal(back.begin(), back.end(), (**r).begin(), (**r).end()));
        }
    }
}

TEST_F(Call, CarriesFixedTypesThatDoNotFitACell) {
    auto s = me.server<page, page>(
                   "s",
                   [](page const& in) {
                       page out = in;
                       std::reverse(out.words.begin(), out.words.end());
                       return out;
                   },
                   serving(4))
                 .value();
    auto c = other.client<page, page>("s", calling()).value();
    running thread(s);
    for (std::uint64_t i = 0; i < 50; ++i) {
        page p{};
        p.words[0] = i;
        p.words[511] = ~i;
        auto const r = c.call(p);
        ASSERT_TRUE(r.has_value());
        EXPECT_EQ((*r)->words[511], i);
        EXPECT_EQ((*r)->words[0], ~i);
    }
}

TEST_F(Call, CarriesAHeaderToTheHandlerAndBack) {
    call_header seen{};
    auto s = me.server<ask, told>("s", [&](ask const& a, call_context& context) {
                   seen = context.header();
                   EXPECT_NE(context.client(), 0u);
                   EXPECT_TRUE(context.wants_reply());
                   EXPECT_FALSE(context.cancelled());
                   EXPECT_GT(context.left(), 1min);
                   if (a.number == 1) {
                       context.set_reply_header({9, 9});
                   }
                   return told::of(a.number);
               }).value();
    auto c = other.client<ask, told>("s", calling()).value();
    running thread(s);
    call_options options;
    options.header = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    EXPECT_EQ(c.call(ask::of(0), options).value().header(), options.header);
    EXPECT_EQ(c.call(ask::of(1), options).value().header(), (call_header{9, 9}));
    (void)thread.stop();
    EXPECT_EQ(seen, options.header);
}

TEST_F(Call, FromAHandlerInheritsWhatIsLeftOfTheDeadlineAndTheHeader) {
    participant third = joined(root.path(), "third");
    call_header seen{};
    std::chrono::steady_clock::time_point inner{};
    std::chrono::steady_clock::time_point outer{};
    auto back = me.server<ask, told>("back", [&](ask const& a, call_context& context) {
                      inner = context.deadline();
                      seen = context.header();
                      return told::of(a.number + 1);
                  }).value();
    running back_thread(back);
    auto nested = other.client<ask, told>("back", calling()).value();
    auto front = other
                     .server<ask, told>("front",
                                        [&](ask const& a, call_context& context) {
                                            outer = context.deadline();
                                            return *nested.call(a, context).value();
                                        })
                     .value();
    running front_thread(front);
    auto c = third.client<ask, told>("front", calling()).value();
    call_options options;
    options.deadline = 10min;
    options.header = {7};
    EXPECT_TRUE(c.call(ask::of(1), options).value()->answers(2));
    (void)front_thread.stop();
    (void)back_thread.stop();
    EXPECT_EQ(inner, outer);
    EXPECT_EQ(seen, options.header);
}

TEST_F(Call, ThatNobodyAnswersIsExecutedAllTheSame) {
    std::vector<std::uint64_t> got;
    auto s = me.server<ask, told>(
                   "s",
                   [&](ask const& a, call_context& context) {
                       EXPECT_FALSE(context.wants_reply());
                       got.push_back(a.number);
                       return told::of(0);
                   },
                   serving(8))
                 .value();
    auto c = other.client<ask, told>("s", calling()).value();
    for (std::uint64_t i = 0; i < 8; ++i) {
        EXPECT_TRUE(c.post(ask::of(i)).has_value());
    }
    auto const full = c.post(ask::of(8));
    EXPECT_EQ(full.error(), call_errc::overloaded);
    EXPECT_EQ(full.error().executed, executed::no);
    EXPECT_TRUE(full.error().refused_here);
    EXPECT_EQ(s.poll(), 8u);
    EXPECT_EQ(got, numbers(0, 8));
    EXPECT_EQ(c.open_calls(), 0u);
    EXPECT_TRUE(c.post(ask::of(9)).has_value());
}

TEST_F(Call, OfAnotherTypeIsRefused) {
    auto s = me.server<ask, told>("s", [](ask const&) { return told::of(0); }).value();
    auto const c = other.client<ask, ask>("s", calling());
    ASSERT_FALSE(c.has_value());
    EXPECT_EQ(c.error(), endpoint_errc::type_mismatch);
    EXPECT_NE(c.error().message.find("told"), std::string::npos) << c.error().message;
    auto const swapped = other.client<told, ask>("s", calling());
    EXPECT_EQ(swapped.error(), endpoint_errc::type_mismatch);
}

TEST_F(Call, OptionsThatMakeNoSenseAreRefused) {
    auto const code = [&](client_options const& o) {
        auto const c = other.client<ask, told>("s", o);
        return c ? endpoint_errc{} : c.error().code;
    };
    client_options o = calling(0ns);
    EXPECT_EQ(code(o), endpoint_errc::bad_option);
    o = calling();
    o.calls_max = 0;
    EXPECT_EQ(code(o), endpoint_errc::bad_option);
    o = calling();
    o.servers_max = servers_per_client_max + 1;
    EXPECT_EQ(code(o), endpoint_errc::bad_option);
    o = calling();
    o.replies_held_max = samples_held_limit;
    EXPECT_EQ(code(o), endpoint_errc::bad_option);
    EXPECT_EQ(code(calling()), endpoint_errc{});
    server_options bad = serving();
    bad.clients_max = 0;
    auto const s = me.server<ask, told>(
        "s", [](ask const&) { return told::of(0); }, bad);
    EXPECT_EQ(s.error(), endpoint_errc::bad_option);
    EXPECT_EQ((me.server<ask, told>("//", [](ask const&) { return told::of(0); }).error()),
              endpoint_errc::bad_name);
}

TEST_F(Call, RepliesMayBeHeldAndOutliveTheirClient) {
    auto s = me.server<ask, told>("s", [](ask const& a) { return told::of(a.number); }).value();
    running thread(s);
    std::vector<reply<told>> held;
    {
        auto c = other.client<ask, told>("s", calling()).value();
        for (std::uint64_t i = 0; i < 4; ++i) {
            held.push_back(c.call(ask::of(i)).value());
        }
        auto const more = c.call(ask::of(4));
        EXPECT_EQ(more.error(), call_errc::too_many_held);
        EXPECT_EQ(more.error().executed, executed::no);
        held.erase(held.begin());
        EXPECT_TRUE(c.call(ask::of(5)).value()->answers(5));
    }
    for (std::uint64_t i = 1; i < 4; ++i) {
        EXPECT_TRUE(held[i - 1]->answers(i));
    }
}

TEST_F(Call, RepliesThatAreHeldForLongCostTheOthersOnlyTheirRoom) {
    auto s = me.server<ask, told>("s", [](ask const& a) { return told::of(a.number); }).value();
    running thread(s);
    client_options o = calling();
    o.calls_max = 4; // eight cells
    auto c = other.client<ask, told>("s", o).value();
    std::optional<reply<told>> held = c.call(ask::of(0)).value();
    for (std::uint64_t i = 1; i < 8; ++i) {
        ASSERT_TRUE(c.call(ask::of(i)).value()->answers(i));
    }
    auto const r = c.call(ask::of(8));
    EXPECT_EQ(r.error(), call_errc::overloaded) << "the lane is full of what is held";
    EXPECT_EQ(r.error().executed, executed::no);
    held.reset();
    for (std::uint64_t i = 8; i < 100; ++i) {
        ASSERT_TRUE(c.call(ask::of(i)).value()->answers(i));
    }
}

} // namespace
} // namespace partywall::test
