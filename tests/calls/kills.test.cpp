// SPDX-License-Identifier: BSL-1.0
// Servers and clients are killed at any moment while they call and answer. Two side files say what
// was executed and what was answered, request by request; and they must fit.
#include "side_file.hpp"
#include "support.hpp"

#include <support/counts.hpp>
#include <support/role.hpp>
#include <support/sandbox.hpp>
#include <support/watchdog.hpp>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <random>
#include <utility>
#include <vector>

namespace partywall::test {
namespace {

/// How many requests one client process has numbers for.
std::uint64_t numbers_each() { return count(2000, 20'000); }

/// root, side file: serves until it is killed.
PARTYWALL_ROLE(calls_killed_server) {
    participant me = joined(context.arg(0), "server");
    side_file const executions(context.arg(1));
    server_options options = serving();
    options.start_position = std::uint64_t{0} - 64; // so that it wraps on the way
    auto s = me.server<ask, told>(
                   "s",
                   [&](ask const& a) {
                       PARTYWALL_ROLE_CHECK(a.whole());
                       executions.count(a.number);
                       return told::of(a.number);
                   },
                   options)
                 .value();
    context.send("serves");
    (void)s.run();
    return 0;
}

/// root, side file, first number, seed: calls, gives up now and then, and notes how each call ended,
/// until it is killed or out of numbers.
PARTYWALL_ROLE(calls_killed_client) {
    participant me = joined(context.arg(0), "client");
    side_file const ends(context.arg(1));
    std::uint64_t number = context.number(2);
    std::uint64_t const end = number + numbers_each();
    std::mt19937 random(static_cast<std::uint32_t>(context.number(3)));
    client_options o = calling();
    o.with_breaker = false;
    o.wait_for_ready = true;
    o.balance = balance::least_busy;
    o.start_position = (context.number(3) % 2 << 32) - 64;
    o.first_generation = ~std::uint32_t{0} - 64;
    auto c = me.client<ask, told>("s", o).value();
    context.send("calls");
    std::vector<std::pair<std::uint64_t, pending_call<told>>> all;
    while (number < end || !all.empty()) {
        if (number < end && all.size() < 16) {
            bool const hasty = random() % 8 == 0;
            all.emplace_back(number,
                             c.call_async(ask::of(number), hasty ? 30us : std::chrono::hours(1)));
            number += 1;
            if (random() % 8 == 0) {
                all.back().second.cancel();
            }
            if (all.size() < 16 && random() % 4 != 0) {
                continue;
            }
        }
        std::size_t const at = random() % all.size();
        auto& [n, call] = all[at];
        auto const r = call.get();
        PARTYWALL_ROLE_CHECK(!r || (*r)->answers(n));
        ends.set(n, r ? 'a' : r.error().executed == executed::no ? 'n' : 'm');
        std::swap(all[at], all.back());
        all.pop_back();
    }
    return 0;
}

struct CallKills : testing::Test {
    scratch_root root;
    std::string const executions = root.path() + "/executions";
    std::string const ends = root.path() + "/ends";
    participant me = joined(root.path());
    std::uint64_t blocks = 0; ///< of numbers that were given to clients
    std::mt19937 random{run_seed()};

    child start_server() {
        child c = spawn("calls_killed_server", {root.path(), executions});
        c.expect("serves");
        return c;
    }
    child start_client() {
        child c = spawn("calls_killed_client",
                        {root.path(), ends, std::to_string(blocks++ * numbers_each()),
                         std::to_string(random())});
        c.expect("calls");
        return c;
    }
};

TEST_F(CallKills, OfBothSidesLeaveNoRequestExecutedTwiceAndNoneThatWasNot) {
    watchdog::extend(20min);
    std::uint64_t const kills = count(25, 2000);
    std::vector<child> processes;
    for (int i = 0; i < 2; ++i) {
        processes.push_back(start_server());
        processes.push_back(start_client());
    }
    for (std::uint64_t i = 0; i < kills; ++i) {
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 10'000)); // any moment
        std::size_t const at = random() % processes.size();
        bool const serves = at % 2 == 0;
        processes[at].kill(SIGKILL);
        auto const how = processes[at].wait();
        EXPECT_TRUE(how == killed_by(SIGKILL) || (!serves && how == exited(0)));
        processes[at] = serves ? start_server() : start_client();
    }
    for (child& each : processes) {
        each.kill(SIGKILL);
        (void)each.wait();
    }
    auto const read = [](std::string const& path, std::uint64_t bytes) {
        std::ifstream in(path, std::ios::binary);
        std::string all((std::istreambuf_iterator<char>(in)), {});
        all.resize(bytes);
        return all;
    };
    std::uint64_t const numbers = blocks * numbers_each();
    std::string const executed = read(executions, numbers);
    std::string const ended = read(ends, numbers);
    std::uint64_t begun = 0;
    std::uint64_t by_end[3] = {};
    std::uint64_t maybe_executed = 0;
    for (std::uint64_t n = 0; n < numbers; ++n) {
        int const times = executed[n];
        char const end = ended[n];
        ASSERT_LE(times, 1) << "request " << n;
        begun += times != 0 || end != 0 ? 1 : 0;
        switch (end) {
        case 'a': ASSERT_EQ(times, 1) << "answered, request " << n; break;
        case 'n': ASSERT_EQ(times, 0) << "the answer was no, request " << n; break;
        default: break;
        }
        by_end[0] += end == 'a' ? 1 : 0;
        by_end[1] += end == 'n' ? 1 : 0;
        by_end[2] += end == 'm' ? 1 : 0;
        maybe_executed += end == 'm' ? static_cast<std::uint64_t>(times) : 0;
    }
    std::printf("%llu kills, %llu calls: %llu answered, %llu no, %llu maybe (%llu executed)\n",
                static_cast<unsigned long long>(kills), static_cast<unsigned long long>(begun),
                static_cast<unsigned long long>(by_end[0]),
                static_cast<unsigned long long>(by_end[1]),
                static_cast<unsigned long long>(by_end[2]),
                static_cast<unsigned long long>(maybe_executed));
    EXPECT_GE(begun, count(1000, 100'000));
    EXPECT_GT(by_end[0], 0u);
    EXPECT_GT(by_end[1], 0u);
    eventually([&] { // proof may come later than the end of the process
        (void)me.recover();
        return me.snapshot().participants.size() == 1;
    });
    EXPECT_TRUE(me.snapshot().entries.empty());
}

} // namespace
} // namespace partywall::test
