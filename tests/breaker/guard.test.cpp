// SPDX-License-Identifier: BSL-1.0
#include "fake_clock.hpp"

#include <partywall/breaker/guard.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace partywall::test {
namespace {

struct call_error {
    call_facts facts;
    std::optional<refusal_reason> refused = std::nullopt;
};
[[noreturn]] void throw_exception_from_error(call_error const&, boost::source_location const&) {
    throw std::runtime_error("value() of a failed call");
}

} // namespace
} // namespace partywall::test

template <>
struct partywall::error_traits<partywall::test::call_error> {
    static call_facts facts(test::call_error const& e) { return e.facts; }
    static test::call_error refused(local_refusal const& r) {
        return {{.what = outcome::ignored,
                 .executed = executed::no,
                 .refused_here = true,
                 .retryable = r.reason != refusal_reason::deadline,
                 .retry_after = r.retry_after},
                r.reason};
    }
};

namespace partywall::test {
namespace {

using namespace std::chrono_literals;
using answer = result<int, call_error>;

answer failed(executed seen, outcome what = outcome::failure) {
    return call_error{{.what = what, .executed = seen}};
}

class Guard : public testing::Test {
  protected:
    basic_guard<fake_clock> made(guard_options const& o) {
        return basic_guard<fake_clock>::make(o, fake_clock(now_)).value();
    }
    static guard_options bare() {
        guard_options o;
        o.breaker = std::nullopt;
        return o;
    }
    static guard_options with_breaker(std::uint32_t failures) {
        guard_options o;
        o.breaker->window = breaker_window::consecutive(failures);
        o.breaker->open_jitter = 0;
        return o;
    }
    std::uint64_t now_ = fake_start_ns;
};

TEST_F(Guard, PassesAnswersAndErrorsThrough) {
    auto careful = made({});
    EXPECT_EQ(careful.call([](attempt const&) { return answer(7); }).value(), 7);
    int calls = 0;
    auto const r = careful.call([&](attempt const&) {
        calls += 1;
        return failed(executed::no);
    });
    EXPECT_FALSE(r);
    EXPECT_EQ(calls, 1) << "without retries there are none";
}

TEST_F(Guard, RetriesWhatWasPerhapsExecutedOnlyIfTheUserSaysThatItMayBe) {
    for (bool const idempotent : {false, true}) {
        guard_options o = bare();
        o.retry = retry_options{.attempts = 4, .idempotent = idempotent};
        auto careful = made(o);
        int maybe = 0;
        (void)careful.call([&](attempt const&) {
            maybe += 1;
            return failed(executed::maybe);
        });
        EXPECT_EQ(maybe, idempotent ? 4 : 1);
    }
}

TEST_F(Guard, RetriesWhatTheCalleeNeverSawUpToALimit) {
    guard_options o = bare();
    o.deadline = 1h;
    o.retry = retry_options{.attempts = 1, .unseen_max = 5};
    auto careful = made(o);
    int calls = 0;
    EXPECT_FALSE(careful.call([&](attempt const&) {
        calls += 1;
        return failed(executed::no);
    }));
    EXPECT_EQ(calls, 6);
    calls = 0;
    EXPECT_EQ(careful
                  .call([&](attempt const& a) {
                      calls += 1;
                      return a.number < 4 ? failed(executed::no) : answer(1);
                  })
                  .value(),
              1);
}

TEST_F(Guard, NeverRetriesACancelledCall) {
    guard_options o = bare();
    o.retry = retry_options{.idempotent = true};
    auto careful = made(o);
    int calls = 0;
    int fallbacks = 0;
    auto const r = careful.call(
        [&](attempt const&) {
            calls += 1;
            return failed(executed::no, outcome::cancelled);
        },
        [&](call_error const&) {
            fallbacks += 1;
            return answer(0);
        });
    EXPECT_FALSE(r);
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(fallbacks, 0);
}

TEST_F(Guard, AsksTheFallbackOnceAndOnlyAfterTheLastAttempt) {
    guard_options o = bare();
    o.retry = retry_options{.attempts = 3, .idempotent = true};
    auto careful = made(o);
    std::string order;
    auto const r = careful.call(
        [&](attempt const&) {
            order += "c";
            return failed(executed::maybe);
        },
        [&](call_error const& e) {
            order += "f";
            EXPECT_EQ(e.facts.what, outcome::failure);
            return answer(42);
        });
    EXPECT_EQ(r.value(), 42);
    EXPECT_EQ(order, "cccf");
}

TEST_F(Guard, ShowsTheBreakerEveryAttempt) {
    guard_options o = with_breaker(3);
    o.deadline = 10s;
    o.breaker->open_for = 20s;
    o.breaker->open_for_max = 20s;
    o.retry = retry_options{.attempts = 10, .idempotent = true};
    auto careful = made(o);
    int calls = 0;
    auto const r = careful.call([&](attempt const&) {
        calls += 1;
        return failed(executed::maybe);
    });
    ASSERT_FALSE(r);
    EXPECT_EQ(calls, 3);
    EXPECT_EQ(r.error().refused, refusal_reason::circuit_open);
    EXPECT_GT(r.error().facts.retry_after, 10s) << "so there was no other attempt";
    EXPECT_EQ(careful.circuit()->state(), breaker_state::open);
}

TEST_F(Guard, WaitsForTheCircuitWhereThatIsInTime) {
    guard_options o = with_breaker(1);
    o.deadline = 10s;
    o.breaker->open_for = 1s;
    o.breaker->probing = breaker_probing::all_must_pass(1);
    o.retry = retry_options{.attempts = 3, .idempotent = true};
    auto careful = made(o);
    std::vector<std::uint64_t> at;
    auto const r = careful.call([&](attempt const&) {
        at.push_back(now_ - fake_start_ns);
        return at.size() == 1 ? failed(executed::maybe) : answer(5);
    });
    EXPECT_EQ(r.value(), 5) << "call, rejection, call";
    ASSERT_EQ(at.size(), 2U);
    EXPECT_EQ(at[1], ns(1s));
    EXPECT_EQ(careful.circuit()->state(), breaker_state::closed);
}

TEST_F(Guard, NeverCountsWhatIsRefusedHereAgainstTheCallee) {
    guard_options o = with_breaker(1);
    o.bulkhead = bulkhead_options{.calls_max = 1};
    auto careful = made(o);
    auto const inner = [](attempt const&) { return answer(1); };
    EXPECT_TRUE(careful.call([&](attempt const&) {
        EXPECT_EQ(careful.under_way(), 1U);
        for (int i = 0; i < 3; ++i) {
            auto const refused = careful.call(inner);
            EXPECT_FALSE(refused);
            EXPECT_EQ(refused.error().refused, refusal_reason::overloaded);
        }
        return answer(1);
    }));
    EXPECT_EQ(careful.under_way(), 0U);
    auto const late = careful.call_until(now_, inner);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().refused, refusal_reason::deadline);
    breaker_stats const s = careful.circuit()->stats();
    EXPECT_EQ(s.state, breaker_state::closed);
    EXPECT_EQ(s.total.calls, 1U);
    EXPECT_EQ(s.total.failures, 0U);
}

TEST_F(Guard, CountsAnExceptionAsAFailureAndGivesThePlaceBack) {
    guard_options o = with_breaker(1);
    o.bulkhead = bulkhead_options{.calls_max = 1};
    auto careful = made(o);
    EXPECT_THROW((void)careful.call([](attempt const&) -> answer { throw std::runtime_error(""); }),
                 std::runtime_error);
    EXPECT_EQ(careful.under_way(), 0U);
    EXPECT_EQ(careful.circuit()->state(), breaker_state::open);
}

TEST_F(Guard, HandsEveryAttemptTheSameDeadlineAndInheritsAnEarlierOne) {
    guard_options o = bare();
    o.deadline = 100ms;
    o.retry = retry_options{.attempts = 3, .delay_first = 1ms, .idempotent = true};
    auto careful = made(o);
    std::uint64_t const until = now_ + ns(50ms);
    for (std::uint64_t const given : {~std::uint64_t{0}, until}) {
        std::uint64_t const mine = now_ + ns(100ms);
        (void)careful.call_until(given, [&](attempt const& a) {
            EXPECT_EQ(a.deadline_ns, given < mine ? given : mine);
            return failed(executed::maybe);
        });
    }
}

TEST_F(Guard, StopsRetryingEverybodyWhenTheBudgetIsSpent) {
    guard_options o = bare();
    o.retry = retry_options{.attempts = 5, .idempotent = true};
    o.budget = retry_budget_options{.tokens_max = 10, .ratio = 0.5};
    auto careful = made(o);
    int calls = 0;
    auto const fails = [&](attempt const&) {
        calls += 1;
        return failed(executed::maybe);
    };
    for (int i = 0; i < 100; ++i) {
        (void)careful.call(fails);
    }
    // Four retries while more than half of the tokens are there, and then a call each.
    EXPECT_EQ(calls, 100 + 4);
    EXPECT_EQ(careful.budget()->tokens(), 0);
}

TEST(RealGuard, SleepsBetweenAttempts) {
    guard_options o;
    o.deadline = 10s;
    o.retry = retry_options{.attempts = 3, .delay_first = 1ms, .idempotent = true};
    auto careful = guard::make(o).value();
    std::uint32_t calls = 0;
    EXPECT_FALSE(careful.call([&](attempt const&) {
        calls += 1;
        return failed(executed::maybe);
    }));
    EXPECT_EQ(calls, 3U);
}

TEST_F(Guard, StandsAroundABreakerThatWasMadeElsewhere) {
    breaker_options rules;
    rules.window = breaker_window::consecutive(1);
    auto circuit = basic_breaker<fake_clock>::make(rules, fake_clock(now_)).value();
    auto careful =
        basic_guard<fake_clock>::around(std::move(circuit), {}, fake_clock(now_)).value();
    (void)careful.call([](attempt const&) { return failed(executed::maybe); });
    EXPECT_EQ(careful.circuit()->state(), breaker_state::open);
    EXPECT_EQ(careful.call([](attempt const&) { return answer(1); }).error().refused,
              refusal_reason::circuit_open);
    guard_options bad;
    bad.deadline = 0ns;
    auto other = basic_breaker<fake_clock>::make(rules, fake_clock(now_)).value();
    EXPECT_EQ(basic_guard<fake_clock>::around(std::move(other), bad, fake_clock(now_)).error().code,
              guard_errc::bad_deadline);
}

} // namespace
} // namespace partywall::test
