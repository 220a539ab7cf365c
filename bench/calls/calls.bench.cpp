// SPDX-License-Identifier: BSL-1.0
// What a call costs inside one process, where every line is in the cache: all of it, its halves, and
// what a server takes for the calls of one client while others are attached and idle.
#include "../support/domain.hpp"
#include "../support/instructions.hpp"

#include <partywall/os/clock.hpp>
#include <partywall/partywall.hpp>

#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

namespace partywall::bench {

struct call_words { // messages have names that compilers agree on
    std::uint64_t words[8];
};

namespace {

using client_type = client<call_words, call_words>;
using server_type = server<call_words, call_words>;

/// A server, and so many clients that it has seen.
class service {
  public:
    explicit service(std::int64_t clients) {
        server_options so;
        so.depth = 64;
        so.clients_max = static_cast<std::uint32_t>(clients);
        so.waiting = waiting::spin;
        server_.emplace(domain_.me()
                            .server<call_words, call_words>(
                                "s",
                                [](call_words const& request, response<call_words>& reply,
                                   call_context&) { *reply = request; },
                                so)
                            .value());
        client_options co;
        co.calls_max = 32;
        co.waiting = waiting::spin;
        for (std::int64_t i = 0; i < clients; ++i) {
            clients_.push_back(domain_.me().client<call_words, call_words>("s", co).value());
            finish(begin(clients_.back()));
        }
    }

    pending_call<call_words> begin(client_type& c) {
        return c.call_async(request_, std::chrono::hours(1));
    }
    void finish(pending_call<call_words> call) {
        while (server_->poll() != 0) {
        }
        if (!call.get()) {
            std::abort();
        }
    }
    client_type& active() { return clients_[clients_.size() / 2]; }
    server_type& serving() { return *server_; }

  private:
    domain domain_;
    call_words request_{{1, 2, 3, 4, 5, 6, 7, 8}};
    std::optional<server_type> server_;
    std::vector<client_type> clients_;
};

/// Both sides, one after the other: what a call costs beyond the lines that go from one processor to
/// the other.
void call_in_one_process(benchmark::State& state) {
    service s(1);
    for (instruction_count counted(state); auto _ : state) {
        auto call = s.begin(s.active());
        benchmark::DoNotOptimize(s.serving().poll(1));
        benchmark::DoNotOptimize(call.get());
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(call_in_one_process);

/// What a server takes for a call of the only client that calls, of so many that are attached. The
/// calls of a batch are there before; each is looked for on its own.
void serve_one_of(benchmark::State& state) {
    service s(state.range(0));
    constexpr std::size_t batch = 16;
    std::array<std::optional<pending_call<call_words>>, batch> calls;
    while (state.KeepRunningBatch(batch)) {
        for (auto& one : calls) {
            one.emplace(s.begin(s.active()));
        }
        std::size_t served = 0;
        std::uint64_t const from = os::monotonic_ns();
        while (served < batch) {
            served += s.serving().poll(1);
        }
        state.SetIterationTime(static_cast<double>(os::monotonic_ns() - from) * 1e-9);
        for (auto& one : calls) {
            if (!one->get()) {
                std::abort();
            }
        }
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(serve_one_of)->ArgName("clients")->Arg(1)->Arg(8)->Arg(64)->Arg(256)->UseManualTime();

} // namespace
} // namespace partywall::bench

BENCHMARK_MAIN();
