// SPDX-License-Identifier: BSL-1.0
// Where a message should lie, in its cell or in a chunk: round trips between two pinned processes
// that spin, by message size. Every repetition runs every row once; the table shows medians.
//
//     partywall-bench-large [--repetitions=N] [--cpus=A,B]
#include "../two_processes.hpp"

#include <partywall/partywall.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace partywall::bench {
namespace {

using namespace std::chrono_literals;

struct variant {
    std::string name;
    bool chunks;
    bool lossless;
    bool by_loan; ///< written and read: one word only
};

struct setting {
    variant how;
    std::uint64_t bytes;
    std::string root;
    int cpu_here;
    int cpu_there;
};

publisher_options publishing(setting const& s) {
    publisher_options o;
    o.overflow = s.how.lossless ? overflow::block : overflow::drop_oldest;
    o.depth = 4;
    o.payload_bytes_max = s.bytes;
    o.inline_bytes_max = s.how.chunks ? 0 : s.bytes;
    o.subscribers_max = 1;
    o.pins_max = 2;
    o.waiting = waiting::spin;
    o.memory.prefault = true;
    return o;
}
subscriber_options reading(setting const& s) {
    subscriber_options o;
    o.delivery = s.how.lossless ? delivery::lossless : delivery::lossy;
    o.waiting = waiting::spin;
    o.memory.prefault = true;
    return o;
}

/// One side: a topic to the other, and one from it.
class end {
  public:
    end(setting const& s, char const* to, char const* from)
        : setting_(s), me_(join(to, {.root = s.root}).value()),
          out_(me_.publisher<bytes>(to, publishing(s)).value()),
          in_(me_.subscriber<bytes>(from, reading(s)).value()), message_(s.bytes) {
        out_.wait_for_subscribers(1, 10s).value();
    }
    void send(std::uint64_t number) {
        if (setting_.how.by_loan) {
            auto loan = out_.loan().value();
            std::memcpy((*loan).data(), &number, sizeof number);
            loan.send().value();
        } else {
            std::memcpy(message_.data(), &number, sizeof number);
            out_.send(message_).value();
        }
    }
    void receive(std::uint64_t number) {
        for (;;) {
            auto const s = in_.receive(10s);
            if (!s || std::memcmp((*s).data(), &number, sizeof number) != 0) {
                if (!s && s.error() == receive_errc::timed_out) {
                    give_up("a message did not come");
                }
                continue; // the other side's subscriber came first
            }
            if (!setting_.how.by_loan) {
                std::uint64_t sum = 0;
                for (std::size_t at = 0; at + 8 <= (*s).size(); at += 8) {
                    std::uint64_t word = 0;
                    std::memcpy(&word, (*s).data() + at, sizeof word);
                    sum += word;
                }
                sink_ = sum;
            }
            return;
        }
    }

  private:
    setting setting_;
    participant me_;
    publisher<bytes> out_;
    subscriber<bytes> in_;
    std::vector<std::byte> message_;
    volatile std::uint64_t sink_ = 0;
};

double round_trip(setting const& s) {
    std::uint64_t const turns = s.bytes > (1 << 20) ? 200 : s.bytes > (1 << 16) ? 1000 : 10'000;
    std::uint64_t const warm_up = turns / 5;
    return run_pair(
        s.cpu_here, s.cpu_there,
        [&] {
            end here(s, "there", "back");
            std::uint64_t start = 0;
            for (std::uint64_t i = 1; i <= warm_up + turns; ++i) {
                if (i == warm_up + 1) {
                    start = os::monotonic_ns();
                }
                here.send(i);
                here.receive(i);
            }
            return static_cast<double>(os::monotonic_ns() - start) / static_cast<double>(turns);
        },
        [&] {
            end there(s, "back", "there");
            for (std::uint64_t i = 1; i <= warm_up + turns; ++i) {
                there.receive(i);
                there.send(i);
            }
        });
}

double median(std::vector<double> all) {
    std::ranges::sort(all);
    return all[all.size() / 2];
}

int run(int repetitions, int cpu_here, int cpu_there) {
    std::vector<variant> const variants = {
        {"cell, lossy", false, false, false},   {"chunk, lossy", true, false, false},
        {"cell, lossless", false, true, false}, {"chunk, lossless", true, true, false},
        {"chunk, untouched", true, true, true},
    };
    std::vector<std::uint64_t> const sizes = {
        512, 1024, 2048, 4096, 8192, 16384, 65536, std::uint64_t{1} << 20, std::uint64_t{1} << 24};
    std::string const root = "/dev/shm/partywall-bench-" + std::to_string(::getpid());
    std::map<std::pair<std::uint64_t, std::string>, std::vector<double>> all;
    for (int i = 0; i < repetitions; ++i) {
        for (std::uint64_t const bytes : sizes) {
            for (variant const& v : variants) {
                all[{bytes, v.name}].push_back(round_trip({v, bytes, root, cpu_here, cpu_there}));
                std::filesystem::remove_all(root);
            }
        }
    }
    std::printf("round trip in ns, processors %d and %d, medians of %d\n\n| bytes |", cpu_here,
                cpu_there, repetitions);
    for (variant const& v : variants) {
        std::printf(" %s |", v.name.c_str());
    }
    std::printf("\n|---|---|---|---|---|---|\n");
    for (std::uint64_t const bytes : sizes) {
        std::printf("| %llu |", static_cast<unsigned long long>(bytes));
        for (variant const& v : variants) {
            std::printf(" %.0f |", median(all[{bytes, v.name}]));
        }
        std::printf("\n");
    }
    return 0;
}

} // namespace
} // namespace partywall::bench

int main(int argc, char** argv) {
    int repetitions = 5;
    auto cpus = partywall::bench::processors();
    for (int i = 1; i < argc; ++i) {
        std::string_view const argument = argv[i];
        if (argument.starts_with("--repetitions=")) {
            repetitions = std::atoi(argv[i] + 14);
        } else if (argument.starts_with("--cpus=")) {
            int a = 0;
            int b = 0;
            if (std::sscanf(argv[i] + 7, "%d,%d", &a, &b) == 2) {
                cpus = {a, b};
            }
        } else {
            std::fprintf(stderr, "usage: partywall-bench-large [--repetitions=N] [--cpus=A,B]\n");
            return 2;
        }
    }
    if (cpus.size() < 2 || repetitions < 1) {
        std::fprintf(stderr, "two processors are needed\n");
        return 1;
    }
    return partywall::bench::run(repetitions, cpus[0], cpus[1]);
}
