// SPDX-License-Identifier: BSL-1.0
// Many threads on one breaker. What may not happen is checked; how often what happened is not.
#include "fake_clock.hpp"

#include "support/counts.hpp"

#include <partywall/breaker/breaker.hpp>
#include <partywall/breaker/bulkhead.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace partywall::test {
namespace {

using namespace std::chrono_literals;

/// A clock that all threads push on.
struct shared_clock {
    std::atomic<std::uint64_t>* now;
    std::uint64_t now_ns() const noexcept { return now->load(std::memory_order_relaxed); }
};
using circuit_type = basic_breaker<shared_clock>;

void in_threads(unsigned n, std::function<void(unsigned)> const& work) {
    std::vector<std::thread> all;
    for (unsigned i = 0; i < n; ++i) {
        all.emplace_back(work, i);
    }
    for (std::thread& t : all) {
        t.join();
    }
}

breaker_options quick(breaker_window window) {
    breaker_options o;
    o.window = window;
    o.minimum_calls = 4;
    o.open_for = 1ms;
    o.open_for_max = 2ms;
    o.half_open_max = 50ms;
    return o;
}

TEST(BreakerThreads, CountEveryCallOnce) {
    for (auto const window : {breaker_window::consecutive(1000), breaker_window::count(16),
                              breaker_window::fixed(2ms), breaker_window::rolling(20ms)}) {
        std::atomic<std::uint64_t> now = fake_start_ns;
        breaker_options o = quick(window);
        auto circuit = circuit_type::make(o, {&now}).value();
        circuit.move_to(breaker_state::metrics_only).value();
        std::uint64_t const each = count(20'000, 1'000'000);
        in_threads(4, [&](unsigned id) {
            for (std::uint64_t i = 0; i < each; ++i) {
                auto t = circuit.admit();
                now.fetch_add(500, std::memory_order_relaxed);
                (i + id) % 4 == 0 ? t->failure() : t->success();
            }
        });
        breaker_stats const s = circuit.stats();
        // A thread that was held up between clock and count for a whole window is dropped.
        EXPECT_EQ(s.total.calls + s.stale_total, 4 * each);
        if (window.kind != window_kind::time) {
            EXPECT_EQ(s.stale_total, 0U);
            EXPECT_EQ(s.total.failures, each);
        }
        if (window.kind == window_kind::count) {
            EXPECT_EQ(s.window.calls, 16U);
            EXPECT_LE(s.window.failures, 16U);
        }
    }
}

TEST(BreakerThreads, AdmitNoMoreProbesThanTheRuleWants) {
    std::atomic<std::uint64_t> now = fake_start_ns;
    breaker_options o = quick(breaker_window::consecutive(1));
    o.probing = breaker_probing::all_must_pass(3);
    o.probes_at_a_time = 2;
    o.half_open_max = 1h;
    auto circuit = circuit_type::make(o, {&now}).value();
    std::uint64_t const rounds = count(100, 20'000);
    std::atomic<int> flying{0};
    std::atomic<int> too_many{0};
    std::atomic<std::uint64_t> closed{0};
    std::atomic<bool> stop{false};
    in_threads(4, [&](unsigned) {
        while (!stop.load()) {
            auto t = circuit.admit();
            if (!t) {
                now.fetch_add(100'000, std::memory_order_relaxed);
                continue;
            }
            if (!t->is_probe()) {
                t->failure(); // opens it again
                if (closed.fetch_add(1) >= rounds) {
                    stop = true;
                }
                continue;
            }
            if (flying.fetch_add(1) >= 2) {
                too_many += 1;
            }
            std::this_thread::yield();
            flying.fetch_sub(1);
            t->success();
        }
    });
    EXPECT_EQ(too_many.load(), 0);
    EXPECT_GE(closed.load(), rounds);
}

TEST(BreakerThreads, HearEventsInTheOrderOfGenerations) {
    std::atomic<std::uint64_t> now = fake_start_ns;
    breaker_options o = quick(breaker_window::rolling(10ms));
    o.probing = breaker_probing::all_must_pass(1);
    std::uint64_t heard = 0;
    std::uint64_t wrong = 0;
    std::uint16_t last = 0;
    std::atomic<int> inside{0};
    o.listeners.push_back([&](breaker_event const& e) {
        wrong += inside.fetch_add(1) != 0 ? 1U : 0U;
        wrong += e.generation != static_cast<std::uint16_t>(last + 1) ? 1U : 0U;
        last = e.generation;
        heard += 1;
        inside.fetch_sub(1);
    });
    auto circuit = circuit_type::make(o, {&now}).value();
    std::uint64_t const each = count(20'000, 1'000'000);
    in_threads(4, [&](unsigned id) {
        for (std::uint64_t i = 0; i < each; ++i) {
            if (auto t = circuit.admit()) {
                (i + id) % 3 != 0 ? t->failure() : t->success();
            }
            now.fetch_add(50'000, std::memory_order_relaxed);
        }
    });
    EXPECT_GT(heard, 10U);
    if (circuit.events_missed() == 0) {
        EXPECT_EQ(wrong, 0U);
        EXPECT_EQ(last, circuit.stats().generation);
    }
}

TEST(BulkheadThreads, HoldSoManyAndWakeWhoWaits) {
    bulkhead walls(2);
    std::atomic<int> inside{0};
    std::atomic<int> too_many{0};
    std::uint64_t const each = count(5'000, 200'000);
    in_threads(4, [&](unsigned) {
        for (std::uint64_t i = 0; i < each; ++i) {
            auto const place = walls.enter_until(~std::uint64_t{0});
            if (!place || inside.fetch_add(1) >= 2) {
                too_many += 1;
            }
            inside.fetch_sub(1);
        }
    });
    EXPECT_EQ(too_many.load(), 0);
    EXPECT_EQ(walls.under_way(), 0U);
    auto const one = walls.try_enter();
    auto const two = walls.try_enter();
    EXPECT_FALSE(walls.try_enter());
    EXPECT_FALSE(walls.enter_until(os::monotonic_ns() + 1'000'000));
}

} // namespace
} // namespace partywall::test
