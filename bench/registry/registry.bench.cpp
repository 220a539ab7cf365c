// SPDX-License-Identifier: BSL-1.0
// The control plane: joining, making endpoints, finding them among others.
#include "../subjects/letter_types.hpp"
#include "../support/domain.hpp"

#include <partywall/partywall.hpp>

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

namespace partywall::bench {
namespace {

void join_and_leave(benchmark::State& state) {
    domain in; // so that the domain is there already
    join_options options;
    options.root = in.root();
    for (auto _ : state) {
        benchmark::DoNotOptimize(join("guest", options).value());
    }
}
BENCHMARK(join_and_leave)->Unit(benchmark::kMicrosecond);

void create_and_close_publisher(benchmark::State& state) {
    domain in;
    for (auto _ : state) {
        benchmark::DoNotOptimize(in.me().publisher<blob<64>>("t").value());
    }
}
// Endpoints are numbered, and their numbers are used up: some thousands are enough.
BENCHMARK(create_and_close_publisher)->Unit(benchmark::kMicrosecond)->Iterations(2000);

/// The publishers of one topic, among so many of other topics.
void look_up(benchmark::State& state) {
    domain in;
    std::vector<publisher<blob<8>>> others;
    for (std::int64_t i = 0; i < state.range(0); ++i) {
        publisher_options small;
        small.depth = 4;
        others.push_back(in.me().publisher<blob<8>>("other/" + std::to_string(i), small).value());
    }
    auto const wanted = in.me().publisher<blob<8>>("wanted").value();
    for (auto _ : state) {
        auto const found = in.me().publishers("wanted");
        if (found.size() != 1) {
            state.SkipWithError("not found");
            break;
        }
    }
}
BENCHMARK(look_up)->ArgName("entries")->Arg(0)->Arg(10)->Arg(100)->Unit(benchmark::kMicrosecond);

} // namespace
} // namespace partywall::bench

BENCHMARK_MAIN();
