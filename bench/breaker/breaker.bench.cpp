// SPDX-License-Identifier: BSL-1.0
// What a breaker costs a call: an admitted one with the record of its success, and a rejected one.
// The clock stands still and costs nothing; `clock` is what a real one adds, once for an admitted
// call and once for a rejection.
#include "../two_processes.hpp"

#include <partywall/breaker/breaker.hpp>

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>
#include <new>

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

/// One breaker that two processes hammer, each on a processor of its own, where there are two. What
/// is measured is this one's part.
class hammering_neighbour {
  public:
    hammering_neighbour(detail::breaker_record& record, breaker_options const& options) {
        auto const cpus = processors();
        ::sched_getaffinity(0, sizeof before_, &before_);
        pin(cpus.back()); // the child is born there
        pid_t const parent = ::getpid();
        pid_ = ::fork();
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            auto circuit =
                still_breaker::over(options, &record, detail::record_use::join, {2, {}, {}, {}})
                    .value();
            while (::getppid() == parent) {
                for (int i = 0; i < 10'000; ++i) {
                    if (auto ticket = circuit.admit()) {
                        ticket->success();
                    }
                }
            }
            ::_exit(0);
        }
        if (pid_ < 0) {
            give_up("fork");
        }
        pin(cpus.front());
    }
    ~hammering_neighbour() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        ::sched_setaffinity(0, sizeof before_, &before_);
    }
    hammering_neighbour(hammering_neighbour const&) = delete;
    hammering_neighbour& operator=(hammering_neighbour const&) = delete;

  private:
    cpu_set_t before_{};
    pid_t pid_ = -1;
};

void hammered(benchmark::State& state, breaker_options const& options, bool open) {
    shared_memory const memory(sizeof(detail::breaker_record));
    auto& record = *new (memory.data()) detail::breaker_record;
    auto const rules = detail::breaker_rules(options).value();
    detail::breaker_core<>::format(record, rules, still_clock{}.now_ns());
    auto circuit =
        still_breaker::over(options, &record, detail::record_use::join, {1, {}, {}, {}}).value();
    if (open) {
        circuit.move_to(breaker_state::open).value();
    }
    hammering_neighbour const other(record, options);
    for (auto _ : state) {
        auto ticket = circuit.admit();
        benchmark::DoNotOptimize(ticket);
        if (ticket) {
            ticket->success();
        }
    }
}
BENCHMARK_CAPTURE(hammered, host_admit_by_two_processes, breaker_options{}, false)->UseRealTime();
BENCHMARK_CAPTURE(hammered, host_admit_consecutive_by_two_processes, consecutive(), false)
    ->UseRealTime();
BENCHMARK_CAPTURE(hammered, host_reject_by_two_processes, breaker_options{}, true)->UseRealTime();

void clock(benchmark::State& state) {
    for (auto _ : state) {
        benchmark::DoNotOptimize(monotonic_clock{}.now_ns());
    }
}
BENCHMARK(clock);

} // namespace
} // namespace partywall::bench

BENCHMARK_MAIN();
