// SPDX-License-Identifier: BSL-1.0
// Breakers of a domain: visible to others, shared by name, and what deaths do to them.
#include "support/role.hpp"
#include "support/sandbox.hpp"
#include "support/scratch_root.hpp"

#include <partywall/partywall.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace partywall::test {
namespace {

using namespace std::chrono_literals;

join_options where(std::string const& root) {
    join_options options;
    options.domain = "d";
    options.root = root;
    return options;
}
participant in_domain(std::string const& root, std::string const& name = "test") {
    return join(name, where(root)).value();
}
std::vector<breaker_info> seen(std::string const& root) {
    return read_breakers(registry_view::open(where(root)).value());
}

breaker_options host_rules() {
    breaker_options o;
    o.scope = breaker_scope::host;
    o.window = breaker_window::consecutive(2);
    o.open_for = 1h;
    o.open_for_max = 1h;
    o.probing = breaker_probing::all_must_pass(2);
    o.half_open_max = 1h;
    return o;
}

/// To be given up before the test ends.
std::unique_ptr<breaker> owned(result<breaker, failure<breaker_errc>> made) {
    return std::make_unique<breaker>(std::move(made).value());
}

TEST(DomainBreaker, OfAProcessIsThereForWhoeverLooks) {
    scratch_root const root;
    auto const me = in_domain(root.path());
    breaker_options rules = host_rules();
    rules.scope = breaker_scope::process;
    auto circuit = owned(me.breaker("calc/add", rules));
    auto same_name = owned(me.breaker("calc/add", {.window = breaker_window::count(9)}));
    circuit->callee_is_new(77);
    circuit->admit().value().success();
    circuit->admit().value().failure();
    circuit->admit().value().timeout();
    EXPECT_FALSE(circuit->admit());
    auto all = seen(root.path());
    ASSERT_EQ(all.size(), 2U) << "each handle has its own";
    EXPECT_EQ(all[1].stats.value().state, breaker_state::closed);
    breaker_info const& one = all[0];
    EXPECT_EQ(one.name, "calc/add");
    EXPECT_EQ(one.scope, breaker_scope::process);
    EXPECT_EQ(one.participants, std::vector{me.ticket()});
    EXPECT_EQ(one.problem, "");
    breaker_stats const& s = one.stats.value();
    EXPECT_EQ(s.state, breaker_state::open);
    EXPECT_EQ(s.generation, circuit->stats().generation);
    EXPECT_EQ(s.total.calls, 3U);
    EXPECT_EQ(s.total.failures, 2U);
    EXPECT_EQ(s.rejected_total, 1U);
    EXPECT_EQ(s.opened_total, 1U);
    EXPECT_EQ(s.callee, 77U);
    EXPECT_THAT(root.leftovers(), testing::Contains("d/breaker.1.1"));
    circuit.reset();
    same_name.reset();
    EXPECT_TRUE(seen(root.path()).empty());
    EXPECT_THAT(root.leftovers(), testing::ElementsAre("d/", "d/life.1", "d/registry"));
}

TEST(DomainBreaker, OfTheHostIsOneForAllWhoGiveItsName) {
    scratch_root const root;
    auto const a = in_domain(root.path());
    auto const b = in_domain(root.path());
    auto one = owned(a.breaker("calc/add", host_rules()));
    auto other = owned(b.breaker("calc/add", host_rules()));
    auto const third = b.breaker("calc/sub", host_rules()).value();
    one->admit().value().failure();
    other->admit().value().failure();
    EXPECT_EQ(one->state(), breaker_state::open);
    EXPECT_EQ(other->state(), breaker_state::open);
    EXPECT_EQ(other->admit().error().reason, rejection_reason::open);
    EXPECT_EQ(third.state(), breaker_state::closed);
    auto const all = seen(root.path());
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].scope, breaker_scope::host);
    EXPECT_THAT(all[0].participants, testing::UnorderedElementsAre(a.ticket(), b.ticket()));
    EXPECT_EQ(all[0].stats.value().rejected_total, 1U);
    one.reset();
    other->reset(); // an operator's: closed
    {
        auto const again = a.breaker("calc/add", host_rules()).value();
        EXPECT_EQ(again.stats().opened_total, 1U) << "it outlived the one who made it";
    }
    other.reset();
    EXPECT_EQ(seen(root.path()).size(), 1U);
}

TEST(DomainBreaker, OfTheHostHasTheRulesOfTheFirst) {
    scratch_root const root;
    auto const a = in_domain(root.path());
    auto const b = in_domain(root.path());
    auto const one = a.breaker("x", host_rules()).value();
    breaker_options rules = host_rules();
    rules.open_for_max = 2h;
    rules.half_open_max = 30min;
    auto const refused = b.breaker("x", rules);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, breaker_errc::mismatch);
    EXPECT_THAT(refused.error().message,
                testing::HasSubstr("open_for_max in ms is 3600000 there and 7200000 here"));
    EXPECT_THAT(refused.error().message, testing::HasSubstr("half_open_max"));
    EXPECT_EQ(seen(root.path()).at(0).participants, std::vector{a.ticket()}) << "b does not stay";
    rules = host_rules();
    rules.seed = 99; // not a rule
    rules.listeners.push_back([](breaker_event const&) {});
    EXPECT_TRUE(b.breaker("x", rules));
}

TEST(DomainBreaker, RefusesWhatCannotBe) {
    scratch_root const root;
    auto const me = in_domain(root.path());
    breaker_options rules = host_rules();
    rules.window = breaker_window::count(10);
    EXPECT_EQ(me.breaker("x", rules).error().code, breaker_errc::not_here);
    EXPECT_EQ(breaker::make(host_rules()).error().code, breaker_errc::not_here);
    EXPECT_EQ(me.breaker("x//y").error().code, breaker_errc::bad_name);
    EXPECT_EQ(me.breaker("", host_rules()).error().code, breaker_errc::bad_name);
    EXPECT_EQ(me.breaker("x", {.failure_rate = 2}).error().code, breaker_errc::bad_threshold);
    rules = {};
    rules.scope = static_cast<breaker_scope>(9);
    EXPECT_EQ(me.breaker("x", rules).error().code, breaker_errc::not_here);
    EXPECT_TRUE(seen(root.path()).empty());
    EXPECT_THAT(root.leftovers(), testing::ElementsAre("d/", "d/life.1", "d/registry"));
}

TEST(DomainBreaker, OfTheParentRefusesItsForkedChild) {
    scratch_root const root;
    auto const me = in_domain(root.path());
    auto circuit = owned(me.breaker("x", host_rules()));
    auto own = owned(me.breaker("y"));
    auto ticket = circuit->admit().value();
    pid_t const pid = ::fork();
    if (pid == 0) {
        bool good = circuit->admit().error().reason == rejection_reason::forked &&
                    own->admit().error().reason == rejection_reason::forked &&
                    circuit->move_to(breaker_state::isolated).error() == move_errc::forked &&
                    me.breaker("z").error().code == breaker_errc::forked;
        ticket.failure();
        circuit->callee_died();
        circuit->reset();
        circuit.reset();
        own.reset();
        ::_exit(good ? 0 : 1);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);
    ticket.success();
    EXPECT_EQ(circuit->stats().total.calls, 1U);
    EXPECT_EQ(circuit->stats().total.failures, 0U);
    EXPECT_EQ(circuit->stats().generation, 0U);
    EXPECT_EQ(seen(root.path()).size(), 2U);
}

// ---- deaths -------------------------------------------------------------------------------------

/// root; joins the host's breaker "x", takes so many permits, and says its ticket.
PARTYWALL_ROLE(breaker_holds_permits) {
    auto const me = in_domain(context.arg(0), "holder");
    auto circuit = me.breaker("x", host_rules()).value();
    std::vector<breaker::ticket> held;
    for (std::uint64_t i = 0; i < context.number(1); ++i) {
        auto ticket = circuit.admit();
        PARTYWALL_ROLE_CHECK(ticket && ticket->is_probe());
        held.push_back(std::move(*ticket));
    }
    context.send(std::to_string(me.ticket()));
    context.hang();
}

void bury(participant const& me, child& one, std::uint64_t ticket) {
    one.kill(SIGKILL);
    EXPECT_EQ(one.wait(), killed_by(SIGKILL));
    eventually([&] { return me.core()->proven_dead(ticket); });
}

// N1
TEST(DomainBreaker, GivesThePermitOfAKilledHolderToTheNextWhoAsks) {
    scratch_root const root;
    auto const me = in_domain(root.path());
    auto circuit = me.breaker("x", host_rules()).value();
    circuit.callee_died();
    circuit.callee_is_new(1);
    child holder = spawn("breaker_holds_permits", {root.path(), "1"});
    std::uint64_t const ticket = std::stoull(holder.receive());
    EXPECT_EQ(circuit.admit().error().reason, rejection_reason::probing);
    EXPECT_EQ(circuit.stats().probes_flying, 1U);
    holder.kill(SIGSTOP);
    EXPECT_FALSE(circuit.admit()) << "who is stopped lives";
    std::uint64_t const killed_ns = os::monotonic_ns();
    holder.kill(SIGKILL);
    auto probe = circuit.admit();
    while (!probe) { // the test's watchdog limits it
        probe = circuit.admit();
    }
    std::printf("permit back %.1f ms after the kill\n",
                static_cast<double>(os::monotonic_ns() - killed_ns) / 1e6);
    EXPECT_EQ(holder.wait(), killed_by(SIGKILL));
    EXPECT_TRUE(me.core()->proven_dead(ticket));
    EXPECT_EQ(circuit.state(), breaker_state::half_open);
    probe->success();
    EXPECT_EQ(circuit.state(), breaker_state::half_open);
    circuit.admit().value().success();
    EXPECT_EQ(circuit.state(), breaker_state::closed);
}

TEST(DomainBreaker, HasItsPermitsBackAfterARecovery) {
    scratch_root const root;
    auto const me = in_domain(root.path());
    auto circuit = me.breaker("x", host_rules()).value();
    circuit.callee_died();
    circuit.callee_is_new(1);
    child holder = spawn("breaker_holds_permits", {root.path(), "1"});
    std::uint64_t const ticket = std::stoull(holder.receive());
    bury(me, holder, ticket);
    EXPECT_EQ(circuit.stats().probes_flying, 1U);
    EXPECT_TRUE(me.recover().complete);
    EXPECT_EQ(circuit.stats().probes_flying, 0U);
    EXPECT_EQ(seen(root.path()).at(0).participants, std::vector{me.ticket()});
}

TEST(DomainBreaker, OfTheHostGoesWhenAllItsUsersAreDead) {
    scratch_root const root;
    auto const me = in_domain(root.path());
    child user = spawn("breaker_holds_permits", {root.path(), "0"});
    std::uint64_t const ticket = std::stoull(user.receive());
    EXPECT_EQ(seen(root.path()).size(), 1U);
    bury(me, user, ticket);
    EXPECT_EQ(me.recover().records, 1U);
    EXPECT_TRUE(seen(root.path()).empty());
}

/// root; has a breaker of its own.
PARTYWALL_ROLE(breaker_of_its_own) {
    auto const me = in_domain(context.arg(0), "owner");
    auto circuit = me.breaker("mine").value();
    circuit.admit().value().success();
    context.send(std::to_string(me.ticket()));
    context.hang();
}

TEST(DomainBreaker, OfADeadProcessIsShownUntilItIsRecovered) {
    scratch_root const root;
    auto const me = in_domain(root.path());
    child owner = spawn("breaker_of_its_own", {root.path()});
    std::uint64_t const ticket = std::stoull(owner.receive());
    bury(me, owner, ticket);
    ASSERT_EQ(seen(root.path()).size(), 1U);
    EXPECT_EQ(seen(root.path())[0].stats.value().total.calls, 1U);
    EXPECT_TRUE(me.recover().complete);
    EXPECT_TRUE(seen(root.path()).empty());
    EXPECT_THAT(root.leftovers(), testing::ElementsAre("d/", "d/life.1", "d/registry"));
}

/// root; a callee: an entry of the registry that others watch.
PARTYWALL_ROLE(breaker_callee) {
    auto const me = in_domain(context.arg(0), "callee");
    auto const in = me.receiver<std::uint64_t>("callee").value();
    context.send(std::to_string(me.ticket()));
    context.hang();
}

/// The incarnation of the living callee; 0: there is none.
std::uint64_t callee(participant const& me) {
    for (entry_info const& e : me.core()->entries(entry_kind::inbox, "callee")) {
        if (e.state == health::ready && !me.core()->proven_dead(e.owner_ticket)) {
            return e.incarnation;
        }
    }
    return 0;
}

// N2, as a client does it: the registry says who is there.
TEST(DomainBreaker, OpensWithTheCalleesDeathAndProbesItsSuccessorAtOnce) {
    scratch_root const root;
    auto const me = in_domain(root.path());
    breaker_options rules = host_rules(); // open for an hour
    auto circuit = me.breaker("x", rules).value();
    child first = spawn("breaker_callee", {root.path()});
    std::uint64_t const ticket = std::stoull(first.receive());
    std::uint64_t const incarnation = callee(me);
    circuit.callee_is_new(incarnation);
    EXPECT_EQ(circuit.state(), breaker_state::closed);
    auto under_way = circuit.admit().value();
    bury(me, first, ticket);
    ASSERT_EQ(callee(me), 0U);
    circuit.callee_died(incarnation);
    EXPECT_EQ(circuit.state(), breaker_state::open);
    under_way.failure(); // of the older state: dropped
    EXPECT_EQ(circuit.stats().stale_total, 1U);
    EXPECT_GT(circuit.admit().error().retry_after, 40min);
    child second = spawn("breaker_callee", {root.path()});
    (void)second.receive();
    std::uint64_t const successor = callee(me);
    ASSERT_NE(successor, 0U);
    ASSERT_GT(successor, incarnation);
    circuit.callee_is_new(successor);
    EXPECT_EQ(circuit.state(), breaker_state::half_open);
    circuit.callee_died(incarnation); // late news of the first one's death
    EXPECT_EQ(circuit.state(), breaker_state::half_open);
    circuit.admit().value().success();
    circuit.admit().value().success();
    EXPECT_EQ(circuit.state(), breaker_state::closed);
    second.kill(SIGKILL);
    (void)second.wait();
}

} // namespace
} // namespace partywall::test
