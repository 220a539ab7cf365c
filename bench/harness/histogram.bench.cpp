// SPDX-License-Identifier: BSL-1.0
// What the suite's own tools cost: they stand in every figure.
#include "histogram.hpp"
#include "../support/instructions.hpp"
#include "letter.hpp"
#include "ticks.hpp"

#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <memory>

namespace partywall::bench {
namespace {

void record(benchmark::State& state) {
    auto const h = std::make_unique<histogram>();
    std::uint64_t value = 100;
    for (instruction_count counted(state); auto _ : state) {
        value = (value * 6364136223846793005U + 1442695040888963407U) >> 1;
        h->record(value >> state.range(0));
    }
    benchmark::DoNotOptimize(h->count());
}
BENCHMARK(record)->ArgName("shift")->Arg(56)->Arg(40)->Arg(24);

void percentile(benchmark::State& state) {
    auto const h = std::make_unique<histogram>();
    for (std::uint64_t i = 0; i < 1'000'000; ++i) {
        h->record(i);
    }
    for (auto _ : state) {
        benchmark::DoNotOptimize(h->percentile(0.99));
    }
}
BENCHMARK(percentile);

void look_at_the_clock(benchmark::State& state) {
    stop_watch const watch(state.range(0) != 0 && counters_agree());
    for (auto _ : state) {
        benchmark::DoNotOptimize(watch.now());
    }
}
BENCHMARK(look_at_the_clock)->ArgName("counter")->Arg(0)->Arg(1);

template <std::size_t Bytes>
void write_and_check(benchmark::State& state) {
    alignas(64) std::array<std::byte, Bytes> message;
    letter<Bytes> const paper(Bytes);
    std::uint64_t number = 0;
    bool right = true;
    for (auto _ : state) {
        paper.write(message.data(), tag::of(0, number++));
        benchmark::DoNotOptimize(message);
        benchmark::DoNotOptimize(paper.read(message.data(), Bytes, right));
    }
}
BENCHMARK(write_and_check<64>);
BENCHMARK(write_and_check<1024>);

} // namespace
} // namespace partywall::bench

BENCHMARK_MAIN();
