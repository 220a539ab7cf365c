// SPDX-License-Identifier: BSL-1.0
#include "fake_clock.hpp"

#include <partywall/breaker/breaker.hpp>
#include <partywall/error.hpp>

#include <gtest/gtest.h>

#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace partywall::test {
namespace {

using namespace std::chrono_literals;
using faked = basic_breaker<fake_clock>;

breaker_options three_in_a_row() {
    breaker_options o;
    o.window = breaker_window::consecutive(3);
    o.open_for = 10ms;
    o.open_for_max = 1s;
    o.open_jitter = 0;
    o.probing = breaker_probing::all_must_pass(1);
    o.half_open_max = 100ms;
    return o;
}

class Breaker : public testing::Test {
  protected:
    faked made(breaker_options const& options) {
        return faked::make(options, fake_clock(now_)).value();
    }
    static void fail(faked& circuit, int times = 3) {
        for (int i = 0; i < times; ++i) {
            circuit.admit().value().failure();
        }
    }
    void pass(std::chrono::nanoseconds time) { now_ += ns(time); }

    std::uint64_t now_ = fake_start_ns;
};

TEST_F(Breaker, RefusesWithAValueThatSaysWhyAndWhenToComeBack) {
    faked circuit = made(three_in_a_row());
    fail(circuit);
    pass(4ms);
    auto const refused = circuit.admit();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), (breaker_rejection{rejection_reason::open, 6ms}));
    EXPECT_THROW((void)circuit.admit().value(), partywall::error);
}

TEST_F(Breaker, CountsTheFirstOutcomeOfATicketOnly) {
    faked circuit = made(three_in_a_row());
    auto ticket = circuit.admit().value();
    ticket.failure();
    EXPECT_FALSE(ticket);
    ticket.success();
    ticket.failure();
    EXPECT_EQ(circuit.stats().window.calls, 1U);
    EXPECT_EQ(circuit.stats().failures_in_a_row, 1U);
}

TEST_F(Breaker, TakesATicketThatGoesWithoutOutcomeForNothing) {
    faked circuit = made(three_in_a_row());
    fail(circuit);
    pass(10ms);
    for (int i = 0; i < 5; ++i) {
        auto ticket = circuit.admit();
        ASSERT_TRUE(ticket) << "its permit came back";
        EXPECT_TRUE(ticket->is_probe());
        EXPECT_FALSE(circuit.admit());
        auto moved = std::move(*ticket);
        EXPECT_FALSE(*ticket);
        EXPECT_EQ(circuit.stats().probes_flying, 1U);
    }
    EXPECT_EQ(circuit.stats().probes_flying, 0U);
    EXPECT_EQ(circuit.state(), breaker_state::half_open);
}

TEST_F(Breaker, GivesThePermitBackThatATicketHeldBeforeItWasAssigned) {
    breaker_options options = three_in_a_row();
    options.probing = breaker_probing::all_must_pass(2);
    options.probes_at_a_time = 2;
    faked circuit = made(options);
    fail(circuit);
    pass(10ms);
    auto one = circuit.admit().value();
    one = circuit.admit().value();
    EXPECT_EQ(circuit.stats().probes_flying, 1U);
}

TEST_F(Breaker, RecordsWhatResultsAmountTo) {
    faked circuit = made(three_in_a_row());
    using answer = result<int, std::string>;
    circuit.admit().value().record(answer(1));
    circuit.admit().value().record(answer(std::string("no")));
    circuit.admit().value().record(answer(std::string("no")),
                                   [](answer const&) { return outcome::ignored; });
    breaker_stats const s = circuit.stats();
    EXPECT_EQ(s.window.successes(), 1U);
    EXPECT_EQ(s.window.failures, 1U);
    EXPECT_EQ(s.window.ignored, 1U);
}

TEST_F(Breaker, RunsAFunctionOrSaysWhyNot) {
    faked circuit = made(three_in_a_row());
    EXPECT_EQ(circuit.run([] { return 7; }).value(), 7);
    EXPECT_TRUE(circuit.run([] {}));
    for (int i = 0; i < 3; ++i) {
        EXPECT_THROW((void)circuit.run([] { throw std::runtime_error("x"); }), std::runtime_error);
    }
    int calls = 0;
    auto const r = circuit.run([&] { return ++calls; });
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().reason, rejection_reason::open);
    EXPECT_EQ(calls, 0);
}

TEST_F(Breaker, DropsResultsOfCallsBegunInAnOlderState) {
    faked circuit = made(three_in_a_row());
    std::vector<faked::ticket> late;
    for (int i = 0; i < 5; ++i) {
        late.push_back(circuit.admit().value());
    }
    fail(circuit);
    pass(10ms);
    auto probe = circuit.admit().value();
    late[0].success(); // not of this probe
    EXPECT_EQ(circuit.state(), breaker_state::half_open);
    late[1].failure();
    EXPECT_EQ(circuit.state(), breaker_state::half_open);
    probe.success();
    EXPECT_EQ(circuit.state(), breaker_state::closed);
    late[2].failure();
    late[3].failure();
    late[4].failure();
    EXPECT_EQ(circuit.state(), breaker_state::closed);
    EXPECT_EQ(circuit.stats().stale_total, 5U);
    EXPECT_EQ(circuit.stats().window.calls, 0U);
}

TEST_F(Breaker, OpensLongerEachTimeUpToTheMaximum) {
    breaker_options options = three_in_a_row();
    options.open_factor = 3;
    options.open_for_max = 200ms;
    faked circuit = made(options);
    fail(circuit);
    for (auto const expected : {10ms, 30ms, 90ms, 200ms, 200ms}) {
        auto const refused = circuit.admit();
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().retry_after, std::chrono::nanoseconds(expected));
        pass(expected);
        circuit.admit().value().failure();
    }
    pass(200ms);
    circuit.admit().value().success();
    fail(circuit);
    EXPECT_EQ(circuit.admit().error().retry_after, 10ms) << "having been closed, it begins anew";
}

TEST_F(Breaker, ShortensOpenTimesByAPartThatIsChosenOncePerOpening) {
    breaker_options options = three_in_a_row();
    options.open_for = 1s;
    options.open_for_max = 1s;
    options.open_jitter = 0.2;
    std::map<std::int64_t, int> seen;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        options.seed = seed;
        faked circuit = made(options);
        fail(circuit);
        auto const time = circuit.admit().error().retry_after;
        EXPECT_EQ(circuit.admit().error().retry_after, time);
        EXPECT_GE(time, 800ms);
        EXPECT_LE(time, 1s);
        seen[time.count()] += 1;
    }
    EXPECT_GT(seen.size(), 50U);
}

TEST_F(Breaker, IsOpenAgainWhenItsProbesTakeTooLong) {
    breaker_options options = three_in_a_row();
    options.open_factor = 2;
    faked circuit = made(options);
    fail(circuit);
    pass(10ms);
    auto hung = circuit.admit().value();
    pass(100ms);
    EXPECT_EQ(circuit.state(), breaker_state::open);
    hung.success(); // too late
    EXPECT_EQ(circuit.state(), breaker_state::open);
    EXPECT_EQ(circuit.admit().error().retry_after, 20ms) << "one step further";
    pass(20ms);
    EXPECT_EQ(circuit.state(), breaker_state::half_open);
    circuit.admit().value().success();
    EXPECT_EQ(circuit.state(), breaker_state::closed);
}

TEST_F(Breaker, IsHalfOpenAgainThoughNobodyLookedForLong) {
    faked circuit = made(three_in_a_row());
    fail(circuit);
    pass(10ms);
    auto hung = circuit.admit().value();
    pass(1h);
    EXPECT_EQ(circuit.state(), breaker_state::half_open);
    auto probe = circuit.admit();
    ASSERT_TRUE(probe) << "the hung call's permit is void";
    probe->success();
    EXPECT_EQ(circuit.state(), breaker_state::closed);
}

TEST_F(Breaker, DoesNotChangeByBeingLookedAt) {
    faked circuit = made(three_in_a_row());
    fail(circuit);
    pass(10ms);
    std::uint64_t const word = circuit.record().state;
    EXPECT_EQ(circuit.state(), breaker_state::half_open);
    EXPECT_EQ(circuit.stats().state, breaker_state::half_open);
    EXPECT_EQ(circuit.record().state, word);
}

TEST_F(Breaker, TakesTimeoutsForFailuresAndForSlowCalls) {
    breaker_options options = three_in_a_row();
    options.window = breaker_window::count(10);
    options.failure_rate = 0;
    options.slow_call_rate = 0.5;
    options.minimum_calls = 2;
    faked circuit = made(options);
    circuit.admit().value().success();
    circuit.admit().value().failure();
    EXPECT_EQ(circuit.state(), breaker_state::closed);
    circuit.admit().value().timeout();
    circuit.admit().value().timeout();
    EXPECT_EQ(circuit.state(), breaker_state::open);
    EXPECT_EQ(circuit.stats().tripped_by.slow, 2U);
    EXPECT_EQ(circuit.stats().tripped_by.failures, 3U);
    EXPECT_DOUBLE_EQ(circuit.stats().slow_call_rate().value(), 0.5);
}

TEST_F(Breaker, OpensAtOnceWhenTheCalleeDiesAndProbesItsSuccessorAtOnce) {
    breaker_options options = three_in_a_row();
    options.open_for = 1s;
    faked circuit = made(options);
    circuit.callee_is_new(1);
    EXPECT_EQ(circuit.state(), breaker_state::closed);
    circuit.callee_died(1);
    EXPECT_EQ(circuit.state(), breaker_state::open);
    circuit.callee_is_new(2);
    EXPECT_EQ(circuit.state(), breaker_state::half_open);
    circuit.callee_died(1); // late news
    EXPECT_EQ(circuit.state(), breaker_state::half_open);
    circuit.admit().value().success();
    EXPECT_EQ(circuit.state(), breaker_state::closed);
    circuit.callee_died(1);
    EXPECT_EQ(circuit.state(), breaker_state::closed);
    circuit.callee_died(2);
    circuit.callee_is_new(2); // nothing new
    EXPECT_EQ(circuit.state(), breaker_state::open);
}

TEST_F(Breaker, TakesNoPredecessorForANewCallee) {
    breaker_options options = three_in_a_row();
    options.open_for = 1s;
    faked circuit = made(options);
    circuit.callee_is_new(5);
    circuit.callee_died(5);
    circuit.callee_is_new(4); // late news
    EXPECT_EQ(circuit.state(), breaker_state::open);
    EXPECT_EQ(circuit.stats().callee, 5U);
    circuit.callee_is_new(6);
    circuit.callee_is_new(5);
    EXPECT_EQ(circuit.state(), breaker_state::half_open);
    EXPECT_EQ(circuit.stats().callee, 6U);
    circuit.callee_died(6);
    EXPECT_EQ(circuit.state(), breaker_state::open);
}

TEST_F(Breaker, LeavesWhatAnOperatorChoseAlone) {
    for (auto const chosen : {breaker_state::forced_open, breaker_state::disabled,
                              breaker_state::metrics_only, breaker_state::isolated}) {
        faked circuit = made(three_in_a_row());
        circuit.move_to(chosen).value();
        circuit.callee_died();
        circuit.callee_is_new(3);
        if (auto t = circuit.admit()) {
            t->failure();
            fail(circuit);
        }
        pass(1h);
        EXPECT_EQ(circuit.state(), chosen);
    }
}

TEST_F(Breaker, ForgetsEverythingWhenItIsReset) {
    faked circuit = made(three_in_a_row());
    fail(circuit, 2);
    circuit.reset();
    fail(circuit, 2);
    EXPECT_EQ(circuit.state(), breaker_state::closed);
    fail(circuit, 1);
    EXPECT_EQ(circuit.state(), breaker_state::open);
    circuit.reset();
    EXPECT_EQ(circuit.state(), breaker_state::closed);
    EXPECT_EQ(circuit.stats().total.failures, 5U) << "the totals stay";
}

TEST_F(Breaker, RefusesMovesThatMakeNoSense) {
    faked circuit = made(three_in_a_row());
    EXPECT_EQ(circuit.move_to(breaker_state::half_open).error(), move_errc::not_from_closed);
    EXPECT_EQ(circuit.move_to(static_cast<breaker_state>(7)).error(), move_errc::bad_state);
    EXPECT_EQ(circuit.open_for(0ms).error(), move_errc::bad_duration);
    EXPECT_EQ(circuit.open_for(10'000h).error(), move_errc::bad_duration);
}

TEST_F(Breaker, KeepsRatesWhereABucketIsFull) {
    breaker_options options = three_in_a_row();
    options.window = breaker_window::fixed(1h);
    options.failure_rate = 0.5;
    options.minimum_calls = 4096;
    faked circuit = made(options);
    for (int i = 0; i < 400'000; ++i) {
        auto t = circuit.admit().value();
        i % 4 == 0 ? t.failure() : t.success();
    }
    breaker_stats const s = circuit.stats();
    EXPECT_GE(s.window.calls, 4096U);
    EXPECT_LE(s.window.calls, 8191U);
    EXPECT_NEAR(s.failure_rate().value(), 0.25, 0.01);
    EXPECT_EQ(s.total.calls, 400'000U);
    EXPECT_EQ(s.total.failures, 100'000U);
    EXPECT_EQ(s.state, breaker_state::closed);
}

TEST_F(Breaker, CountsAllCallsInItsTotalsWhateverTheWindow) {
    for (auto const window : {breaker_window::consecutive(9), breaker_window::count(5),
                              breaker_window::fixed(10ms), breaker_window::rolling(10ms)}) {
        breaker_options options = three_in_a_row();
        options.window = window;
        options.failure_rate = 1;
        faked circuit = made(options);
        for (int i = 0; i < 1000; ++i) {
            auto t = circuit.admit().value();
            switch (i % 5) {
            case 0: t.failure(); break;
            case 1: t.ignored(); break;
            case 2: t.cancelled(); break;
            default: t.success(); break;
            }
            pass(777us);
        }
        breaker_stats::counts const total = circuit.stats().total;
        EXPECT_EQ(total.calls, 600U);
        EXPECT_EQ(total.failures, 200U);
        EXPECT_EQ(total.ignored, 200U);
        EXPECT_EQ(total.cancelled, 200U);
    }
}

TEST_F(Breaker, StillCountsAfterALongRestAndAfterManyGenerations) {
    breaker_options options = three_in_a_row();
    options.window = breaker_window::rolling(10ms);
    options.failure_rate = 0.5;
    options.minimum_calls = 3;
    faked circuit = made(options);
    for (auto const rest : {1h, 10h, 24h * 7, 24h * 365}) {
        circuit.admit().value().success();
        pass(rest);
        fail(circuit);
        EXPECT_EQ(circuit.state(), breaker_state::open);
        circuit.move_to(breaker_state::closed).value();
    }
    for (int i = 0; i < 70'000; ++i) {
        circuit.reset();
    }
    fail(circuit);
    EXPECT_EQ(circuit.state(), breaker_state::open);
}

TEST_F(Breaker, RejectsWhileItsProbesAreUnderWay) {
    breaker_options options = three_in_a_row();
    options.probing = breaker_probing::all_must_pass(3);
    options.probes_at_a_time = 2;
    faked circuit = made(options);
    fail(circuit);
    pass(10ms);
    auto one = circuit.admit().value();
    auto two = circuit.admit().value();
    EXPECT_EQ(circuit.admit().error(), (breaker_rejection{rejection_reason::probing, {}}));
    one.success();
    two.success();
    auto three = circuit.admit().value();
    EXPECT_FALSE(circuit.admit()) << "three results decide, two are there and one is coming";
    three.success();
    EXPECT_EQ(circuit.state(), breaker_state::closed);
}

TEST_F(Breaker, TellsItsListenersInOrderAndMayBeUsedByThem) {
    breaker_options options = three_in_a_row();
    std::vector<std::string> heard;
    faked* circuit = nullptr;
    options.listeners.push_back([&](breaker_event const& e) {
        heard.push_back(std::string(to_string(e.to)) + ": " + std::string(to_string(e.cause)));
        if (e.to == breaker_state::open) {
            circuit->reset();
        }
    });
    options.listeners.push_back([](breaker_event const&) { throw std::runtime_error("dropped"); });
    options.listeners.push_back(
        [&](breaker_event const& e) { heard.push_back("again " + std::string(to_string(e.to))); });
    faked made_here = made(options);
    circuit = &made_here;
    fail(made_here);
    EXPECT_EQ(heard, (std::vector<std::string>{"open: consecutive failures", "again open",
                                               "closed: moved by an operator", "again closed"}));
    EXPECT_EQ(made_here.events_missed(), 0U);
}

TEST_F(Breaker, MovesAndLeavesItsTicketsWhole) {
    faked first = made(three_in_a_row());
    auto ticket = first.admit().value();
    faked second = std::move(first);
    ticket.failure();
    EXPECT_EQ(second.stats().window.failures, 1U);
}

TEST(RealBreaker, UsesTheMonotonicClock) {
    breaker circuit = breaker::make().value();
    circuit.open_for(1h).value();
    auto const refused = circuit.admit();
    ASSERT_FALSE(refused);
    EXPECT_GT(refused.error().retry_after, 59min);
    EXPECT_LE(refused.error().retry_after, 1h + 1ms);
}

/// An error of a bulkhead, say, around which the breaker stands.
enum class local_error : std::uint8_t { refused, failed };

} // namespace
} // namespace partywall::test

template <>
struct partywall::is_error_enum<partywall::test::local_error> : std::true_type {};
template <>
struct partywall::error_traits<partywall::test::local_error> {
    static call_facts facts(partywall::test::local_error e) noexcept {
        return {.what = outcome::failure,
                .refused_here = e == partywall::test::local_error::refused};
    }
};

namespace partywall::test {
namespace {

TEST_F(Breaker, NeverRecordsWhatWasRefusedOnThisSide) {
    auto circuit = breaker::make({.window = breaker_window::consecutive(1)}).value();
    using answer = result<int, local_error>;
    (void)circuit.run([] { return answer(local_error::refused); });
    circuit.admit().value().record(answer(local_error::refused));
    EXPECT_EQ(circuit.stats().total.calls, 0U);
    EXPECT_EQ(circuit.state(), breaker_state::closed);
    (void)circuit.run([] { return answer(local_error::failed); });
    EXPECT_EQ(circuit.state(), breaker_state::open);
}

} // namespace
} // namespace partywall::test
