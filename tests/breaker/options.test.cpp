// SPDX-License-Identifier: BSL-1.0
#include <partywall/breaker/breaker.hpp>
#include <partywall/breaker/guard.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

namespace partywall::test {
namespace {

using namespace std::chrono_literals;

struct bad {
    breaker_errc code;
    std::string says; ///< part of the message
    std::function<void(breaker_options&)> change;
};

TEST(BreakerOptions, ThatMakeNoSenseAreRefusedWithTheValues) {
    using o = breaker_options;
    auto const consecutive = [](o& x) { x.window = breaker_window::consecutive(3); };
    std::vector<bad> const all = {
        {breaker_errc::bad_window, "0 failures",
         [](o& x) { x.window = breaker_window::consecutive(0); }},
        {breaker_errc::bad_window, "1 calls", [](o& x) { x.window = breaker_window::count(1); }},
        {breaker_errc::bad_window, "5000 calls",
         [](o& x) { x.window = breaker_window::count(5000); }},
        {breaker_errc::bad_window, "-1000000000 ns",
         [](o& x) { x.window = breaker_window::fixed(-1s); }},
        {breaker_errc::bad_window, "window's 1000 ns",
         [](o& x) { x.window = breaker_window::fixed(1us); }},
        {breaker_errc::bad_window, "0 buckets",
         [](o& x) { x.window = breaker_window::rolling(1s, 0); }},
        {breaker_errc::bad_window, "17 buckets",
         [](o& x) { x.window = breaker_window::rolling(1s, 17); }},
        {breaker_errc::bad_window, "cannot be divided",
         [](o& x) { x.window = breaker_window::rolling(1s, 7); }},
        {breaker_errc::bad_window, "no such kind",
         [](o& x) { x.window.kind = static_cast<window_kind>(9); }},
        {breaker_errc::bad_threshold, "failure_rate is 1.5", [](o& x) { x.failure_rate = 1.5; }},
        {breaker_errc::bad_threshold, "failure_rate is 50", [](o& x) { x.failure_rate = 50; }},
        {breaker_errc::bad_threshold, "failure_rate is nan",
         [](o& x) { x.failure_rate = std::nan(""); }},
        {breaker_errc::bad_threshold, "slow_call_rate -0.1", [](o& x) { x.slow_call_rate = -0.1; }},
        {breaker_errc::bad_threshold, "nothing would open it", [](o& x) { x.failure_rate = 0; }},
        {breaker_errc::bad_minimum, "minimum_calls 0", [](o& x) { x.minimum_calls = 0; }},
        {breaker_errc::bad_minimum, "more than the 4 calls",
         [](o& x) { x.window = breaker_window::count(4); }},
        {breaker_errc::bad_slow_call, "nothing would follow",
         [](o& x) { x.slow_call_duration = 1s; }},
        {breaker_errc::bad_slow_call, "-1000000000 ns", [](o& x) { x.slow_call_duration = -1s; }},
        {breaker_errc::bad_slow_call, "in a row",
         [=](o& x) {
             consecutive(x);
             x.slow_call_rate = 0.5;
         }},
        {breaker_errc::bad_open, "open_for: 0 ns", [](o& x) { x.open_for = 0ms; }},
        {breaker_errc::bad_open, "open_for_max: 1000000 ns", [](o& x) { x.open_for_max = 1ms; }},
        {breaker_errc::bad_open, "open_factor 0.5", [](o& x) { x.open_factor = 0.5; }},
        {breaker_errc::bad_open, "open_jitter 1", [](o& x) { x.open_jitter = 1; }},
        {breaker_errc::bad_probing, "0 probes",
         [](o& x) { x.probing = breaker_probing::all_must_pass(0); }},
        {breaker_errc::bad_probing, "4 successes of 3 probes",
         [](o& x) { x.probing = breaker_probing::k_of_n(4, 3); }},
        {breaker_errc::bad_probing, "have none",
         [=](o& x) {
             consecutive(x);
             x.probing = breaker_probing::rate_over(3);
         }},
        {breaker_errc::bad_probing, "4 probes at a time", [](o& x) { x.probes_at_a_time = 4; }},
        {breaker_errc::bad_probing, "half_open_max: 0 ns", [](o& x) { x.half_open_max = 0ms; }},
    };
    for (bad const& b : all) {
        breaker_options options;
        b.change(options);
        auto const made = breaker::make(options);
        ASSERT_FALSE(made) << b.says;
        failure<breaker_errc> const why = made.error();
        EXPECT_EQ(why.code, b.code) << why.message;
        EXPECT_NE(why.message.find(b.says), std::string::npos) << why.message;
    }
}

TEST(BreakerOptions, MakeSenseByDefaultAndForEveryDeadline) {
    EXPECT_TRUE(breaker::make());
    for (std::chrono::nanoseconds const deadline :
         {-1ns, 0ns, 1ns, 10'000ns, 2'000'000ns, 1'000'000'000ns, 86'400'000'000'000ns}) {
        auto const made = breaker::make(breaker_options::for_deadline(deadline));
        EXPECT_TRUE(made) << deadline.count();
    }
    auto const second = breaker_options::for_deadline(1s);
    breaker_options const plain;
    EXPECT_EQ(second.window.duration, plain.window.duration);
    EXPECT_EQ(second.half_open_max, plain.half_open_max);
}

TEST(BreakerOptions, CatchAStalledCalleeInTheTimeOfFiveDeadlines) {
    // One caller whose every call times out: the window must hold as many as the minimum.
    for (auto const deadline : {1ms, 100ms, 1000ms, 5000ms}) {
        auto const o = breaker_options::for_deadline(deadline);
        EXPECT_GE(o.window.duration * (o.window.buckets - 1) / o.window.buckets,
                  o.minimum_calls * deadline);
        EXPECT_GE(o.half_open_max, o.probing.calls * deadline);
    }
}

TEST(GuardOptions, ThatMakeNoSenseAreRefusedWithTheValues) {
    struct bad_guard {
        guard_errc code;
        std::function<void(guard_options&)> change;
    };
    using o = guard_options;
    std::vector<bad_guard> const all = {
        {guard_errc::bad_deadline, [](o& x) { x.deadline = 0s; }},
        {guard_errc::bad_deadline, [](o& x) { x.deadline = 1000h; }},
        {guard_errc::bad_retry, [](o& x) { x.retry = retry_options{.attempts = 0}; }},
        {guard_errc::bad_retry, [](o& x) { x.retry = retry_options{.delay_first = 1h}; }},
        {guard_errc::bad_retry, [](o& x) { x.retry = retry_options{.factor = 0.1}; }},
        {guard_errc::bad_budget, [](o& x) { x.budget = retry_budget_options{}; }},
        {guard_errc::bad_budget,
         [](o& x) {
             x.retry = retry_options{};
             x.budget = retry_budget_options{.tokens_max = 0};
         }},
        {guard_errc::bad_breaker, [](o& x) { x.breaker->failure_rate = 2; }},
        {guard_errc::bad_bulkhead, [](o& x) { x.bulkhead = bulkhead_options{.calls_max = 0}; }},
        {guard_errc::bad_bulkhead,
         [](o& x) { x.bulkhead = bulkhead_options{.calls_max = 1, .wait_for = -1s}; }},
    };
    for (bad_guard const& b : all) {
        guard_options options;
        b.change(options);
        auto const made = guard::make(options);
        ASSERT_FALSE(made) << to_string(b.code);
        failure<guard_errc> const why = made.error();
        EXPECT_EQ(why.code, b.code) << why.message;
        EXPECT_FALSE(why.message.empty());
    }
    EXPECT_TRUE(guard::make());
}

} // namespace
} // namespace partywall::test
