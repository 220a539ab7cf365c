// SPDX-License-Identifier: BSL-1.0
// What publishing and reading cost inside one process, where every line is in the cache: the
// instructions, without the transfer (bench/floor has that).
#include <partywall/ring/ring_reader.hpp>
#include <partywall/ring/ring_writer.hpp>

#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <vector>

namespace partywall::bench {
namespace {

using namespace detail;

constexpr std::uint64_t cells = 64;

class memory {
  public:
    explicit memory(std::uint64_t payload, bool variable = false) {
        geometry_.cell_count = cells;
        geometry_.payload_offset = variable ? variable_payload_offset : 8;
        geometry_.payload_bytes_max = payload;
        geometry_.stride = stride_for(geometry_.payload_offset, payload);
        geometry_.variable_length = variable;
        lines_.resize(geometry_.bytes() / sizeof(line) + 1);
        geometry_.cells = reinterpret_cast<std::byte*>(lines_.data());
        ring_writer<>::format(geometry_);
    }
    ring_geometry const& geometry() const { return geometry_; }

  private:
    struct alignas(line_bytes) line {
        std::array<std::byte, line_bytes> bytes;
    };
    std::vector<line> lines_;
    ring_geometry geometry_;
};

template <std::size_t Bytes>
struct blob {
    std::array<std::uint64_t, Bytes / 8> words{};
};

template <std::size_t Bytes>
void publish(benchmark::State& state) {
    memory const ring(Bytes);
    ring_writer<> out(ring.geometry());
    blob<Bytes> message;
    for (auto _ : state) {
        benchmark::DoNotOptimize(message);
        out.put(message);
    }
    state.SetItemsProcessed(state.iterations());
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(Bytes));
}
BENCHMARK(publish<8>);
BENCHMARK(publish<48>);
BENCHMARK(publish<56>);
BENCHMARK(publish<64>);
BENCHMARK(publish<256>);
BENCHMARK(publish<1024>);
BENCHMARK(publish<16384>);

template <std::size_t Bytes>
void publish_and_read(benchmark::State& state) {
    memory const ring(Bytes);
    ring_writer<> out(ring.geometry());
    ring_reader<> in(ring.geometry(), 0);
    blob<Bytes> message;
    blob<Bytes> got;
    for (auto _ : state) {
        benchmark::DoNotOptimize(message);
        out.put(message);
        if (in.look() != cell_state::ready ||
            !in.copy_fixed<Bytes>(reinterpret_cast<std::byte*>(&got))) {
            state.SkipWithError("lost");
            break;
        }
        in.advance();
        benchmark::DoNotOptimize(got);
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(publish_and_read<8>);
BENCHMARK(publish_and_read<48>);
BENCHMARK(publish_and_read<56>);
BENCHMARK(publish_and_read<64>);
BENCHMARK(publish_and_read<256>);
BENCHMARK(publish_and_read<1024>);
BENCHMARK(publish_and_read<16384>);

void publish_bytes(benchmark::State& state) {
    auto const bytes = static_cast<std::uint32_t>(state.range(0));
    memory const ring(bytes, true);
    ring_writer<> out(ring.geometry());
    std::vector<std::byte> const message(bytes);
    for (auto _ : state) {
        out.put(message.data(), bytes);
    }
    state.SetItemsProcessed(state.iterations());
    state.SetBytesProcessed(state.iterations() * bytes);
}
BENCHMARK(publish_bytes)->Arg(5)->Arg(48)->Arg(61)->Arg(1024)->Arg(16384);

/// A struct of small fields that the compiler cannot know in advance.
struct quote {
    std::uint32_t instrument;
    std::uint32_t venue;
    std::uint16_t flags;
    std::uint16_t level;
    std::uint32_t count;
    double bid;
    double ask;
    std::uint32_t bid_size;
    std::uint32_t ask_size;
    std::uint64_t time;
    std::uint64_t sequence;
};
static_assert(sizeof(quote) == 56);

/// Fields that come from elsewhere, one by one.
struct feed {
    std::uint32_t a = 1;
    std::uint16_t b = 2;
    double c = 3;
    std::uint64_t d = 4;

    void fill(quote& q) {
        benchmark::DoNotOptimize(*this);
        q.instrument = a;
        q.venue = a + 1;
        q.flags = b;
        q.level = static_cast<std::uint16_t>(b + 1);
        q.count = a + 2;
        q.bid = c;
        q.ask = c + 1;
        q.bid_size = a + 3;
        q.ask_size = a + 4;
        q.time = d;
        q.sequence = d + 1;
    }
};

/// Filled and copied where the compiler sees both.
void publish_quote_by_copy(benchmark::State& state) {
    memory const ring(sizeof(quote));
    ring_writer<> out(ring.geometry());
    feed from;
    for (auto _ : state) {
        quote q;
        from.fill(q);
        out.put(q);
    }
}
BENCHMARK(publish_quote_by_copy);

/// Filled in memory, then copied: the copy's wide loads wait for the narrow stores.
void publish_quote_through_memory(benchmark::State& state) {
    memory const ring(sizeof(quote));
    ring_writer<> out(ring.geometry());
    feed from;
    quote q;
    for (auto _ : state) {
        from.fill(q);
        benchmark::DoNotOptimize(q);
        out.put(q);
    }
}
BENCHMARK(publish_quote_through_memory);

/// Filled in the cell.
void publish_quote_in_place(benchmark::State& state) {
    memory const ring(sizeof(quote));
    ring_writer<> out(ring.geometry());
    feed from;
    for (auto _ : state) {
        from.fill(*reinterpret_cast<quote*>(out.begin()));
        out.commit();
    }
}
BENCHMARK(publish_quote_in_place);

} // namespace
} // namespace partywall::bench

BENCHMARK_MAIN();
