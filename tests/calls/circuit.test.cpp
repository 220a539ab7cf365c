// SPDX-License-Identifier: BSL-1.0
// The breaker before each server of a client: what opens it, what it refuses, and what is not counted.
#include "support.hpp"

#include <support/role.hpp>
#include <support/sandbox.hpp>

#include <gmock/gmock.h>

#include <csignal>
#include <vector>

namespace partywall::test {
namespace {

/// Opens after two failures in a row, and stays open.
breaker_options strict(breaker_scope scope = breaker_scope::process) {
    breaker_options o;
    o.window = breaker_window::consecutive(2);
    o.open_for = o.open_for_max = 1h;
    o.probing = breaker_probing::all_must_pass(2);
    o.half_open_max = 1h;
    o.scope = scope;
    return o;
}
client_options behind(breaker_options const& rules) {
    client_options o = calling();
    o.breaker = rules;
    return o;
}

struct Circuit : testing::Test {
    scratch_root root;
    participant me = joined(root.path());
    participant other = joined(root.path(), "other");

    auto make_server(server_options const& options = serving()) {
        return me
            .server<ask, told>(
                "s", [](ask const& a) { return told::of(a.number); }, options)
            .value();
    }
    auto make_client(client_options const& options = behind(strict())) {
        return other.client<ask, told>("s", options).value();
    }
    template <class Client>
    static void time_out(Client& c, int times) {
        for (int i = 0; i < times; ++i) {
            ASSERT_EQ(c.call(ask::of(1), 1ms).error(), call_errc::deadline) << i;
        }
    }
    /// The only one.
    template <class Client>
    static breaker_stats figures(Client const& c) {
        auto const all = c.breakers();
        EXPECT_EQ(all.size(), 1U);
        return all.at(0);
    }
};

template <class Result>
void expect_refused(Result const& r, bool says_when = true) {
    ASSERT_FALSE(r.has_value());
    EXPECT_EQ(r.error(), call_errc::circuit_open) << to_string(r.error().reason);
    EXPECT_EQ(r.error().executed, executed::no);
    EXPECT_TRUE(r.error().refused_here);
    EXPECT_EQ(r.error().retry_after > 0ns, says_when);
}

TEST_F(Circuit, IsThereUnlessSomebodySaysOtherwise) {
    auto s = make_server();
    auto c = make_client(calling());
    time_out(c, 4);
    EXPECT_EQ(figures(c).opened_total, 0U);
    EXPECT_EQ(figures(c).minimum_calls, 5U);
    time_out(c, 1);
    breaker_stats const f = figures(c);
    EXPECT_EQ(f.opened_total, 1U);
    EXPECT_EQ(f.total.calls, 5U);
    EXPECT_EQ(f.total.failures, 5U);
    EXPECT_EQ(f.total.slow, 5U) << "who does not answer in time is slow";
    EXPECT_EQ(f.callee, s.incarnation());

    client_options o = calling();
    o.with_breaker = false;
    auto without = make_client(o);
    time_out(without, 20);
    EXPECT_TRUE(without.breakers().empty());
}

TEST_F(Circuit, RefusesEveryKindOfCallAtOnceAndTheServerSeesNone) {
    auto s = make_server();
    auto c = make_client();
    time_out(c, 2);
    expect_refused(c.call(ask::of(2)));
    expect_refused(c.call_async(ask::of(3)).get());
    expect_refused(c.post(ask::of(4)));
    call_options patient;
    patient.wait_for_ready = true;
    patient.wait_for_room = true;
    expect_refused(c.call(ask::of(5), patient));
    bool told_so = false;
    (void)c.call_async(ask::of(6)).then([&](call_outcome<told> const& r) noexcept {
        told_so = !r && r.error() == call_errc::circuit_open;
    });
    EXPECT_TRUE(told_so);
    EXPECT_EQ(figures(c).rejected, 5U);
    EXPECT_EQ(figures(c).total.calls, 2U) << "what was refused is no result";
    EXPECT_EQ(s.poll(), 2U);
    EXPECT_EQ(s.cancelled(), 2U);
    EXPECT_EQ(s.executed(), 0U);
    EXPECT_LE(c.call(ask::of(2)).error().retry_after, 1h);
}

TEST_F(Circuit, CountsRepliesAndErrorsThatWereMeantAsSuccess) {
    auto s = me.server<ask, told>("s", [](ask const& a) -> result<told, call_failure> {
                   if (a.number % 2 == 0) {
                       return call_failure{7, "no such thing"};
                   }
                   return told::of(a.number);
               }).value();
    auto c = make_client();
    running thread(s);
    for (std::uint64_t i = 0; i < 10; ++i) {
        auto const r = c.call(ask::of(i));
        EXPECT_EQ(r.has_value(), i % 2 == 1);
    }
    auto pending = c.call_async(ask::of(1));
    EXPECT_TRUE(pending.get().has_value());
    std::vector<bool> ends;
    for (std::uint64_t i = 0; i < 4; ++i) {
        ASSERT_TRUE(c.call_async(ask::of(i)).then([&](call_outcome<told> const& r) noexcept {
            ends.push_back(r.has_value());
        }));
    }
    while (ends.size() < 4) {
        (void)c.poll(1h);
    }
    breaker_stats const f = figures(c);
    EXPECT_EQ(f.state, breaker_state::closed);
    EXPECT_EQ(f.total.calls, 15U);
    EXPECT_EQ(f.total.failures, 0U);
    EXPECT_EQ(f.stale_total, 0U);
}

TEST_F(Circuit, CountsAFaultOfTheServerAsFailure) {
    std::vector<deferred<told>> owed;
    auto s = me.server<ask, told>("s", [&](ask const&, deferred<told> d, call_context&) {
                   owed.push_back(std::move(d));
               }).value();
    auto c = make_client();
    for (int i = 0; i < 2; ++i) {
        auto call = c.call_async(ask::of(1));
        EXPECT_EQ(s.poll(), 1U);
        owed.clear();
        EXPECT_EQ(call.get().error().fault, server_fault::unanswered);
    }
    EXPECT_EQ(figures(c).total.failures, 2U);
    EXPECT_EQ(figures(c).total.slow, 0U);
    EXPECT_EQ(figures(c).state, breaker_state::open);
}

TEST_F(Circuit, CountsNothingThatWasRefusedOnThisSide) {
    auto s = make_server(serving(4));
    client_options o = behind(strict());
    o.calls_max = 8;
    auto c = make_client(o);
    std::vector<pending_call<told>> calls;
    for (int i = 0; i < 4; ++i) {
        calls.push_back(c.call_async(ask::of(1)));
    }
    for (int i = 0; i < 5; ++i) { // the lane is full
        EXPECT_EQ(c.call(ask::of(1)).error(), call_errc::overloaded);
        EXPECT_EQ(c.post(ask::of(1)).error(), call_errc::overloaded);
        EXPECT_EQ(c.call(ask::of(1), 0ns).error(), call_errc::deadline);
    }
    c.interrupt();
    call_options patient;
    patient.wait_for_room = true;
    EXPECT_EQ(c.call(ask::of(1), patient).error(), call_errc::interrupted);
    breaker_stats const f = figures(c);
    EXPECT_EQ(f.state, breaker_state::closed);
    EXPECT_EQ(f.total.calls + f.total.ignored + f.total.cancelled, 0U);
}

TEST_F(Circuit, CountsNeitherWhatIsTooLargeNorWhatIsPosted) {
    auto s =
        me.server<bytes, told>("s", [](std::span<std::byte const>) { return told::of(1); }).value();
    auto c = other.client<bytes, told>("s", behind(strict())).value();
    std::vector<std::byte> const big(1 << 20);
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(c.call(std::span(big)).error(), call_errc::too_large);
        EXPECT_EQ(c.post(std::span(big)).error(), call_errc::too_large);
        EXPECT_TRUE(c.post(std::span(big).first(8)).has_value());
    }
    breaker_stats const f = figures(c);
    EXPECT_EQ(f.total.calls + f.total.ignored + f.total.cancelled, 0U);
}

TEST_F(Circuit, CountsWhatWasCancelledOrLetGoAsCancelled) {
    auto s = make_server();
    auto c = make_client();
    for (int i = 0; i < 3; ++i) {
        auto call = c.call_async(ask::of(1));
        call.cancel();
        EXPECT_EQ(call.get().error(), call_errc::cancelled);
        (void)c.call_async(ask::of(2)); // nobody wants it
    }
    auto blocked = c.call_async(ask::of(3));
    c.interrupt();
    EXPECT_EQ(blocked.get().error(), call_errc::interrupted);
    EXPECT_EQ(s.poll(), 7U);
    EXPECT_EQ(c.poll(), 0U);
    breaker_stats const f = figures(c);
    EXPECT_EQ(f.total.cancelled, 6U);
    EXPECT_EQ(f.total.ignored, 1U);
    EXPECT_EQ(f.total.calls, 0U);
    EXPECT_EQ(f.state, breaker_state::closed);
}

TEST_F(Circuit, CountsNoServerThatGoesInGoodOrder) {
    auto c = make_client();
    for (int i = 0; i < 3; ++i) {
        auto s = make_server();
        ASSERT_TRUE(c.wait_for_server(1h).has_value());
        auto first = c.call_async(ask::of(1));
        auto second = c.call_async(ask::of(2));
        (void)s.drain();
        EXPECT_EQ(s.poll(), 2U);
        EXPECT_EQ(first.get().error(), call_errc::draining);
        EXPECT_EQ(second.get().error(), call_errc::draining);
        (void)s.ready();
        ASSERT_TRUE(c.wait_for_server(1h).has_value());
        auto lost = c.call_async(ask::of(3));
        s.close();
        EXPECT_EQ(lost.get().error(), call_errc::no_server);
        EXPECT_EQ(c.call(ask::of(4)).error(), call_errc::no_server);
    }
    breaker_stats const f = figures(c); // the same one for all of them
    EXPECT_EQ(f.state, breaker_state::closed);
    EXPECT_EQ(f.total.calls + f.total.ignored + f.total.cancelled, 0U);
    EXPECT_EQ(f.opened_total, 0U);
}

TEST_F(Circuit, OfAServerThatIsWellTakesTheCallsOfOneThatIsNot) {
    for (balance const how : {balance::round_robin, balance::least_busy}) {
        auto unwell = make_server(); // answers nobody
        client_options o = behind(strict());
        o.balance = how;
        auto c = make_client(o);
        time_out(c, 2);
        EXPECT_EQ(unwell.poll(), 2U); // so that it looks idle
        EXPECT_EQ(c.poll(), 0U);
        EXPECT_EQ(c.open_calls(), 0U);
        expect_refused(c.call(ask::of(1)));
        auto well = make_server();
        while (c.servers() < 2) {
        }
        running thread(well);
        for (std::uint64_t i = 0; i < 100; ++i) {
            auto const r = c.call(ask::of(i));
            ASSERT_TRUE(r.has_value()) << to_string(r.error().reason);
            EXPECT_EQ(r->server(), well.incarnation());
        }
        auto const all = c.breakers();
        ASSERT_EQ(all.size(), 2U);
        EXPECT_EQ(all[0].callee, unwell.incarnation());
        EXPECT_EQ(all[0].total.calls, 2U);
        EXPECT_GT(all[0].rejected, 1U);
        EXPECT_EQ(all[1].total.calls, 100U);
        EXPECT_EQ(all[1].rejected, 0U);
    }
}

TEST_F(Circuit, OfAllServersRefusesWhenAllAreUnwell) {
    auto one = make_server();
    auto two = make_server();
    auto c = make_client();
    ASSERT_EQ(c.servers(), 2U);
    time_out(c, 4); // in turn
    expect_refused(c.call(ask::of(1)));
    for (breaker_stats const& each : c.breakers()) {
        EXPECT_EQ(each.state, breaker_state::open);
        EXPECT_EQ(each.total.calls, 2U);
    }
}

TEST_F(Circuit, OpensForSlowAnswersWhereThatIsAskedFor) {
    auto s = me.server<ask, told>("s", [](ask const& a) {
                   std::uint64_t const until = os::monotonic_ns() + 2'000'000;
                   while (os::monotonic_ns() < until) { // an answer that takes its time
                   }
                   return told::of(a.number);
               }).value();
    breaker_options rules = strict();
    rules.window = breaker_window::rolling(1h);
    rules.minimum_calls = 3;
    rules.slow_call_rate = 1;
    rules.slow_call_duration = 1ms;
    auto c = make_client(behind(rules));
    running thread(s);
    for (std::uint64_t i = 0; i < 3; ++i) {
        EXPECT_TRUE(c.call(ask::of(i)).has_value());
    }
    expect_refused(c.call(ask::of(1)));
    EXPECT_EQ(figures(c).total.slow, 3U);
    EXPECT_EQ(figures(c).total.failures, 0U);
}

TEST_F(Circuit, HasACountWindowIfItIsAskedFor) {
    auto s = make_server();
    breaker_options rules = strict();
    rules.window = breaker_window::count(4);
    rules.minimum_calls = 4;
    auto c = make_client(behind(rules));
    {
        running thread(s);
        EXPECT_TRUE(c.call(ask::of(1)).has_value());
        EXPECT_TRUE(c.call(ask::of(2)).has_value());
    }
    time_out(c, 2);
    expect_refused(c.call(ask::of(3)));
}

TEST_F(Circuit, OfRulesThatMakeNoSenseIsRefusedWithTheClient) {
    breaker_options rules = strict();
    rules.window = breaker_window::rolling(1s);
    rules.failure_rate = 2;
    auto const c = other.client<ask, told>("s", behind(rules));
    ASSERT_FALSE(c.has_value());
    EXPECT_EQ(c.error().code, endpoint_errc::bad_option);
    EXPECT_THAT(c.error().message, testing::HasSubstr("cannot call 's': "));
    EXPECT_THAT(c.error().message, testing::HasSubstr("failure_rate"));
    client_options o = behind(strict(breaker_scope::host));
    o.breaker->window = breaker_window::count(4);
    EXPECT_EQ((other.client<ask, told>("s", o).error().code), endpoint_errc::bad_option);
}

TEST_F(Circuit, IsSeenByWhoeverLooksAndGoesWithTheClient) {
    auto s = make_server();
    join_options where;
    where.root = root.path();
    where.domain = "d";
    auto const seen = [&] { return read_breakers(registry_view::open(where).value()); };
    auto c = make_client();
    time_out(c, 1);
    auto const all = seen();
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].name, "s");
    EXPECT_EQ(all[0].scope, breaker_scope::process);
    EXPECT_EQ(all[0].participants, std::vector{other.ticket()});
    EXPECT_EQ(all[0].stats.value().total.failures, 1U);
    EXPECT_EQ(all[0].stats.value().callee, s.incarnation());
    c.close();
    EXPECT_TRUE(seen().empty());
}

// ---- scope host ---------------------------------------------------------------------------------

TEST_F(Circuit, OfTheHostLearnsFromAllClients) {
    auto s = make_server();
    client_options const o = behind(strict(breaker_scope::host));
    auto one = make_client(o);
    auto two = me.client<ask, told>("s", o).value();
    time_out(one, 1);
    time_out(two, 1);
    expect_refused(one.call(ask::of(1)));
    expect_refused(two.call(ask::of(1)));
    EXPECT_EQ(figures(one).total.calls, 2U);
    client_options differs = o;
    differs.breaker->open_for_max = 2h;
    auto const refused = me.client<ask, told>("s", differs);
    EXPECT_EQ(refused.error().code, endpoint_errc::option_mismatch);
    EXPECT_THAT(refused.error().message, testing::HasSubstr("open_for_max"));
}

// ---- deaths -------------------------------------------------------------------------------------

/// root; serves until it is killed.
PARTYWALL_ROLE(circuit_server) {
    participant const me = joined(context.arg(0), "server");
    auto s = me.server<ask, told>(
                   "s", [](ask const& a) { return told::of(a.number); }, serving())
                 .value();
    context.send(std::to_string(s.incarnation()));
    (void)s.run();
    return 0;
}

struct CircuitProcess : Circuit {
    child start_server() {
        child s = spawn("circuit_server", {root.path()});
        incarnation = std::stoull(s.receive());
        return s;
    }
    static void kill(child& s) {
        s.kill(SIGKILL);
        EXPECT_EQ(s.wait(), killed_by(SIGKILL));
    }
    std::uint64_t incarnation = 0;
};

TEST_F(CircuitProcess, OpensWithItsServersDeathAndProbesTheNextOneAtOnce) {
    auto c = make_client();
    child s = start_server();
    ASSERT_TRUE(c.wait_for_server(1h).has_value());
    ASSERT_TRUE(c.call(ask::of(1)).has_value());
    s.stop();
    auto lost = c.call_async(ask::of(2));
    kill(s);
    EXPECT_EQ(lost.get().error(), call_errc::peer_died);
    breaker_stats f = figures(c);
    EXPECT_EQ(f.state, breaker_state::open);
    EXPECT_EQ(f.opened_total, 1U) << "one death is enough";
    EXPECT_EQ(f.stale_total, 1U) << "what was under way is of the older state";
    EXPECT_EQ(c.call(ask::of(3)).error(), call_errc::no_server);

    child next = start_server();
    ASSERT_TRUE(c.wait_for_server(1h).has_value());
    f = figures(c);
    EXPECT_EQ(f.state, breaker_state::half_open) << "an hour is not over";
    EXPECT_EQ(f.callee, incarnation);
    {
        auto probe = c.call_async(ask::of(4));
        expect_refused(c.call_async(ask::of(5)).get(), false);
        auto const r = probe.get();
        ASSERT_TRUE(r.has_value());
        EXPECT_EQ(r->server(), incarnation);
    }
    EXPECT_EQ(figures(c).state, breaker_state::half_open);
    ASSERT_TRUE(c.call(ask::of(6)).has_value());
    EXPECT_EQ(figures(c).state, breaker_state::closed);
    kill(next);
}

TEST_F(CircuitProcess, ProbesASuccessorThatJoinedBeforeTheDeadOne) {
    auto c = make_client();
    child s = start_server();
    ASSERT_TRUE(c.wait_for_server(1h).has_value());
    kill(s);
    auto next = make_server(); // of a participant that was there before
    ASSERT_LT(next.incarnation(), incarnation);
    running thread(next);
    ASSERT_TRUE(c.wait_for_server(1h).has_value());
    EXPECT_EQ(figures(c).opened_total, 1U);
    ASSERT_TRUE(c.call(ask::of(1)).has_value());
    ASSERT_TRUE(c.call(ask::of(2)).has_value());
    EXPECT_EQ(figures(c).state, breaker_state::closed);
}

TEST_F(CircuitProcess, GivesAPermitBackThatWasUsedForNothing) {
    auto c = make_client();
    child s = start_server();
    ASSERT_TRUE(c.wait_for_server(1h).has_value());
    kill(s);
    child next = start_server();
    ASSERT_TRUE(c.wait_for_server(1h).has_value());
    ASSERT_EQ(figures(c).state, breaker_state::half_open);
    ASSERT_TRUE(c.post(ask::of(1)).has_value());
    {
        auto cancelled = c.call_async(ask::of(2));
        cancelled.cancel();
    }
    (void)c.call_async(ask::of(3));
    EXPECT_EQ(figures(c).probes_flying, 0U);
    EXPECT_EQ(figures(c).state, breaker_state::half_open) << "that was no answer";
    ASSERT_TRUE(c.call(ask::of(4)).has_value());
    ASSERT_TRUE(c.call(ask::of(5)).has_value());
    EXPECT_EQ(figures(c).state, breaker_state::closed);
    kill(next);
}

TEST_F(CircuitProcess, OfAStoppedServerOpensAndClosesAgainWhenItGoesOn) {
    breaker_options rules = strict();
    rules.open_for = rules.open_for_max = 1ms;
    auto c = make_client(behind(rules));
    child s = start_server();
    ASSERT_TRUE(c.wait_for_server(1h).has_value());
    ASSERT_TRUE(c.call(ask::of(1)).has_value());
    s.stop();
    time_out(c, 2);
    EXPECT_EQ(figures(c).opened_total, 1U);
    EXPECT_EQ(figures(c).total.calls, 3U);
    while (figures(c).opened_total < 3) { // probes in vain
        auto const r = c.call(ask::of(2), 1ms);
        ASSERT_FALSE(r.has_value());
        ASSERT_TRUE(r.error() == call_errc::circuit_open || r.error() == call_errc::deadline);
    }
    EXPECT_EQ(figures(c).callee, incarnation) << "stopped is not dead";
    s.resume();
    while (figures(c).state != breaker_state::closed) { // the test's watchdog limits it
        (void)c.call(ask::of(3), 1s);
    }
    EXPECT_TRUE(c.call(ask::of(4)).has_value());
    kill(s);
}

TEST_F(CircuitProcess, OfTheHostOpensWithTheDeathOfTheLastServerOnly) {
    client_options const o = behind(strict(breaker_scope::host));
    auto c = make_client(o);
    auto looks_on = me.client<ask, told>("s", o).value();
    child one = start_server();
    child two = start_server();
    while (c.servers() < 2 || looks_on.servers() < 2) {
    }
    kill(one);
    while (c.servers() != 1) {
    }
    EXPECT_EQ(figures(c).opened_total, 0U);
    EXPECT_TRUE(c.call(ask::of(1)).has_value());
    kill(two);
    while (c.servers() != 0) {
    }
    EXPECT_EQ(figures(looks_on).state, breaker_state::open) << "who did not look is told, too";
    child next = start_server();
    ASSERT_TRUE(looks_on.wait_for_server(1h).has_value());
    EXPECT_EQ(figures(c).state, breaker_state::half_open);
    EXPECT_TRUE(looks_on.call(ask::of(2)).has_value());
    EXPECT_TRUE(looks_on.call(ask::of(3)).has_value());
    EXPECT_EQ(figures(c).state, breaker_state::closed);
    kill(next);
}

} // namespace
} // namespace partywall::test
