// SPDX-License-Identifier: BSL-1.0
// What the two halves of a bell's fence pair cost: the ringer's for every message, the sleeper's
// for every sleep, and what a sleeper's membarrier does to a publisher that is running.
//
// Rows that say `beside` have a second process, pinned to another processor; they need two.
#include "../two_processes.hpp"

#include <partywall/os/clock.hpp>
#include <partywall/os/membarrier.hpp>
#include <partywall/ring/ring_writer.hpp>
#include <partywall/wait/bell.hpp>

#include <benchmark/benchmark.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

namespace partywall::bench {
namespace {

using namespace detail;

constexpr std::uint64_t cells = 256;

/// A ring of 48-byte messages in memory of its own, and a bell on which nobody sleeps.
class publishing {
  public:
    explicit publishing(fence_pair pair) : pair_(pair) {
        ring_geometry g;
        g.cells = memory_.data();
        g.cell_count = cells;
        g.stride = 64;
        g.payload_bytes_max = 48;
        g.payload_offset = 8;
        ring_writer<>::format(g);
        ring_ = ring_writer<>(g);
        bell_ = bell_ringer<>(arm_, rung_, pair_);
    }
    void send() {
        benchmark::DoNotOptimize(message_);
        ring_.put(message_);
        benchmark::DoNotOptimize(bell_.ring_if_armed());
    }

  private:
    shared_memory memory_{cells * 64};
    std::array<std::uint64_t, 6> message_{};
    fence_pair pair_;
    ring_writer<> ring_;
    std::uint32_t arm_ = 0;
    std::uint32_t rung_ = 0;
    bell_ringer<> bell_;
};

/// Asked before the first pin().
std::vector<int> const& all_processors() {
    static auto const all = processors();
    return all;
}

/// Another process, which does one thing over and over until this one is done with it.
class beside {
  public:
    template <class Work>
    explicit beside(Work work) {
        auto const& cpus = all_processors();
        if (cpus.front() == cpus.back()) {
            return;
        }
        pin(cpus.back());
        pid_ = ::fork();
        if (pid_ < 0) {
            give_up("fork");
        }
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            os::register_membarrier();
            started().store(1);
            for (;;) {
                work();
            }
        }
        pin(cpus.front());
        while (started().load() == 0) {
        }
    }
    ~beside() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
    }
    beside(beside const&) = delete;
    beside& operator=(beside const&) = delete;

    bool is_there() const { return pid_ > 0; }

  private:
    std::atomic<int>& started() const { return *reinterpret_cast<std::atomic<int>*>(flag_.data()); }

    shared_memory flag_{4096};
    pid_t pid_ = 0;
};

void idle_for(std::uint64_t ns) {
    for (std::uint64_t const until = os::monotonic_ns() + ns; os::monotonic_ns() < until;) {
    }
}

template <fence_pair Pair>
void send_while_nobody_sleeps(benchmark::State& state) {
    os::register_membarrier();
    publishing out(Pair);
    for (auto _ : state) {
        out.send();
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(send_while_nobody_sleeps<fence_pair::sleeper>);
BENCHMARK(send_while_nobody_sleeps<fence_pair::publisher>);

/// Somebody else goes to sleep so many times a second, which interrupts this process.
void send_beside_sleepers(benchmark::State& state) {
    os::register_membarrier();
    auto const every_ns =
        static_cast<std::uint64_t>(1e9) / static_cast<std::uint64_t>(state.range(0));
    beside const sleeper([every_ns] {
        os::heavy_fence();
        idle_for(every_ns);
    });
    if (!sleeper.is_there()) {
        state.SkipWithError("it needs two processors");
        return;
    }
    publishing out(fence_pair::sleeper);
    for (auto _ : state) {
        out.send();
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(send_beside_sleepers)->Arg(100)->Arg(1000)->Arg(10'000)->Arg(50'000)->UseRealTime();

void seq_cst_fence_of_a_sleeper(benchmark::State& state) {
    std::uint32_t arm = 0;
    for (auto _ : state) {
        std_atomics::fetch_add(arm, std::uint32_t{1}, std::memory_order_relaxed);
        std_atomics::fence(std::memory_order_seq_cst);
        benchmark::ClobberMemory();
    }
}
BENCHMARK(seq_cst_fence_of_a_sleeper);

/// `busy`: a publisher of another process runs meanwhile on another processor.
void heavy_fence_of_a_sleeper(benchmark::State& state) {
    bool const busy = state.range(0) != 0;
    os::register_membarrier();
    std::optional<beside> publisher;
    if (busy) {
        publisher.emplace([] { idle_for(1000); });
        if (!publisher->is_there()) {
            state.SkipWithError("it needs two processors");
            return;
        }
    }
    for (auto _ : state) {
        if (!os::heavy_fence()) {
            state.SkipWithError("no membarrier here");
            return;
        }
    }
}
BENCHMARK(heavy_fence_of_a_sleeper)->ArgName("busy")->Arg(0)->Arg(1)->UseRealTime();

} // namespace
} // namespace partywall::bench

BENCHMARK_MAIN();
