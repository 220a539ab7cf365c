// SPDX-License-Identifier: BSL-1.0
// A server that is killed at each store and system call of taking, executing and answering, and at
// the same time a client at each of calling, giving up and taking replies. Whatever the two die of,
// no request was executed twice, and none whose caller was told *no*.
#include "stage.hpp"

#include <support/counts.hpp>
#include <support/watchdog.hpp>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <poll.h>
#include <vector>

namespace partywall::test {
namespace {

constexpr std::uint64_t requests = 3;

/// Its record is in a directory of its own: there are two traps.
void arm(role_context& context) {
    std::string const own = context.arg(0) + "/" + context.arg(1);
    store_trap::arm(context.arg(0) + "/d", open_trap_record(own),
                    context.number(2) == 0 ? trap_action::count : trap_action::kill,
                    context.number(2));
}
bool was_told(role_context& context) {
    pollfd told{context.descriptor(), POLLIN, 0};
    return ::poll(&told, 1, 0) != 0;
}

/// root, "server", point or 0: deals with as many requests as there are, or until it is told to end.
PARTYWALL_ROLE(crash_pair_server) {
    participant me = joined(context.arg(0), "server");
    ledger const counts(context.arg(0));
    std::uint64_t dealt = 0;
    auto s = me.server<parcel, parcel>("svc", [&](parcel const& p) {
                   PARTYWALL_ROLE_CHECK(p.whole());
                   counts[noted::executed(p.number)].fetch_add(1);
                   return parcel::of(p.number, 2);
               }).value();
    context.send("ready");
    context.expect("go");
    arm(context);
    while (dealt < requests && !was_told(context)) {
        (void)s.run_for(1ms);
        dealt = s.executed() + s.cancelled() + s.expired();
    }
    store_trap::disarm();
    context.send("done");
    context.expect("stop");
    context.expect("leave");
    return 0;
}

/// root, "client", point or 0: one call that waits for its reply, one that is given up, one more.
PARTYWALL_ROLE(crash_pair_client) {
    participant me = joined(context.arg(0), "client");
    ledger const counts(context.arg(0));
    client_options options;
    options.deadline = 1h;
    options.waiting = waiting::park;
    options.with_breaker = false;
    auto c = me.client<parcel, parcel>("svc", options).value();
    PARTYWALL_ROLE_CHECK(c.wait_for_server(1h).has_value());
    context.send("ready");
    context.expect("go");
    auto const note = [&](std::uint64_t number, call_outcome<parcel> const& r) {
        PARTYWALL_ROLE_CHECK(!r || ((*r)->whole() && (*r)->number == number));
        counts[noted::said_no(number)] = r ? 2 : r.error().executed == executed::no ? 1 : 3;
    };
    arm(context);
    auto first = c.call_async(parcel::of(0, 1));
    auto given_up = c.call_async(parcel::of(1, 1));
    given_up.cancel();
    note(1, given_up.get());
    note(0, first.get());
    note(2, c.call(parcel::of(2, 1)));
    store_trap::disarm();
    context.send("done");
    context.expect("leave");
    return 0;
}

class CallPair : public testing::Test {
  protected:
    void SetUp() override {
        if (char const* const why = store_trap::unsupported()) {
            GTEST_SKIP() << why;
        }
        watchdog::extend(full_counts() ? std::chrono::milliseconds(2h)
                                       : std::chrono::milliseconds(2min));
        for (char const* const who : {"server", "client"}) {
            std::filesystem::create_directory(root.path() + "/" + who);
        }
    }

    /// 0: it lives. How many of the two were killed at their points.
    unsigned round(std::uint64_t server_at, std::uint64_t client_at) {
        for (std::uint64_t i = 0; i < noted::requests_max; ++i) {
            counts[noted::executed(i)] = 0;
            counts[noted::said_no(i)] = 0;
        }
        child server =
            spawn("crash_pair_server", {root.path(), "server", std::to_string(server_at)});
        server.expect("ready");
        child client =
            spawn("crash_pair_client", {root.path(), "client", std::to_string(client_at)});
        client.expect("ready");
        server.send("go");
        client.send("go");
        unsigned const killed = end(client, {}) + end(server, "stop");
        for (std::uint64_t i = 0; i < requests; ++i) {
            std::uint64_t const times = counts.get(noted::executed(i));
            std::uint64_t const said = counts.get(noted::said_no(i));
            EXPECT_LE(times, said == 1 ? 0u : 1u)
                << "request " << i << ", answer " << said << ", server at " << server_at
                << ", client at " << client_at;
            EXPECT_FALSE(said == 2 && times == 0) << "a reply to what was not executed";
        }
        return killed;
    }
    /// 1 if it was killed.
    static unsigned end(child& process, std::string const& last_word) {
        try {
            if (!last_word.empty()) {
                process.send(last_word);
            }
            process.expect("done");
            process.send("leave");
        } catch (std::exception const&) { // it is dead
        }
        exit_status const how = process.wait();
        EXPECT_TRUE(how == killed_by(SIGKILL) || how == exited(0));
        return how == killed_by(SIGKILL) ? 1 : 0;
    }
    std::uint64_t points(char const* who) {
        return open_trap_record(root.path() + "/" + who).points;
    }

    scratch_root root;
    participant me = joined(root.path());
    ledger counts{root.path()};
};

TEST_F(CallPair, KilledAnywhereOnBothSidesExecutesNothingTwiceAndNothingThatWasNot) {
    EXPECT_EQ(round(0, 0), 0u);
    std::uint64_t const of_server = points("server");
    std::uint64_t const of_client = points("client");
    std::uint64_t const wanted = count(7, 1'000'000);
    std::uint64_t const server_step = std::max<std::uint64_t>(1, of_server / wanted);
    std::uint64_t const client_step = std::max<std::uint64_t>(1, of_client / wanted);
    std::uint64_t rounds = 0;
    std::uint64_t killed = 0;
    for (std::uint64_t i = run_seed() % server_step + 1; i <= of_server; i += server_step) {
        for (std::uint64_t k = (run_seed() + i) % client_step + 1; k <= of_client;
             k += client_step) {
            killed += round(i, k);
            rounds += 1;
        }
        EXPECT_EQ(round(0, 0), 0u) << "who comes then finds everything as it should be";
        for (std::uint64_t n = 0; n < requests; ++n) {
            EXPECT_NE(counts.get(noted::said_no(n)), 0u);
        }
    }
    std::printf("%llu x %llu points, %llu pairs, %llu killed\n",
                static_cast<unsigned long long>(of_server),
                static_cast<unsigned long long>(of_client), static_cast<unsigned long long>(rounds),
                static_cast<unsigned long long>(killed));
    EXPECT_GT(killed, rounds / 2);
    eventually([&] {
        (void)me.recover();
        return me.snapshot().participants.size() == 1;
    });
    EXPECT_TRUE(me.snapshot().entries.empty());
}

} // namespace
} // namespace partywall::test
