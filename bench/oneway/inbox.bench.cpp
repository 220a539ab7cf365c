// SPDX-License-Identifier: BSL-1.0
// What an inbox costs inside one process, where every line is in the cache: looking at lanes on
// which nothing comes, and a message through one of many.
#include <partywall/partywall.hpp>

#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <unistd.h>
#include <vector>

namespace partywall::bench {

struct order { // messages have names that compilers agree on
    std::uint64_t words[6];
};

namespace {

/// A domain of its own, a receiver, and so many senders that it has seen.
class inbox {
  public:
    explicit inbox(std::int64_t senders) {
        join_options options;
        options.root = root_;
        me_.emplace(join("bench", options).value());
        receiver_options in;
        in.depth = 16;
        in.senders_max = static_cast<std::uint32_t>(senders);
        in_.emplace(me_->receiver<order>("in", in).value());
        for (std::int64_t i = 0; i < senders; ++i) {
            out_.push_back(me_->sender<order>("in").value());
            if (!out_.back().send(order{}) || !in_->try_receive()) {
                std::abort();
            }
        }
        while (in_->try_receive()) {
        }
    }
    ~inbox() {
        out_.clear();
        in_.reset();
        me_.reset();
        std::filesystem::remove_all(root_);
    }
    inbox(inbox const&) = delete;
    inbox& operator=(inbox const&) = delete;

    receiver<order>& in() { return *in_; }
    sender<order>& out(std::size_t i) { return out_[i]; }
    std::size_t senders() const { return out_.size(); }

  private:
    std::string root_ = "/dev/shm/partywall-bench-" + std::to_string(::getpid());
    std::optional<participant> me_;
    std::optional<receiver<order>> in_;
    std::vector<sender<order>> out_;
};

void look_at_idle_senders(benchmark::State& state) {
    inbox box(state.range(0));
    for (auto _ : state) {
        benchmark::DoNotOptimize(box.in().try_receive());
    }
}
BENCHMARK(look_at_idle_senders)->ArgName("senders")->Arg(1)->Arg(8)->Arg(64)->Arg(65)->Arg(1024);

/// From one sender after the other, so that it is never the one that was looked at last.
void send_and_receive(benchmark::State& state) {
    inbox box(state.range(0));
    std::size_t next = 0;
    order message{};
    for (auto _ : state) {
        benchmark::DoNotOptimize(message);
        if (!box.out(next).send(message)) {
            state.SkipWithError("not sent");
            break;
        }
        auto const got = box.in().try_receive();
        if (!got) {
            state.SkipWithError("not received");
            break;
        }
        benchmark::DoNotOptimize(got->words[0]);
        next = next + 1 == box.senders() ? 0 : next + 1;
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(send_and_receive)->ArgName("senders")->Arg(1)->Arg(8)->Arg(64)->Arg(1024);

} // namespace
} // namespace partywall::bench

BENCHMARK_MAIN();
