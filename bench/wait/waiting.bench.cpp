// SPDX-License-Identifier: BSL-1.0
// What the strategies of waiting cost: round trips between two processes that answer at once, or
// after a while; several such pairs on two processors; and a process that waits for a message that
// does not come.
//
//     partywall-bench-waiting [--repetitions=N]
//
// Rows are run in turn, so that a busy moment of the machine hits all alike; the table shows
// medians and quartiles.
#include "../two_processes.hpp"

#include <partywall/partywall.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <vector>

namespace partywall::bench {

struct ping { // messages have names that compilers agree on
    std::uint64_t words[6];
};

namespace {

using namespace std::chrono_literals;

std::string const& root() {
    static std::string const where = "/dev/shm/partywall-bench-" + std::to_string(::getpid());
    return where;
}

/// One of two that talk to each other: receives as `mine`, sends to `its`.
class side {
  public:
    side(std::string const& mine, std::string const& its, waiting strategy) {
        join_options options;
        options.root = root();
        me_.emplace(join("bench", options).value());
        receiver_options in;
        in.waiting = strategy;
        in_.emplace(me_->receiver<ping>(mine, in).value());
        out_.emplace(me_->sender<ping>(its).value());
        if (!out_->wait_for_receiver(10s)) {
            give_up("nobody answers");
        }
    }
    void send() {
        if (!out_->send(ping{})) {
            give_up("not sent");
        }
    }
    void receive() {
        if (!in_->receive(10s)) {
            give_up("not received");
        }
    }
    /// The same as an event loop does it: what is there, and else sleeps in poll().
    void receive_by_descriptor() {
        pollfd one{in_->fd().value(), POLLIN, 0};
        while (!in_->try_receive()) {
            if (::poll(&one, 1, 10'000) == 0) {
                give_up("not received through the descriptor");
            }
        }
    }
    void receive(bool by_descriptor) { by_descriptor ? receive_by_descriptor() : receive(); }

  private:
    std::optional<participant> me_;
    std::optional<receiver<ping>> in_;
    std::optional<sender<ping>> out_;
};

void busy_for(std::uint64_t ns) {
    for (std::uint64_t const until = os::monotonic_ns() + ns;
         ns != 0 && os::monotonic_ns() < until;) {
    }
}

/// Nanoseconds each of so many round trips; whoever answers thinks for a while first.
double round_trip(int pair, int cpu_here, int cpu_there, waiting strategy, std::uint64_t count,
                  std::uint64_t think_ns, bool by_descriptor = false) {
    std::string const here = "here" + std::to_string(pair);
    std::string const there = "there" + std::to_string(pair);
    std::uint64_t const warm_up = count / 4;
    return run_pair(
        cpu_here, cpu_there,
        [&] {
            side self(here, there, strategy);
            std::uint64_t start = 0;
            for (std::uint64_t i = 0; i < warm_up + count; ++i) {
                if (i == warm_up) {
                    start = os::monotonic_ns();
                }
                self.send();
                self.receive(by_descriptor);
            }
            return static_cast<double>(os::monotonic_ns() - start) / static_cast<double>(count);
        },
        [&] {
            side self(there, here, strategy);
            for (std::uint64_t i = 0; i < warm_up + count; ++i) {
                self.receive(by_descriptor);
                busy_for(think_ns);
                self.send();
            }
        });
}

/// All pairs share two processors; nanoseconds per round trip of them all together.
double crowded(int pairs, std::vector<int> const& cpus, waiting strategy, std::uint64_t count) {
    std::uint64_t const start = os::monotonic_ns();
    std::vector<pid_t> all;
    for (int i = 0; i < pairs; ++i) {
        pid_t const child = ::fork();
        if (child < 0) {
            give_up("fork");
        }
        if (child == 0) {
            // Half of them have their two sides on one processor.
            int const a = cpus[static_cast<std::size_t>(i) % cpus.size()];
            int const b = cpus[static_cast<std::size_t>(i / 2) % cpus.size()];
            (void)round_trip(i, a, b, strategy, count, 0);
            std::_Exit(0);
        }
        all.push_back(child);
    }
    for (pid_t const child : all) {
        int status = 0;
        if (::waitpid(child, &status, 0) < 0 || status != 0) {
            give_up("a pair failed");
        }
    }
    return static_cast<double>(os::monotonic_ns() - start) /
           static_cast<double>(count * static_cast<std::uint64_t>(pairs));
}

double processor_ns() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    auto const ns = [](timeval const& t) {
        return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_usec) * 1e3;
    };
    return ns(used.ru_utime) + ns(used.ru_stime);
}

/// Per mille of a processor that this process uses while it does `turn` again and again.
template <class Turn>
double share_of_processor(Turn turn) {
    double const used = processor_ns();
    std::uint64_t const start = os::monotonic_ns();
    while (os::monotonic_ns() < start + 2'000'000'000) {
        turn();
    }
    return 1000 * (processor_ns() - used) / static_cast<double>(os::monotonic_ns() - start);
}

/// What a process uses whose receiver waits; `peers` senders are there, and do nothing.
double idle(int peers, waiting strategy, std::uint64_t call_ns) {
    join_options options;
    options.root = root();
    participant me = join("idle", options).value();
    receiver_options in;
    in.waiting = strategy;
    auto receives = me.receiver<ping>("idle", in).value();
    std::vector<sender<ping>> senders;
    for (int i = 0; i < peers; ++i) {
        senders.push_back(me.sender<ping>("idle").value());
    }
    (void)receives.receive(10ms);
    return share_of_processor([&] { (void)receives.receive(std::chrono::nanoseconds(call_ns)); });
}

/// A process with so many senders of "idle", and perhaps with much memory, that does nothing more.
pid_t spawn_peer(int senders, bool much) {
    int ready[2];
    if (::pipe(ready) != 0) {
        give_up("pipe");
    }
    pid_t const child = ::fork();
    if (child < 0) {
        give_up("fork");
    }
    if (child == 0) {
        std::vector<std::byte> const memory(much ? std::size_t{128} << 20 : 0, std::byte{1});
        join_options options;
        options.root = root();
        participant me = join("peer", options).value();
        std::vector<sender<ping>> all;
        for (int i = 0; i < senders; ++i) {
            all.push_back(me.sender<ping>("idle").value());
            if (!all.back().send(ping{})) {
                give_up("not sent");
            }
        }
        (void)!::write(ready[1], "", 1);
        for (;;) {
            ::pause();
        }
    }
    char byte = 0;
    if (::read(ready[0], &byte, 1) != 1) {
        give_up("no peer");
    }
    ::close(ready[0]);
    ::close(ready[1]);
    return child;
}

/// The same of an event loop, which polls the receiver's descriptor. With `much` memory, of which a
/// pidfd tells late, it looks for its peers' deaths itself.
double idle_loop(int peers, bool much) {
    join_options options;
    options.root = root();
    participant me = join("idle", options).value();
    auto receives = me.receiver<ping>("idle").value();
    int const fd = receives.fd().value();
    pid_t const child = peers == 0 ? 0 : spawn_peer(peers, much);
    pollfd one{fd, POLLIN, 0};
    auto const turn = [&] {
        while (receives.try_receive()) {
        }
        (void)::poll(&one, 1, 1'000);
    };
    for (int i = 0; i < 16; ++i) { // so that the descriptor knows who is there
        turn();
    }
    double const result = share_of_processor(turn);
    if (child > 0) {
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
    }
    return result;
}

/// The same of a process that only sleeps, as often as who has to look for deaths itself.
double bare_sleeps() {
    return share_of_processor([] {
        timespec const until = os::to_timespec(os::monotonic_ns() + detail::slice::peer_ns);
        ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
    });
}

int run(int repetitions) {
    std::vector<int> const cpus = processors();
    struct measured {
        std::string name;
        char const* unit;
        std::vector<double> values;
    };
    std::vector<measured> table;
    std::size_t next = 0;
    auto const add = [&](int repetition, std::string const& name, char const* unit, double value) {
        if (repetition == 0) {
            table.push_back({name, unit, {}});
        }
        table[next++].values.push_back(value);
    };
    struct strategy {
        char const* name;
        waiting how;
    };
    strategy const all[] = {{"spin", waiting::spin},
                            {"spin_then_park", waiting::spin_then_park},
                            {"park", waiting::park}};
    for (int r = 0; r < repetitions; ++r) {
        next = 0;
        add(r, "idle, a loop of bare sleeps of a slice", "permille", bare_sleeps());
        for (auto const& [name, how] : all) {
            if (cpus.size() > 1) {
                for (std::uint64_t const think :
                     {std::uint64_t{0}, std::uint64_t{5'000}, std::uint64_t{50'000}}) {
                    add(r,
                        std::string("round trip, answered after ") + std::to_string(think / 1000) +
                            " us, " + name,
                        "ns",
                        round_trip(0, cpus[0], cpus[1], how, think > 5'000 ? 2'000 : 20'000,
                                   think));
                }
            }
            if (how != waiting::spin) { // would take its time slices
                add(r, std::string("round trip on one processor, ") + name, "ns",
                    round_trip(0, cpus[0], cpus[0], how, 5'000, 0));
                add(r, std::string("8 pairs on two processors, per round trip, ") + name, "ns",
                    crowded(8, {cpus.front(), cpus.back()}, how, 2'000));
                add(r, std::string("idle, no sender, calls for ever, ") + name, "permille",
                    idle(0, how, 1'000'000'000));
                add(r, std::string("idle, 4 senders, calls for ever, ") + name, "permille",
                    idle(4, how, 1'000'000'000));
                add(r, std::string("idle, 4 senders, calls of 1 ms, ") + name, "permille",
                    idle(4, how, 1'000'000));
            }
        }
        add(r, "idle, no sender, fd", "permille", idle_loop(0, false));
        add(r, "idle, 4 senders, fd", "permille", idle_loop(4, false));
        add(r, "idle, 4 senders of 128 MiB, fd", "permille", idle_loop(4, true));
        if (cpus.size() > 1) {
            for (std::uint64_t const think : {std::uint64_t{0}, std::uint64_t{50'000}}) {
                add(r,
                    std::string("round trip, answered after ") + std::to_string(think / 1000) +
                        " us, fd",
                    "ns",
                    round_trip(0, cpus[0], cpus[1], waiting::park, think == 0 ? 20'000 : 2'000,
                               think, true));
            }
        }
        add(r, "round trip on one processor, fd", "ns",
            round_trip(0, cpus[0], cpus[0], waiting::park, 5'000, 0, true));
    }
    std::printf("%-62s %10s %10s %10s\n", "", "1st q.", "median", "3rd q.");
    for (auto& [name, unit, values] : table) {
        std::sort(values.begin(), values.end());
        auto const at = [&sorted = values](std::size_t quarters) {
            return sorted[(sorted.size() - 1) * quarters / 4];
        };
        std::printf("%-62s %10.1f %10.1f %10.1f %s\n", name.c_str(), at(1), at(2), at(3), unit);
    }
    return 0;
}

} // namespace
} // namespace partywall::bench

int main(int argc, char** argv) {
    int repetitions = 3;
    for (int i = 1; i < argc; ++i) {
        std::string_view const arg = argv[i];
        constexpr std::string_view option = "--repetitions=";
        if (arg.starts_with(option)) {
            repetitions = std::max(1, std::atoi(argv[i] + option.size()));
        } // the others are Google Benchmark's
    }
    (void)partywall::bench::root(); // before there are children
    int const result = partywall::bench::run(repetitions);
    std::filesystem::remove_all(partywall::bench::root());
    return result;
}
