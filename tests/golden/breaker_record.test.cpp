// SPDX-License-Identifier: BSL-1.0
// The bytes of a breaker's record, as the library's own code makes them.
#include "golden.hpp"

#include <partywall/breaker/breaker_core.hpp>
#include <partywall/breaker/breaker_layout.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <span>

namespace partywall::test {
namespace {

using namespace detail;
using namespace std::chrono_literals;

breaker_options rules_of_the_record() {
    breaker_options o;
    o.window = breaker_window::rolling(1s, 4);
    o.slow_call_rate = 0.75;
    o.slow_call_duration = 10ms;
    o.minimum_calls = 3;
    o.evaluate_on = evaluate_on::any_outcome;
    o.open_for = 50ms;
    o.open_for_max = 3s;
    o.open_factor = 1.5;
    o.open_jitter = 0;
    o.probing = breaker_probing::k_of_n(2, 3);
    o.probes_at_a_time = 2;
    o.half_open_max = 700ms;
    o.seed = 0x0123'4567'89ab'cdef;
    return o;
}

TEST(GoldenBreakerRecord, IsTheseBytes) {
    breaker_record record;
    breaker_constants const rules = breaker_rules(rules_of_the_record()).value();
    std::uint64_t now = 0x1122'3344 * std::uint64_t{1'000'000};
    auto const clock = [&now] { return now; };
    breaker_core<>::format(record, rules, now);
    breaker_core<> core(record, rules, nullptr, 0x33);
    auto const call = [&](outcome what, std::uint64_t took_ns = 0) {
        auto const slip = core.admit(clock);
        std::uint64_t const began = now;
        now += took_ns;
        core.complete(slip, what, began, clock);
    };
    core.callee_is_new(0x44, now);
    call(outcome::success, 20'000'000);
    now += 300'000'000;
    call(outcome::ignored);
    call(outcome::cancelled);
    auto const late = core.admit(clock);
    call(outcome::failure);
    now += 1'000'000;
    call(outcome::timeout); // opens
    (void)core.admit(clock);
    now += 50'000'000;
    call(outcome::success); // the first probe
    core.complete(late, outcome::success, now, clock);
    auto const held = core.admit(clock);
    (void)core.admit(clock);
    (void)core.admit(clock); // rejected
    ASSERT_EQ(held.held.index, 0U);
    EXPECT_EQ(dump(std::as_bytes(std::span(&record, 1))), golden("breaker_record_v1.hex"));
}

// A count window leaves its sums in the record, but not its slots.
TEST(GoldenBreakerRecord, IsTheseBytesOfACountWindow) {
    breaker_options options = rules_of_the_record();
    options.window = breaker_window::count(3);
    breaker_record record;
    breaker_constants const rules = breaker_rules(options).value();
    std::array<std::uint32_t, 3> slots{};
    breaker_core<>::format(record, rules, 0);
    breaker_core<> core(record, rules, slots.data(), 1);
    auto const clock = [] { return std::uint64_t{1}; };
    for (auto const what :
         {outcome::success, outcome::success, outcome::timeout, outcome::success}) {
        core.complete(core.admit(clock), what, 1, clock);
    }
    EXPECT_EQ(record.ring_totals, 0x0000'4001'4001'4003U);
    EXPECT_EQ(record.ring_next, 4U);
    EXPECT_EQ(record.settled_failures, 1U);
    EXPECT_EQ(slots, (std::array<std::uint32_t, 3>{4, 4, 7}));
}

} // namespace
} // namespace partywall::test
