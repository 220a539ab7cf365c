// SPDX-License-Identifier: BSL-1.0
// What waiting costs others: processes that are blocked wake at their slices and not more often, and
// more processes than processors that spin before they sleep get their work done.
#include "puppet.hpp"

#include <support/counts.hpp>
#include <support/watchdog.hpp>

#include <partywall/os/process.hpp>
#include <partywall/registry/death_watch.hpp>

#include <cstdio>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>

namespace partywall::test {
namespace {

struct usage {
    static usage now() {
        rusage used{};
        ::getrusage(RUSAGE_SELF, &used);
        auto const us = [](timeval const& t) {
            return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000 +
                   static_cast<std::uint64_t>(t.tv_usec);
        };
        return {os::monotonic_ns(), us(used.ru_utime) + us(used.ru_stime),
                static_cast<std::uint64_t>(used.ru_nvcsw)};
    }
    std::uint64_t at_ns;
    std::uint64_t processor_us;
    std::uint64_t sleeps; ///< times that it gave its processor away by itself
};

/// root, what, seconds: waits in one blocked call for what does not come. Answers with nanoseconds
/// that it took, microseconds of processor time, sleeps.
PARTYWALL_ROLE(is_blocked) {
    participant me = joined(context.arg(0), "blocked");
    std::string const& what = context.arg(1);
    auto const for_long = std::chrono::milliseconds(context.number(2));
    auto in = me.receiver<tick>("in").value();
    auto sub = me.subscriber<tick>("t").value();
    context.send("ready");
    context.expect("wait");
    auto out = me.sender<tick>("full", sender_options{}).value();
    while (what == "send" && out.send(tick::of(0), 0ns)) {
    }
    (void)sub.try_receive();
    (void)in.try_receive();
    usage const before = usage::now();
    if (what == "receive") {
        PARTYWALL_ROLE_CHECK(in.receive(for_long).error() == receive_errc::timed_out);
    } else if (what == "subscribe") {
        PARTYWALL_ROLE_CHECK(sub.receive(for_long).error() == receive_errc::timed_out);
    } else if (what == "poll") {
        pollfd fds[] = {{in.fd().value(), POLLIN, 0}, {sub.fd().value(), POLLIN, 0}};
        auto const end = std::chrono::steady_clock::now() + for_long;
        while (std::chrono::steady_clock::now() < end) {
            (void)in.try_receive();
            (void)sub.try_receive();
            (void)::poll(fds, 2, -1); // a slice ends it
        }
    } else {
        PARTYWALL_ROLE_CHECK(out.send(tick::of(0), for_long).error() == send_errc::timed_out);
    }
    usage const after = usage::now();
    context.send(std::to_string(after.at_ns - before.at_ns) + " " +
                 std::to_string(after.processor_us - before.processor_us) + " " +
                 std::to_string(after.sleeps - before.sleeps));
    context.expect("leave");
    return 0;
}

struct blocked_in {
    char const* what;
    bool peers;
};
void PrintTo(blocked_in const& how, std::ostream* out) {
    *out << how.what << (how.peers ? " with peers" : " without");
}
class BlockedProcess : public testing::TestWithParam<blocked_in> {};

TEST_P(BlockedProcess, WakesAtItsSlicesOnly) {
    scratch_root root;
    participant me = joined(root.path());
    auto full = me.receiver<tick>("full").value();
    child blocked =
        spawn("is_blocked", {root.path(), GetParam().what, std::to_string(count(600, 10'000))});
    blocked.expect("ready");
    std::optional<sender<tick>> out;
    std::optional<publisher<tick>> pub;
    if (GetParam().peers) {
        out.emplace(me.sender<tick>("in").value());
        pub.emplace(me.publisher<tick>("t").value());
    }
    blocked.send("wait");
    std::istringstream answer(blocked.receive());
    std::uint64_t ns = 0;
    std::uint64_t processor_us = 0;
    std::uint64_t sleeps = 0;
    answer >> ns >> processor_us >> sleeps;
    bool const polls = GetParam().what == std::string("poll");
    bool const death_matters = GetParam().peers || GetParam().what == std::string("send");
    // The peer is this process. One with a sanitizer's memory is told of late.
    bool const small = os::resident_bytes(::getpid()) <= detail::death_watch::memory_told_soon_max;
    bool const told = polls ? os::pid_namespace() != 0 && small : os::have_futex_waitv();
    std::uint64_t const slice = !death_matters ? detail::slice::idle_ns
                                : told         ? detail::slice::told_ns
                                               : detail::slice::peer_ns;
    // Those of two descriptors do not end at the same time.
    EXPECT_LE(sleeps, (polls ? 2 : 1) * (ns / slice) + 10);
    double const percent = static_cast<double>(processor_us) / static_cast<double>(ns) * 1e5;
    std::printf("%.2f %% of a processor, %lu sleeps in %lu ms\n", percent,
                static_cast<unsigned long>(sleeps), static_cast<unsigned long>(ns / 1'000'000));
    RecordProperty("percent of a processor", std::to_string(percent));
    EXPECT_TRUE(!full_counts() || percent < 5) << "ten seconds of waiting are no work";
    blocked.send("leave");
    EXPECT_EQ(blocked.wait(), exited(0));
}
INSTANTIATE_TEST_SUITE_P(Calls, BlockedProcess,
                         testing::Values(blocked_in{"receive", false}, blocked_in{"receive", true},
                                         blocked_in{"subscribe", false},
                                         blocked_in{"subscribe", true}, blocked_in{"send", false},
                                         blocked_in{"poll", false}, blocked_in{"poll", true}));

/// Before everybody who is not real-time, on its processor. False where the user may not have that.
bool become_real_time() {
    sched_param const lowest{::sched_get_priority_min(SCHED_FIFO)};
    return ::sched_setscheduler(0, SCHED_FIFO, &lowest) == 0;
}

/// root, name of mine, name of the other, round trips, spin_for in us, processors, who begins,
/// whether it is real-time: then it says how often it slept.
PARTYWALL_ROLE(plays_ping_pong) {
    cpu_set_t allowed;
    PARTYWALL_ROLE_CHECK(::sched_getaffinity(0, sizeof allowed, &allowed) == 0);
    cpu_set_t few;
    CPU_ZERO(&few);
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &allowed) && CPU_COUNT(&few) < static_cast<int>(context.number(5))) {
            CPU_SET(cpu, &few);
        }
    }
    PARTYWALL_ROLE_CHECK(::sched_setaffinity(0, sizeof few, &few) == 0);
    participant me = joined(context.arg(0), "player");
    receiver_options receiving;
    receiving.depth = 4;
    receiving.spin_for = std::chrono::microseconds(context.number(4));
    sender_options sending;
    sending.spin_for = receiving.spin_for;
    auto in = me.receiver<tick>(context.arg(1), receiving).value();
    auto out = me.sender<tick>(context.arg(2), sending).value();
    PARTYWALL_ROLE_CHECK(out.wait_for_receiver(1h).has_value());
    bool const begins = context.number(6) != 0;
    bool const real_time = context.number(7) != 0;
    if (real_time && !become_real_time()) {
        context.send("may not");
        context.hang();
    }
    usage const before = usage::now();
    for (std::uint64_t i = 0; i < context.number(3); ++i) {
        PARTYWALL_ROLE_CHECK(!begins || out.send(tick::of(i), 1h).has_value());
        auto const s = in.receive(1h);
        PARTYWALL_ROLE_CHECK(s && s->number == i);
        PARTYWALL_ROLE_CHECK(begins || out.send(tick::of(i), 1h).has_value());
    }
    std::uint64_t const sleeps = usage::now().sleeps - before.sleeps;
    context.send(real_time ? std::to_string(sleeps) : "done");
    context.expect("leave"); // the other side may still wait for the last answer
    return 0;
}

void play(std::uint64_t pairs, std::uint64_t processors, std::uint64_t spin_us,
          std::uint64_t round_trips) {
    scratch_root root;
    std::vector<child> players;
    for (std::uint64_t i = 0; i < 2 * pairs; ++i) {
        auto const name = [](std::uint64_t n) { return "p" + std::to_string(n); };
        players.push_back(
            spawn("plays_ping_pong", {root.path(), name(i), name(i ^ 1),
                                      std::to_string(round_trips), std::to_string(spin_us),
                                      std::to_string(processors), std::to_string(i % 2), "0"}));
    }
    for (child& one : players) {
        one.expect("done");
    }
    for (child& one : players) {
        one.send("leave");
        EXPECT_EQ(one.wait(), exited(0));
    }
}

// Who answers cannot run while we spin: spins of 5 ms, as many as there are waits, would take half
// an hour.
TEST(SpinThenPark, MakesProgressWithMoreSpinnersThanProcessors) {
    watchdog::extend(5min);
    play(8, 2, 20, count(2000, 100'000));
    play(8, 2, 5000, count(2000, 100'000));
}

TEST(SpinThenPark, MakesProgressOnOneProcessor) {
    watchdog::extend(5min);
    play(1, 1, 20, count(5000, 200'000));
    play(1, 1, 5000, count(5000, 200'000));
}

// Whoever answers can run only while the other sleeps, or when the kernel takes the processor from
// those that are real-time, which it does for 50 ms of each second.
TEST(SpinThenPark, OfARealTimeProcessLeavesTheProcessorToTheOneItWaitsFor) {
    watchdog::extend(5min);
    std::uint64_t const round_trips = count(1000, 100'000);
    for (std::uint64_t const spin_us : {20U, 1000U}) {
        scratch_root root;
        auto const player = [&](char const* mine, char const* other, char const* begins,
                                char const* real_time) {
            return spawn("plays_ping_pong", {root.path(), mine, other, std::to_string(round_trips),
                                             std::to_string(spin_us), "1", begins, real_time});
        };
        child urgent = player("a", "b", "0", "1");
        child normal = player("b", "a", "1", "0");
        std::string const slept = urgent.receive();
        if (slept == "may not") {
            GTEST_SKIP() << "the user may have no SCHED_FIFO process";
        }
        normal.expect("done");
        std::printf("spins for %lu us: slept %s times in %lu round trips\n",
                    static_cast<unsigned long>(spin_us), slept.c_str(),
                    static_cast<unsigned long>(round_trips));
        EXPECT_GE(std::stoull(slept), round_trips / 2);
        for (child* one : {&urgent, &normal}) {
            one->send("leave");
            EXPECT_EQ(one->wait(), exited(0));
        }
    }
}

} // namespace
} // namespace partywall::test
