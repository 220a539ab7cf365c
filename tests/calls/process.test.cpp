// SPDX-License-Identifier: BSL-1.0
// Servers and clients in processes of their own that are killed and stopped: how the calls end, and
// how often requests were executed. What was executed stands in a file beside, one byte per request.
#include "side_file.hpp"
#include "support.hpp"

#include <support/counts.hpp>
#include <support/role.hpp>

#include <csignal>
#include <map>
#include <random>
#include <sstream>
#include <vector>

namespace partywall::test {
namespace {

/// Requests with numbers from here on are not answered: the server says "executing", and hangs.
constexpr std::uint64_t hangs_from = 1'000'000;
/// ... says "executing", and answers when it is told to go on.
constexpr std::uint64_t waits_from = 2'000'000;
/// At this one it leaves its process.
constexpr std::uint64_t exits_at = 999'999;

/// Root, side file, mode, memory in MiB, first position. Serves as it is told: "poll N": until N requests were dealt with.
PARTYWALL_ROLE(calls_server) {
    participant me = joined(context.arg(0), "server");
    side_file const executions(context.arg(1));
    std::string const& mode = context.arg(2);
    std::vector<char> const memory(context.number(3) << 20, 'x');
    server_options options = serving();
    options.start_position = context.number(4);
    auto s = me.server<ask, told>(
        "s",
        [&](ask const& a) {
            PARTYWALL_ROLE_CHECK(a.whole());
            executions.count(a.number);
            if (a.number == exits_at) {
                std::exit(0);
            }
            if (a.number >= waits_from) {
                context.send("executing");
                (void)context.receive();
            } else if (a.number >= hangs_from) {
                context.send("executing");
                context.hang();
            }
            return told::of(a.number);
        },
        options);
    PARTYWALL_ROLE_CHECK(s.has_value());
    context.send(std::to_string(me.ticket()));
    if (mode == "runs") {
        (void)s->run();
        return 0;
    }
    for (;;) {
        std::istringstream line(context.receive());
        std::string verb;
        std::size_t count = 0;
        line >> verb >> count;
        if (verb == "run") {
            (void)s->run();
        }
        if (verb != "poll") {
            return 0;
        }
        for (std::size_t done = 0; done < count;) {
            done += s->poll(count - done);
        }
        context.send("polled");
    }
}

/// Calls with the numbers that it is told; answers how each ended.
PARTYWALL_ROLE(calls_client) {
    participant me = joined(context.arg(0), "client");
    context.send(std::to_string(me.ticket()));
    auto c = me.client<ask, told>("s", calling()).value();
    PARTYWALL_ROLE_CHECK(c.wait_for_server(1h).has_value());
    context.send("attached");
    std::vector<pending_call<told>> calls;
    for (;;) {
        std::istringstream line(context.receive());
        std::string verb;
        std::uint64_t number = 0;
        line >> verb >> number;
        if (verb == "begin") {
            calls.push_back(c.call_async(ask::of(number)));
            context.send("begun");
            continue;
        }
        if (verb != "call") {
            return 0;
        }
        context.send("calling");
        auto const r = c.call(ask::of(number));
        context.send(r ? ((*r)->answers(number) ? "answered" : "another's reply")
                       : std::string(to_string(r.error().reason)) +
                             (r.error().executed == executed::no ? " no" : " maybe"));
    }
}

struct CallsProcess : testing::Test {
    scratch_root root;
    std::string const file = root.path() + "/executions";
    side_file executions{file};
    participant me = joined(root.path());

    child start_server(std::string const& mode = "", std::string const& mib = "0",
                       std::uint64_t start = std::uint64_t{0} - 6) {
        child c = spawn("calls_server", {root.path(), file, mode, mib, std::to_string(start)});
        ticket = std::stoull(c.receive());
        return c;
    }
    static void kill(child& c) {
        c.kill(SIGKILL);
        EXPECT_EQ(c.wait(), killed_by(SIGKILL));
    }
    static std::string text(call_outcome<told> const& r, std::uint64_t number) {
        if (r) {
            return (*r)->answers(number) ? "answered" : "another's reply";
        }
        return std::string(to_string(r.error().reason)) +
               (r.error().executed == executed::no ? ", no" : ", maybe");
    }
    std::uint64_t ticket = 0;
};

TEST_F(CallsProcess, AServerThatDiesBeforeItTakesTheRequestIsNoAndNothingIsExecuted) {
    child s = start_server();
    auto c = me.client<ask, told>("s", calling()).value();
    std::vector<pending_call<told>> calls;
    for (std::uint64_t i = 0; i < 8; ++i) {
        calls.push_back(c.call_async(ask::of(i)));
    }
    kill(s);
    for (std::uint64_t i = 0; i < 8; ++i) {
        EXPECT_EQ(text(calls[i].get(), i), "server died, no");
        EXPECT_EQ(executions.of(i), 0);
    }
    EXPECT_EQ(text(c.call(ask::of(9)), 9), "no server, no");
    EXPECT_EQ(c.open_calls(), 0u);
}

TEST_F(CallsProcess, AServerThatDiesWhileItExecutesIsMaybeAndWhatItHadNotTakenIsNo) {
    child s = start_server("runs");
    auto c = me.client<ask, told>("s", calling()).value();
    auto first = c.call_async(ask::of(1));
    EXPECT_EQ(text(first.get(), 1), "answered");
    auto begun = c.call_async(ask::of(hangs_from));
    auto after = c.call_async(ask::of(2));
    s.expect("executing");
    kill(s);
    EXPECT_EQ(text(begun.get(), hangs_from), "server died, maybe");
    EXPECT_EQ(text(after.get(), 2), "server died, no");
    EXPECT_EQ(executions.of(hangs_from), 1);
    EXPECT_EQ(executions.of(2), 0);
}

TEST_F(CallsProcess, AHandlerThatExitsIsAServerThatDies) {
    client_options o = calling();
    o.with_breaker = false;
    auto c = me.client<ask, told>("s", o).value();
    for (int round = 0; round < 2; ++round) { // and nothing of it is in the way of the next one
        child s = start_server("runs");
        ASSERT_TRUE(c.wait_for_server(1h).has_value());
        auto leaves = c.call_async(ask::of(exits_at));
        auto after = c.call_async(ask::of(3));
        EXPECT_EQ(text(leaves.get(), exits_at), "server died, maybe");
        EXPECT_EQ(text(after.get(), 3), "server died, no");
        EXPECT_EQ(s.wait(), exited(0));
        EXPECT_EQ(executions.of(exits_at), round + 1);
        EXPECT_EQ(executions.of(3), 0);
    }
    c.close();
    (void)me.recover();
    EXPECT_EQ(me.snapshot().participants.size(), 1u);
    EXPECT_TRUE(me.snapshot().entries.empty());
}

TEST_F(CallsProcess, AServerThatDiesAfterItAnsweredHasAnswered) {
    child s = start_server();
    auto c = me.client<ask, told>("s", calling()).value();
    auto answered = c.call_async(ask::of(1));
    s.send("poll 1");
    s.expect("polled");
    auto untaken = c.call_async(ask::of(2));
    kill(s);
    EXPECT_EQ(text(untaken.get(), 2), "server died, no");
    EXPECT_TRUE(answered.ready()) << "the last look found it";
    EXPECT_EQ(text(answered.get(), 1), "answered");
    EXPECT_EQ(executions.of(1), 1);
}

TEST_F(CallsProcess, AStoppedServerIsTheDeadlineAndNotDeadAndLeavesOutWhatWasGivenUp) {
    child s = start_server("runs");
    auto c = me.client<ask, told>("s", calling()).value();
    ASSERT_EQ(text(c.call(ask::of(1)), 1), "answered");
    s.stop();
    EXPECT_EQ(text(c.call(ask::of(2), 20ms), 2), "deadline, no");
    auto waits = c.call_async(ask::of(3));
    EXPECT_FALSE(waits.wait(20ms));
    s.resume();
    EXPECT_EQ(text(waits.get(), 3), "answered");
    EXPECT_EQ(executions.of(2), 0);
    EXPECT_EQ(executions.of(3), 1);
    EXPECT_EQ(c.late_replies(), 1u);
}

TEST_F(CallsProcess, AServerThatIsStoppedWhileItExecutesIsTheDeadlineAndMaybe) {
    child s = start_server("runs");
    auto c = me.client<ask, told>("s", calling()).value();
    auto begun = c.call_async(ask::of(waits_from), 1s);
    s.expect("executing");
    s.stop();
    auto behind = c.call_async(ask::of(4), 1s);
    EXPECT_EQ(text(begun.get(), waits_from), "deadline, maybe");
    EXPECT_EQ(text(behind.get(), 4), "deadline, no");
    s.resume();
    s.send("go on");
    EXPECT_EQ(text(c.call(ask::of(5)), 5), "answered");
    EXPECT_EQ(executions.of(waits_from), 1);
    EXPECT_EQ(executions.of(4), 0);
    EXPECT_EQ(c.late_replies(), 2u);
}

/// Positions of requests and replies, and the slots' generations, wrap between what was begun and
/// what was not.
TEST_F(CallsProcess, DeathsAreToldAsEverWherePositionsWrap) {
    for (std::uint64_t const wrap :
         {std::uint64_t{1} << 32, std::uint64_t{1} << 63, std::uint64_t{0}}) {
        for (std::uint64_t const before : {1u, 3u, 4u, 5u}) {
            client_options o = calling();
            o.start_position = wrap - before;
            o.first_generation = static_cast<std::uint32_t>(0 - before);
            o.calls_max = 8;
            o.with_breaker = false;
            auto c = me.client<ask, told>("s", o).value();
            std::vector<pending_call<told>> calls;
            auto const begin = [&](std::uint64_t number) {
                calls.push_back(c.call_async(ask::of(number)));
            };
            child s = start_server("", "0", wrap - before);
            ASSERT_TRUE(c.wait_for_server(1h).has_value());
            int const answered_before = executions.of(1);
            int const untaken_before = executions.of(7);
            for (std::uint64_t i = 1; i < 9; ++i) {
                begin(i);
            }
            s.send("poll 4");
            s.expect("polled");
            EXPECT_EQ(text(c.call(ask::of(9), 1ms), 9), "overloaded, no");
            kill(s);
            for (std::uint64_t i = 1; i < 9; ++i) {
                EXPECT_EQ(text(calls[i - 1].get(), i), i < 5 ? "answered" : "server died, no");
            }
            EXPECT_EQ(executions.of(1), answered_before + 1);
            EXPECT_EQ(executions.of(7), untaken_before);
            child next = start_server("runs", "0", wrap - before);
            ASSERT_TRUE(c.wait_for_server(1h).has_value());
            for (std::uint64_t i = 1; i < 4; ++i) {
                EXPECT_EQ(text(c.call(ask::of(i)), i), "answered");
            }
            auto begun = c.call_async(ask::of(hangs_from));
            auto behind = c.call_async(ask::of(7));
            next.expect("executing");
            kill(next);
            EXPECT_EQ(text(begun.get(), hangs_from), "server died, maybe");
            EXPECT_EQ(text(behind.get(), 7), "server died, no");
            EXPECT_EQ(executions.of(7), untaken_before);
        }
    }
}

TEST_F(CallsProcess, ACallThatSleepsIsToldOfTheDeathWithoutSlicesAndHowItEnded) {
    no_slices const endless;
    for (bool const begun : {false, true}) {
        child s = start_server(begun ? "runs" : "");
        std::uint64_t const number = begun ? hangs_from + 1 : 5;
        std::string const ended = begun ? "server died, maybe" : "server died, no";
        client_options o = calling();
        o.waiting = waiting::park;
        auto c = me.client<ask, told>("s", o).value();
        auto call = c.call_async(ask::of(number));
        if (begun) {
            s.expect("executing");
        }
        std::thread killer([&] { s.kill(SIGKILL); });
        EXPECT_EQ(text(call.get(), number), ended);
        killer.join();
        EXPECT_EQ(s.wait(), killed_by(SIGKILL));
    }
}

TEST_F(CallsProcess, AClientGoesOnWithTheServerThatComesAgain) {
    auto c = me.client<ask, told>("s", calling()).value();
    std::uint64_t number = 0;
    for (int round = 0; round < 5; ++round) {
        child s = start_server("runs");
        ASSERT_TRUE(c.wait_for_server(1h).has_value());
        for (int i = 0; i < 20; ++i) {
            number += 1;
            // The predecessor's end may first be found by a call.
            std::string const how = text(c.call(ask::of(number)), number);
            ASSERT_TRUE(how == "answered" || (i == 0 && how == "server died, no")) << how;
            EXPECT_EQ(executions.of(number), how == "answered" ? 1 : 0);
        }
        kill(s);
    }
}

TEST_F(CallsProcess, OfThreeServersTheDeadOneIsLeftOut) {
    std::vector<child> servers;
    for (int i = 0; i < 3; ++i) {
        servers.push_back(start_server("runs"));
    }
    for (balance const how : {balance::round_robin, balance::least_busy}) {
        client_options o = calling();
        o.balance = how;
        auto c = me.client<ask, told>("s", o).value();
        EXPECT_EQ(c.servers(), how == balance::round_robin ? 3u : 2u);
        std::map<std::uint64_t, int> by_server;
        for (std::uint64_t i = 0; i < 60; ++i) {
            auto const r = c.call(ask::of(i));
            ASSERT_TRUE(r.has_value()) << to_string(r.error().reason);
            by_server[r->server()] += 1;
        }
        EXPECT_EQ(by_server.size(), how == balance::round_robin ? 3u : 2u);
        if (how == balance::round_robin) {
            for (auto const& [server, count] : by_server) {
                EXPECT_EQ(count, 20) << server;
            }
            kill(servers[1]);
            for (std::uint64_t i = 0; i < 60; ++i) {
                std::string const r = text(c.call(ask::of(i)), i);
                ASSERT_TRUE(r == "answered" || r == "server died, no") << r;
            }
            EXPECT_EQ(c.servers(), 2u);
        }
    }
}

TEST_F(CallsProcess, AKilledClientLeavesItsLaneToOthersAndNothingElse) {
    server_options o = serving();
    o.clients_max = 1;
    std::vector<deferred<told>> owed;
    auto s =
        me.server<ask, told>(
              "s",
              [&](ask const&, deferred<told> d, call_context&) { owed.push_back(std::move(d)); }, o)
            .value();
    for (std::size_t round = 0; round < 3; ++round) {
        owed.clear();
        child c = spawn("calls_client", {root.path()});
        (void)c.receive();
        c.expect("attached");
        for (int i = 0; i < 3; ++i) {
            c.send("begin " + std::to_string(i));
            c.expect("begun");
        }
        while (owed.size() < 2) {
            (void)s.poll(1);
        }
        c.kill(SIGKILL);
        EXPECT_EQ(c.wait(), killed_by(SIGKILL));
        EXPECT_FALSE(owed[0].answer(told::of(0)));
        while (s.client_count() != 0) {
            (void)s.run_for(1ms);
        }
        EXPECT_FALSE(owed[1].answer(told::of(1)));
    }
    owed.clear();
    auto const is_free = [&] {
        (void)s.run_for(1ms);
        return me.client<ask, told>("s", calling()).has_value();
    };
    while (!is_free()) {
    }
    s.close();
    (void)me.recover();
    EXPECT_EQ(me.snapshot().participants.size(), 1u);
    EXPECT_TRUE(me.snapshot().entries.empty());
}

TEST_F(CallsProcess, AStoppedClientHoldsNobodyUp) {
    auto s = me.server<ask, told>("s", [](ask const& a) { return told::of(a.number); }).value();
    child stopped = spawn("calls_client", {root.path()});
    (void)stopped.receive();
    stopped.expect("attached");
    for (int i = 0; i < 64; ++i) { // as many as it may have
        stopped.send("begin " + std::to_string(i));
        stopped.expect("begun");
    }
    stopped.stop();
    auto c = me.client<ask, told>("s", calling()).value();
    {
        running thread(s);
        for (std::uint64_t i = 0; i < 1000; ++i) {
            ASSERT_EQ(text(c.call(ask::of(i)), i), "answered");
        }
    }
    EXPECT_EQ(s.executed(), 1064u);
    EXPECT_EQ(s.lost(), 0u);
    EXPECT_TRUE(s.shutdown(1h)) << "at once";
}

/// Servers are killed again and again while a client calls: every answer must fit the side file.
TEST_F(CallsProcess, UnderKillsNoRequestIsExecutedTwiceAndNoneThatWasNot) {
    std::uint64_t const rounds = count(12, 400);
    client_options o = calling(5s);
    o.calls_max = 32;
    auto c = me.client<ask, told>("s", o).value();
    std::mt19937 random(run_seed());
    std::uint64_t number = 0;
    std::uint64_t answered = 0;
    std::uint64_t no = 0;
    std::uint64_t maybe = 0;
    for (std::uint64_t round = 0; round < rounds; ++round) {
        child s = start_server("runs");
        ASSERT_TRUE(c.wait_for_server(1h).has_value());
        std::uint64_t const calls_before_kill = random() % 200;
        std::vector<std::pair<std::uint64_t, pending_call<told>>> calls;
        auto const fetch = [&](std::size_t at) {
            auto& [n, call] = calls[at];
            auto const r = call.get();
            if (r) {
                ASSERT_TRUE((*r)->answers(n));
                ASSERT_EQ(executions.of(n), 1);
                answered += 1;
            } else if (r.error().executed == executed::no) {
                ASSERT_EQ(executions.of(n), 0) << n << ' ' << to_string(r.error().reason);
                no += 1;
            } else {
                ASSERT_LE(executions.of(n), 1) << n;
                maybe += 1;
            }
            calls.erase(calls.begin() + static_cast<std::ptrdiff_t>(at));
        };
        for (std::uint64_t i = 0; i < calls_before_kill; ++i) {
            if (calls.size() == 24) {
                fetch(random() % calls.size());
            }
            calls.emplace_back(number, c.call_async(ask::of(number)));
            number += 1;
        }
        s.kill(SIGKILL);
        for (int i = 0; i < 4 && calls.size() < 30; ++i) { // it may be dead, or not yet
            calls.emplace_back(number, c.call_async(ask::of(number)));
            number += 1;
        }
        while (!calls.empty()) {
            fetch(random() % calls.size());
        }
        EXPECT_EQ(s.wait(), killed_by(SIGKILL));
    }
    EXPECT_GT(answered, 0u);
    EXPECT_GT(no + maybe, 0u);
    EXPECT_EQ(c.open_calls(), 0u);
    for (std::uint64_t n = 0; n < number; ++n) { // also those that nobody was told of
        ASSERT_LE(executions.of(n), 1);
    }
}

} // namespace
} // namespace partywall::test
