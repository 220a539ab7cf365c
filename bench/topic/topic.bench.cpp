// SPDX-License-Identifier: BSL-1.0
// What the operations of a topic cost inside one process, by the public interface, where every line
// is in the cache.
#include "../subjects/letter_types.hpp"
#include "../support/domain.hpp"
#include "../support/instructions.hpp"

#include <partywall/partywall.hpp>

#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace partywall::bench {
namespace {

publisher_options overwriting() {
    publisher_options o;
    o.overflow = overflow::drop_oldest;
    return o;
}
publisher_options blocking() {
    publisher_options o;
    o.overflow = overflow::block;
    return o;
}
subscriber_options reading(delivery d) {
    subscriber_options o;
    o.delivery = d;
    return o;
}

template <std::size_t Bytes>
void publish_copy(benchmark::State& state) {
    domain in;
    auto out = in.me().publisher<blob<Bytes>>("t", overwriting()).value();
    blob<Bytes> message{};
    for (instruction_count counted(state); auto _ : state) {
        benchmark::DoNotOptimize(message);
        benchmark::DoNotOptimize(out.send(message));
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(publish_copy<8>);
BENCHMARK(publish_copy<48>);
BENCHMARK(publish_copy<64>);
BENCHMARK(publish_copy<256>);
BENCHMARK(publish_copy<1024>);

template <std::size_t Bytes>
void publish_loan(benchmark::State& state) {
    domain in;
    auto out = in.me().publisher<blob<Bytes>>("t", overwriting()).value();
    std::uint64_t number = 0;
    for (instruction_count counted(state); auto _ : state) {
        auto loan = out.loan();
        for (auto& word : (*loan)->words) {
            word = number;
        }
        number += 1;
        benchmark::DoNotOptimize(loan->send());
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(publish_loan<8>);
BENCHMARK(publish_loan<48>);
BENCHMARK(publish_loan<64>);
BENCHMARK(publish_loan<256>);
BENCHMARK(publish_loan<1024>);

void publish_bytes(benchmark::State& state) {
    domain in;
    auto options = overwriting();
    auto const bytes_each = static_cast<std::size_t>(state.range(0));
    options.payload_bytes_max = bytes_each;
    options.depth = 4;
    auto out = in.me().publisher<bytes>("t", options).value();
    std::vector<std::byte> const message(bytes_each);
    for (instruction_count counted(state); auto _ : state) {
        benchmark::DoNotOptimize(out.send(std::span<std::byte const>(message)));
    }
    state.SetItemsProcessed(state.iterations());
    state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(publish_bytes)->Arg(48)->Arg(1024)->Arg(65536)->Arg(1 << 20);

/// Lossy readers copy, lossless ones read in place.
template <std::size_t Bytes, delivery Delivery>
void publish_and_receive(benchmark::State& state) {
    domain in;
    auto from = in.me().subscriber<blob<Bytes>>("t", reading(Delivery)).value();
    auto out = in.me()
                   .publisher<blob<Bytes>>("t", Delivery == delivery::lossless ? blocking()
                                                                               : overwriting())
                   .value();
    blob<Bytes> message{};
    for (instruction_count counted(state); auto _ : state) {
        benchmark::DoNotOptimize(message);
        if (!out.send(message)) {
            state.SkipWithError("not sent");
            break;
        }
        auto const got = from.try_receive();
        if (!got) {
            state.SkipWithError("not received");
            break;
        }
        benchmark::DoNotOptimize(got->words[0]);
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(publish_and_receive<48, delivery::lossy>);
BENCHMARK(publish_and_receive<64, delivery::lossy>);
BENCHMARK(publish_and_receive<1024, delivery::lossy>);
BENCHMARK(publish_and_receive<48, delivery::lossless>);
BENCHMARK(publish_and_receive<64, delivery::lossless>);
BENCHMARK(publish_and_receive<1024, delivery::lossless>);

void look_for_a_message(benchmark::State& state) {
    domain in;
    auto from = in.me().subscriber<blob<64>>("t").value();
    auto out = in.me().publisher<blob<64>>("t", overwriting()).value();
    benchmark::DoNotOptimize(from.try_receive()); // attached now
    for (instruction_count counted(state); auto _ : state) {
        benchmark::DoNotOptimize(from.try_receive());
    }
}
BENCHMARK(look_for_a_message);

void publish_batch_of_64(benchmark::State& state) {
    domain in;
    auto out = in.me().publisher<blob<64>>("t", overwriting()).value();
    std::array<blob<64>, 64> messages{};
    for (instruction_count counted(state); auto _ : state) {
        benchmark::DoNotOptimize(messages);
        benchmark::DoNotOptimize(out.send_batch(messages));
    }
    state.SetItemsProcessed(state.iterations() * 64);
}
BENCHMARK(publish_batch_of_64);

template <std::size_t Bytes>
void latest_unchanged(benchmark::State& state) {
    domain in;
    auto out = in.me().publisher<blob<Bytes>>("t", overwriting()).value();
    auto newest = in.me().latest<blob<Bytes>>("t").value();
    static_cast<void>(out.send(blob<Bytes>{}));
    for (instruction_count counted(state); auto _ : state) {
        auto const value = newest.get();
        if (!value) {
            state.SkipWithError("no value");
            break;
        }
        benchmark::DoNotOptimize(value->words[0]);
    }
}
BENCHMARK(latest_unchanged<64>);
BENCHMARK(latest_unchanged<1024>);

template <std::size_t Bytes>
void publish_and_latest(benchmark::State& state) {
    domain in;
    auto out = in.me().publisher<blob<Bytes>>("t", overwriting()).value();
    auto newest = in.me().latest<blob<Bytes>>("t").value();
    blob<Bytes> message{};
    for (instruction_count counted(state); auto _ : state) {
        benchmark::DoNotOptimize(message);
        static_cast<void>(out.send(message));
        benchmark::DoNotOptimize(newest.get());
    }
}
BENCHMARK(publish_and_latest<64>);
BENCHMARK(publish_and_latest<1024>);

} // namespace
} // namespace partywall::bench

BENCHMARK_MAIN();
