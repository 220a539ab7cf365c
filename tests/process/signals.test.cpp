// SPDX-License-Identifier: BSL-1.0
// Signal handlers that run in the midst of any operation: what docs/guide.md lets them do never hangs,
// and costs nobody a message.
#include "puppet.hpp"

#include <calls/support.hpp>
#include <partywall/os/clock.hpp>
#include <support/counts.hpp>
#include <support/watchdog.hpp>
#include <survey/support.hpp>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <sys/time.h>

namespace partywall::test {
namespace {

publisher<tick>* interrupted_out = nullptr;
subscriber<tick>* interrupted_in = nullptr;
client<ask, told>* interrupted_calls = nullptr;
publisher<tick>* own_of_handler = nullptr;
std::atomic<std::uint64_t> handled{0};
std::atomic<std::uint64_t> not_sent{0};

void interrupt_and_tell(int) {
    int const saved = errno;
    interrupted_out->interrupt();
    interrupted_in->interrupt();
    interrupted_calls->interrupt();
    std::uint64_t const number = handled.load();
    (own_of_handler->send(tick::of(number)) ? handled : not_sent).fetch_add(1);
    errno = saved;
}

void signals_every(std::chrono::microseconds time) {
    itimerval timer{};
    timer.it_interval.tv_usec = time.count();
    timer.it_value.tv_usec = time.count();
    PARTYWALL_ROLE_CHECK(::setitimer(ITIMER_REAL, &timer, nullptr) == 0);
}

/// root, count: sends numbers, receives them back, and calls, while signals come. Says how many
/// signals there were, and how many operations they ended.
PARTYWALL_ROLE(talks_under_signals) {
    participant me = joined(context.arg(0), "signalled");
    auto in = me.subscriber<tick>("back", lossless()).value();
    auto out = me.publisher<tick>("out", gated(4, overflow::block)).value();
    auto calls = me.client<ask, told>("s", calling()).value();
    auto aside = me.publisher<tick>("aside", dropping(64)).value();
    context.send("ready");
    context.expect("go");
    interrupted_in = &in;
    interrupted_out = &out;
    interrupted_calls = &calls;
    own_of_handler = &aside;
    struct sigaction action {};
    action.sa_handler = interrupt_and_tell;
    PARTYWALL_ROLE_CHECK(::sigaction(SIGALRM, &action, nullptr) == 0);
    signals_every(100us);
    std::uint64_t interrupted = 0;
    for (std::uint64_t i = 0; i < context.number(1); ++i) {
        for (;;) {
            auto const sent = out.send(tick::of(i));
            if (sent) {
                break;
            }
            PARTYWALL_ROLE_CHECK(sent.error() == send_errc::interrupted);
            interrupted += 1;
        }
        for (;;) {
            auto const s = in.receive(1h);
            if (s) {
                PARTYWALL_ROLE_CHECK(s->whole() && s->number == i && s.missed() == 0);
                break;
            }
            PARTYWALL_ROLE_CHECK(s.error() == receive_errc::interrupted);
            interrupted += 1;
        }
        if (i % 8 == 0) {
            auto const reply = calls.call(ask::of(i));
            // `cancelled`: its server found that it had been given up, and was quicker to say so.
            PARTYWALL_ROLE_CHECK(reply ? (**reply).answers(i)
                                       : reply.error().reason == call_errc::interrupted ||
                                             (reply.error().reason == call_errc::cancelled &&
                                              reply.error().executed == executed::no));
            interrupted += reply ? 0 : 1;
        }
    }
    signals_every(0us);
    PARTYWALL_ROLE_CHECK(not_sent.load() == 0);
    context.send(std::to_string(handled.load()));
    context.send(std::to_string(interrupted));
    context.expect("end");
    return 0;
}

TEST(SignalHandler, InterruptsAnyOperationAndSendsByItselfAndNothingIsLostOrHangs) {
    watchdog::extend(5min);
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.subscriber<tick>("out", lossless()).value();
    auto aside = me.subscriber<tick>("aside").value();
    auto back = me.publisher<tick>("back", gated(4, overflow::block)).value();
    auto s = me.server<ask, told>(
                   "s", [](ask const& a) { return told::of(a.number); }, serving())
                 .value();
    std::uint64_t const messages = count(10'000, 2'000'000);
    child other = spawn("talks_under_signals", {root.path(), std::to_string(messages)});
    other.expect("ready");
    running answers(s);
    std::uint64_t next_aside = 0;
    std::uint64_t received_aside = 0;
    std::uint64_t missed_aside = 0;
    auto const take_aside = [&] {
        while (auto const t = aside.try_receive()) {
            ASSERT_TRUE(t->whole());
            ASSERT_EQ(t->number, next_aside + t.missed());
            next_aside = t->number + 1;
            received_aside += 1;
            missed_aside += t.missed();
        }
    };
    ASSERT_NO_FATAL_FAILURE(take_aside()); // it is attached: from now on it counts
    other.send("go");
    for (std::uint64_t i = 0; i < messages; ++i) {
        auto const t = in.receive(1h);
        ASSERT_TRUE(t) << to_string(t.error());
        ASSERT_TRUE(t->whole());
        ASSERT_EQ(t->number, i);
        ASSERT_TRUE(back.send(*t));
        ASSERT_NO_FATAL_FAILURE(take_aside());
    }
    std::uint64_t const handled_there = std::stoull(other.receive());
    std::uint64_t const interrupted = std::stoull(other.receive());
    ASSERT_NO_FATAL_FAILURE(take_aside());
    std::printf("%llu signals ended %llu operations; of their own messages %llu were "
                "received and %llu missed\n",
                static_cast<unsigned long long>(handled_there),
                static_cast<unsigned long long>(interrupted),
                static_cast<unsigned long long>(received_aside),
                static_cast<unsigned long long>(missed_aside));
    EXPECT_GT(interrupted, 0u);
    EXPECT_EQ(received_aside + missed_aside, handled_there);
    other.send("end");
    EXPECT_EQ(other.wait(), exited(0));
    answers.stop();
}

std::atomic<std::uint64_t> signals{0};

/// root, rounds: everything that there is, while signals come that nobody asked for. None of it may
/// fail, or end before its time.
PARTYWALL_ROLE(does_everything_under_signals) {
    participant me = joined(context.arg(0), "signalled");
    auto in = me.receiver<tick>("back", lanes_of(4)).value();
    auto sub = me.subscriber<tick>("back", lossless()).value();
    auto out = me.sender<tick>("there", sending(overflow::block)).value();
    auto calls = me.client<ask, told>("s", calling()).value();
    auto asks = me.surveyor<ask, told>("q", asking()).value();
    wait_set set = me.wait_set();
    PARTYWALL_ROLE_CHECK(set.add(sub, 1).has_value());
    struct sigaction action {};
    action.sa_handler = [](int) { signals.fetch_add(1, std::memory_order_relaxed); };
    PARTYWALL_ROLE_CHECK(::sigaction(SIGALRM, &action, nullptr) == 0); // and no SA_RESTART
    signals_every(100us);
    for (std::uint64_t i = 0; i < context.number(1); ++i) {
        PARTYWALL_ROLE_CHECK(out.wait_for_receiver(1h).has_value());
        PARTYWALL_ROLE_CHECK(out.send(tick::of(i), 1h).has_value());
        auto const one = in.receive(1h);
        PARTYWALL_ROLE_CHECK(one && one->number == i);
        PARTYWALL_ROLE_CHECK(set.wait(1h).value().size() == 1);
        auto const other = sub.receive(1h);
        PARTYWALL_ROLE_CHECK(other && other->number == i);
        auto const begun_ns = os::monotonic_ns();
        PARTYWALL_ROLE_CHECK(sub.receive(1ms).error() == receive_errc::timed_out);
        PARTYWALL_ROLE_CHECK(os::monotonic_ns() - begun_ns >= 1'000'000);
        PARTYWALL_ROLE_CHECK(calls.wait_for_server(1h).has_value());
        auto const reply = calls.call(ask::of(i));
        PARTYWALL_ROLE_CHECK(reply && (**reply).answers(i));
        auto later = calls.call_async(ask::of(i));
        PARTYWALL_ROLE_CHECK(later.get().has_value());
        PARTYWALL_ROLE_CHECK(asks.wait_for_respondents(1, 1h).has_value());
        auto survey = asks.ask(ask::of(i)).value();
        auto const* const answer = survey.next(1h);
        PARTYWALL_ROLE_CHECK(answer != nullptr);
        // And coming and going.
        participant again = joined(context.arg(0), "again");
        auto mine = again.publisher<tick>("mine", gated(4, overflow::block)).value();
        auto to_me = me.subscriber<tick>("mine", lossless()).value();
        PARTYWALL_ROLE_CHECK(mine.wait_for_subscribers(1, 1h).has_value());
        PARTYWALL_ROLE_CHECK(mine.send(tick::of(i)).has_value());
        PARTYWALL_ROLE_CHECK(to_me.receive(1h)->number == i);
        PARTYWALL_ROLE_CHECK(me.recover().complete);
    }
    signals_every(0us);
    context.send(std::to_string(signals.load()));
    context.expect("end");
    return 0;
}

TEST(SignalHandler, ThatNobodyAskedForChangesNothingInAnyStyle) {
    watchdog::extend(5min);
    scratch_root root;
    participant me = joined(root.path());
    auto in = me.receiver<tick>("there", lanes_of(4)).value();
    auto pub = me.publisher<tick>("back", gated(4, overflow::block)).value();
    auto const answer = [](ask const& a) { return told::of(a.number); };
    auto s = me.server<ask, told>("s", answer, serving()).value();
    auto q = me.respondent<ask, told>("q", answer).value();
    std::uint64_t const rounds = count(100, 20'000);
    child other = spawn("does_everything_under_signals", {root.path(), std::to_string(rounds)});
    running answers(s);
    running also_answers(q);
    auto out = me.sender<tick>("back", sending(overflow::block)).value();
    ASSERT_TRUE(out.wait_for_receiver(1h));
    for (std::uint64_t i = 0; i < rounds; ++i) {
        auto const t = in.receive(1h);
        ASSERT_TRUE(t) << to_string(t.error());
        ASSERT_EQ(t->number, i);
        ASSERT_TRUE(out.send(*t, 1h));
        ASSERT_TRUE(pub.send(*t, 1h));
    }
    std::uint64_t const came = std::stoull(other.receive());
    std::printf("%llu signals in %llu rounds\n", static_cast<unsigned long long>(came),
                static_cast<unsigned long long>(rounds));
    EXPECT_GT(came, rounds);
    other.send("end");
    EXPECT_EQ(other.wait(), exited(0));
}

} // namespace
} // namespace partywall::test
