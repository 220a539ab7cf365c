// SPDX-License-Identifier: BSL-1.0
// What a breaker costs a call: an admitted one with the record of its success, and a rejected one.
// The clock stands still and costs nothing; `clock` is what a real one adds, once for an admitted
// call and once for a rejection.
#include <partywall/breaker/breaker.hpp>

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>

namespace partywall::bench {
namespace {

using namespace std::chrono_literals;

struct still_clock {
    std::uint64_t now_ns() const noexcept { return 1'000'000'000'000; }
};
using still_breaker = basic_breaker<still_clock>;

breaker_options consecutive() {
    breaker_options o;
    o.window = breaker_window::consecutive(5);
    return o;
}
breaker_options counted(std::uint32_t calls) {
    breaker_options o;
    o.window = breaker_window::count(calls);
    return o;
}
breaker_options timed(breaker_window window, evaluate_on when = evaluate_on::failure) {
    breaker_options o;
    o.window = window;
    o.evaluate_on = when;
    return o;
}

void admit(benchmark::State& state, breaker_options const& options) {
    static still_breaker* circuit = nullptr;
    if (state.thread_index() == 0) {
        circuit = new still_breaker(still_breaker::make(options).value());
    }
    for (auto _ : state) {
        auto ticket = circuit->admit();
        benchmark::DoNotOptimize(ticket);
        ticket->success();
    }
    if (state.thread_index() == 0) {
        delete circuit;
    }
}
BENCHMARK_CAPTURE(admit, breaker_admit, breaker_options{});
BENCHMARK_CAPTURE(admit, consecutive, consecutive());
BENCHMARK_CAPTURE(admit, count_10, counted(10));
BENCHMARK_CAPTURE(admit, count_4096, counted(4096));
BENCHMARK_CAPTURE(admit, fixed, timed(breaker_window::fixed(1s)));
BENCHMARK_CAPTURE(admit, rolling_16, timed(breaker_window::rolling(16s, 16)));
BENCHMARK_CAPTURE(admit, judged_every_time,
                  timed(breaker_window::rolling(10s), evaluate_on::any_outcome));
BENCHMARK_CAPTURE(admit, shared_by_two_threads, breaker_options{})->Threads(2);

void reject(benchmark::State& state) {
    static still_breaker* circuit = nullptr;
    if (state.thread_index() == 0) {
        circuit = new still_breaker(still_breaker::make().value());
        circuit->move_to(breaker_state::open).value();
    }
    for (auto _ : state) {
        auto refused = circuit->admit();
        benchmark::DoNotOptimize(refused);
    }
    if (state.thread_index() == 0) {
        delete circuit;
    }
}
BENCHMARK(reject)->Name("reject/breaker_reject");
BENCHMARK(reject)->Name("reject/shared_by_two_threads")->Threads(2);

void clock(benchmark::State& state) {
    for (auto _ : state) {
        benchmark::DoNotOptimize(monotonic_clock{}.now_ns());
    }
}
BENCHMARK(clock);

} // namespace
} // namespace partywall::bench

BENCHMARK_MAIN();
