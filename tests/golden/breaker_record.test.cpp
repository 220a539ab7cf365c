// SPDX-License-Identifier: BSL-1.0
// The bytes of a breaker's record, as the library's own code makes them.
#include "golden.hpp"

#include <partywall/breaker/breaker_core.hpp>
#include <partywall/breaker/breaker_layout.hpp>

#include <partywall/participant.hpp>

#include "support/scratch_root.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <fstream>
#include <iterator>
#include <span>
#include <string>

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

TEST(GoldenBreakerSegment, HasTheNameBeforeTheRecord) {
    scratch_root const root;
    join_options options;
    options.domain = "golden";
    options.root = root.path();
    auto const me = join("pricer", options).value();
    breaker_options rules;
    rules.seed = 0x0102'0304'0506'0708;
    auto const circuit = me.breaker("calc/add", rules).value();
    std::ifstream file(root.path() + "/golden/breaker.1.1", std::ios::binary);
    std::string const bytes{std::istreambuf_iterator<char>(file), {}};
    ASSERT_EQ(bytes.size(), 1408U);
    auto const number = [&bytes](std::size_t at) {
        std::uint64_t n = 0;
        std::memcpy(&n, bytes.data() + at, sizeof n);
        return n;
    };
    EXPECT_EQ(number(0), segment_magic);
    EXPECT_EQ(number(8), std::uint64_t{16} << 32 | breaker_layout_version);
    EXPECT_EQ(number(16), breaker_fingerprint);
    EXPECT_EQ(number(24), 1408U);
    EXPECT_EQ(number(32), 1U); // ticket
    EXPECT_EQ(number(40), 1U); // number
    EXPECT_EQ(number(128), 8U);
    EXPECT_EQ(bytes.substr(136, 9), std::string("calc/add\0", 9));
    EXPECT_EQ(number(384 + offsetof(breaker_constants, seed)), rules.seed);
    EXPECT_EQ(number(384 + offsetof(breaker_record, state)) >> 40, 0U); // closed, generation 0
}

TEST(GoldenBreakerSegment, NumbersAreThese) {
    EXPECT_EQ(breaker_layout_version, 1U);
    EXPECT_EQ(breaker_fingerprint, 0x314d'9ec4'136f'17f0U);
    EXPECT_EQ(static_cast<std::uint32_t>(segment_kind::circuit_breaker), 16U);
    EXPECT_EQ(static_cast<std::uint32_t>(record_kind::circuit_breaker), 1U);
}

} // namespace
} // namespace partywall::test
