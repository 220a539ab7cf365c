// SPDX-License-Identifier: BSL-1.0
// The floor: two pinned processes and one cache line each way, the least that any ring can cost
// here; and the ring beside it, for several message sizes and strides. Every repetition runs every
// row once, so that a busy moment of the machine hits all rows alike; the table shows medians.
//
//     partywall-bench-floor [--repetitions=N] [--cpus=A,B]
#include "../two_processes.hpp"

#include <partywall/os/clock.hpp>
#include <partywall/ring/gate.hpp>
#include <partywall/ring/reader_seat.hpp>
#include <partywall/ring/ring_reader.hpp>
#include <partywall/ring/ring_writer.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

namespace partywall::bench {
namespace {

using namespace detail;

constexpr std::uint64_t cells = 256;
constexpr std::uint64_t warm_up = 2 * cells;
constexpr std::uint64_t round_trips = 20'000;
constexpr std::uint64_t one_way_messages = 200'000;

template <std::size_t Bytes>
struct blob {
    std::array<std::uint64_t, Bytes / 8> words;
};

/// What both processes map. Words of different writers are apart.
struct common {
    alignas(spacing_bytes) std::uint64_t ping;
    alignas(spacing_bytes) std::uint64_t pong;
    alignas(spacing_bytes) std::uint64_t taken;
    alignas(spacing_bytes) ring_control control;
    alignas(spacing_bytes) reader_slot slot;
};

constexpr std::size_t there_offset = 4096;
constexpr std::size_t back_offset = std::size_t{1} << 20;
constexpr std::size_t memory_bytes = std::size_t{2} << 20;

/// One place where all rows run, one after the other.
class stage {
  public:
    stage(int cpu_here, int cpu_there) : here_(cpu_here), there_(cpu_there) {}

    common& words() const { return *reinterpret_cast<common*>(memory_.data()); }
    std::byte* there() const { return memory_.data() + there_offset; }
    std::byte* back() const { return memory_.data() + back_offset; }

    template <class Here, class There>
    double run(Here here, There there) {
        std::memset(memory_.data(), 0, there_offset);
        return run_pair(here_, there_, here, there);
    }

  private:
    shared_memory memory_{memory_bytes};
    int here_;
    int there_;
};

double nanoseconds_each(std::uint64_t from, std::uint64_t count) {
    return static_cast<double>(os::monotonic_ns() - from) / static_cast<double>(count);
}

void set(std::uint64_t& word, std::uint64_t value) {
    std_atomics::store(word, value, std::memory_order_release);
}
void await(std::uint64_t const& word, std::uint64_t value) {
    while (std_atomics::load(word, std::memory_order_acquire) != value) {
    }
}

/// Round trip of one word in one line each way.
double raw_round_trip(stage& on) {
    common& c = on.words();
    return on.run(
        [&] {
            std::uint64_t start = 0;
            for (std::uint64_t i = 1; i <= warm_up + round_trips; ++i) {
                if (i == warm_up + 1) {
                    start = os::monotonic_ns();
                }
                set(c.ping, i);
                await(c.pong, i);
            }
            return nanoseconds_each(start, round_trips);
        },
        [&] {
            for (std::uint64_t i = 1; i <= warm_up + round_trips; ++i) {
                await(c.ping, i);
                set(c.pong, i);
            }
        });
}

template <std::size_t Bytes>
ring_geometry geometry(std::byte* where, std::uint64_t stride) {
    ring_geometry g;
    g.cells = where;
    g.cell_count = cells;
    g.stride = stride;
    g.payload_bytes_max = Bytes;
    g.payload_offset = 8;
    ring_writer<>::format(g);
    return g;
}

template <std::size_t Bytes>
void send(ring_writer<>& out, std::uint64_t number) {
    blob<Bytes> message;
    message.words.fill(number);
    out.put(message);
}

/// Spins until the next message is there, and copies it.
template <std::size_t Bytes>
std::uint64_t receive(ring_reader<>& in) {
    blob<Bytes> message;
    while (in.look() != cell_state::ready) {
    }
    in.copy_fixed<Bytes>(reinterpret_cast<std::byte*>(&message));
    in.advance();
    std::uint64_t sum = 0; // so that every word is used
    for (std::uint64_t const word : message.words) {
        sum |= word;
    }
    return sum;
}

/// Round trip of a message over a ring each way.
template <std::size_t Bytes>
double ring_round_trip(stage& on, std::uint64_t stride) {
    auto const there = geometry<Bytes>(on.there(), stride);
    auto const back = geometry<Bytes>(on.back(), stride);
    return on.run(
        [&] {
            ring_writer<> out(there);
            ring_reader<> in(back, 0);
            std::uint64_t start = 0;
            for (std::uint64_t i = 1; i <= warm_up + round_trips; ++i) {
                if (i == warm_up + 1) {
                    start = os::monotonic_ns();
                }
                send<Bytes>(out, i);
                if (receive<Bytes>(in) != i) {
                    give_up("a wrong answer");
                }
            }
            return nanoseconds_each(start, round_trips);
        },
        [&] {
            ring_reader<> in(there, 0);
            ring_writer<> out(back);
            for (std::uint64_t i = 1; i <= warm_up + round_trips; ++i) {
                send<Bytes>(out, receive<Bytes>(in));
            }
        });
}

/// How the two ends of a one-way stream go along: turns of an empty loop, a third of a nanosecond
/// or so each.
struct pace {
    char const* title;
    std::uint64_t reader_work = 0; ///< per message
    std::uint64_t writer_work = 0; ///< per message
    std::uint64_t burst_pause = 0; ///< of the writer, every 64 messages
};

void work(std::uint64_t turns) {
    for (std::uint64_t volatile left = turns; left != 0;) {
        left = left - 1;
    }
}

/// One word per line from here to there, with the least that flow control can be: a count of what
/// was taken, stored every quarter of the buffer.
double raw_one_way(stage& on, pace const& how) {
    auto* const lines = on.there();
    auto const line = [lines](std::uint64_t i) -> std::uint64_t& {
        return *reinterpret_cast<std::uint64_t*>(lines + i % cells * line_bytes);
    };
    std::memset(lines, 0, cells * line_bytes);
    common& c = on.words();
    constexpr std::uint64_t total = warm_up + one_way_messages;
    return on.run(
        [&] {
            std::uint64_t start = 0;
            std::uint64_t room = cells;
            for (std::uint64_t i = 0; i < total; ++i) {
                if (i == warm_up) {
                    start = os::monotonic_ns();
                }
                if (i % 64 == 0) {
                    work(how.burst_pause);
                }
                while (i == room) {
                    room = std_atomics::load(c.taken, std::memory_order_acquire) + cells;
                }
                work(how.writer_work);
                set(line(i), i + 1);
            }
            await(c.taken, total);
            return nanoseconds_each(start, one_way_messages);
        },
        [&] {
            for (std::uint64_t i = 0; i < total; ++i) {
                await(line(i), i + 1);
                work(how.reader_work);
                if ((i + 1) % (cells / 4) == 0) {
                    set(c.taken, i + 1);
                }
            }
            set(c.taken, total);
        });
}

/// Messages from here to there over a gated ring.
template <std::size_t Bytes>
double ring_one_way(stage& on, std::uint64_t stride, pace const& how) {
    auto const ring = geometry<Bytes>(on.there(), stride);
    common& c = on.words();
    constexpr std::uint64_t total = warm_up + one_way_messages;
    return on.run(
        [&] {
            c.slot.owner = owner::make(1, slot_phase::ready, 2).word;
            c.slot.cursor = cursor_at(0);
            set(c.ping, 1);
            gate<> ahead(c.control, &c.slot, 1, cells, 0);
            gate<>::laggard held_by;
            ring_writer<> out(ring);
            std::uint64_t start = 0;
            for (std::uint64_t i = 0; i < total; ++i) {
                if (i == warm_up) {
                    start = os::monotonic_ns();
                }
                if (i % 64 == 0) {
                    work(how.burst_pause);
                }
                while (!ahead.open(out.position()) && !ahead.scan(out.position(), held_by)) {
                }
                work(how.writer_work);
                send<Bytes>(out, i);
            }
            await(c.slot.cursor, cursor_at(total));
            return nanoseconds_each(start, one_way_messages);
        },
        [&] {
            await(c.ping, 1);
            reader_seat<> seat(c.slot, c.control, owner{c.slot.owner}, fence_pair::sleeper);
            ring_reader<> in(ring, 0);
            for (std::uint64_t i = 0; i < total; ++i) {
                if (receive<Bytes>(in) != i) {
                    give_up("a wrong message");
                }
                work(how.reader_work);
                if ((i + 1) % (cells / 4) == 0) {
                    seat.publish_cursor(i + 1);
                }
            }
            seat.publish_cursor(total);
        });
}

struct row {
    std::string name;
    std::function<double(stage&)> measure;
    std::vector<double> samples = {};

    double median() const {
        auto sorted = samples;
        std::sort(sorted.begin(), sorted.end());
        return sorted[sorted.size() / 2];
    }
    double quartile(std::size_t which) const {
        auto sorted = samples;
        std::sort(sorted.begin(), sorted.end());
        return sorted[sorted.size() * which / 4];
    }
};

struct table {
    char const* title;
    std::vector<row> rows = {}; ///< the first is the floor
};

std::string name_of(std::size_t bytes, std::uint64_t stride) {
    char const* const kind = stride % line_bytes == 0   ? "lines"
                             : line_bytes % stride == 0 ? "packed"
                                                        : "straddling";
    return std::to_string(bytes) + " bytes, stride " + std::to_string(stride) + " (" + kind + ")";
}

/// The table of round trips first, then one for each pace.
using tables = std::vector<table>;
constexpr std::array<pace, 4> paces{{{"one way, both as fast as they can"},
                                     {"one way, reader works", 30, 0, 0},
                                     {"one way, writer works", 0, 30, 0},
                                     {"one way, bursts of 64", 0, 0, 3000}}};

template <std::size_t Bytes>
void add_size(tables& all, std::vector<std::uint64_t> const& strides) {
    for (std::uint64_t const stride : strides) {
        all[0].rows.push_back({name_of(Bytes, stride),
                               [stride](stage& on) { return ring_round_trip<Bytes>(on, stride); }});
        for (std::size_t i = 0; i < paces.size(); ++i) {
            all[i + 1].rows.push_back({name_of(Bytes, stride), [stride, i](stage& on) {
                                           return ring_one_way<Bytes>(on, stride, paces[i]);
                                       }});
        }
    }
}

tables make_tables() {
    tables all{{"round trip"}};
    all[0].rows.push_back({"floor: one word, one line", raw_round_trip});
    for (pace const& how : paces) {
        all.push_back({how.title});
        all.back().rows.push_back(
            {"floor: one word per line", [how](stage& on) { return raw_one_way(on, how); }});
    }
    add_size<8>(all, {16, 64, 128});
    add_size<24>(all, {32, 64, 128});
    add_size<40>(all, {48, 64, 128});
    add_size<48>(all, {64});
    add_size<56>(all, {64, 128});
    add_size<64>(all, {80, 128, 192});
    add_size<120>(all, {128, 256});
    add_size<256>(all, {272, 320, 384});
    add_size<1024>(all, {1040, 1088, 1152});
    return all;
}

void print(table const& t) {
    double const floor = t.rows.front().median();
    std::printf("\n%-36s %10s %10s %10s %8s\n", t.title, "median ns", "1st qu.", "3rd qu.",
                "x floor");
    for (row const& r : t.rows) {
        std::printf("%-36s %10.1f %10.1f %10.1f %8.2f\n", r.name.c_str(), r.median(), r.quartile(1),
                    r.quartile(3), r.median() / floor);
    }
}

int run(int repetitions, int here, int there) {
    std::printf("processors %d and %d of %zu; %d repetitions, interleaved; ring of %d cells\n",
                here, there, processors().size(), repetitions, static_cast<int>(cells));
    stage on(here, there);
    tables all = make_tables();
    for (int i = 0; i < repetitions; ++i) {
        for (table& t : all) {
            for (row& r : t.rows) {
                r.samples.push_back(r.measure(on));
            }
        }
    }
    for (table const& t : all) {
        print(t);
    }
    return 0;
}

} // namespace
} // namespace partywall::bench

int main(int argc, char** argv) {
    auto const cpus = partywall::bench::processors();
    int repetitions = 21;
    int here = cpus.front();
    int there = cpus.back();
    for (int i = 1; i < argc; ++i) {
        // Arguments of Google Benchmark are for the other programs of the suite.
        std::sscanf(argv[i], "--repetitions=%d", &repetitions);
        std::sscanf(argv[i], "--cpus=%d,%d", &here, &there);
    }
    if (here == there) {
        std::printf("skipped: it needs two processors\n");
        return 0;
    }
    return partywall::bench::run(std::max(repetitions, 1), here, there);
}
