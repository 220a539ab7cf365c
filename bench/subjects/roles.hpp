// SPDX-License-Identifier: BSL-1.0
// What the processes of a measurement do: the same source for every subject.
#pragma once

#include "../harness/letter.hpp"
#include "../harness/placement.hpp"
#include "../harness/ticks.hpp"
#include "channel.hpp"
#include "fan.hpp"

#include <partywall/os/clock.hpp>

#include <cstdint>
#include <ctime>
#include <memory>
#include <sched.h>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <unistd.h>
#include <utility>
#include <vector>

namespace partywall::bench {

/// Processor time of this process, all threads.
inline std::uint64_t cpu_time_ns() noexcept {
    timespec t{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000U +
           static_cast<std::uint64_t>(t.tv_nsec);
}

/// How long to go on: for the time that there is, and where the machine does something else, longer,
/// until there is something to report.
class enough {
  public:
    enough(std::uint64_t start, std::uint64_t duration, bool large) noexcept
        : over_(start + duration), at_last_(start + 20 * duration), records_min_(large ? 10 : 100) {
    }
    bool goes_on(std::uint64_t now, std::uint64_t records) const noexcept {
        return now < over_ || (records < records_min_ && now < at_last_);
    }

  private:
    std::uint64_t over_;
    std::uint64_t at_last_;
    std::uint64_t records_min_;
};

template <class S, std::size_t Bytes>
class player {
    using writer = typename S::template writer<Bytes>;
    using reader = typename S::template reader<Bytes>;
    using fan_writer = typename std::conditional_t<S::fans_out, std::type_identity<writer>,
                                                   std::type_identity<each_writer<writer>>>::type;
    using fan_reader = typename std::conditional_t<S::fans_in, std::type_identity<reader>,
                                                   std::type_identity<each_reader<reader>>>::type;

  public:
    player(session& s, std::uint32_t role)
        : s_(s), job_(s.what), role_(role), mine_(s.results[role]),
          paper_(job_.bytes, job_.ends_only()), watch_(s.counter != 0),
          spins_(job_.wait == wait::spin), duration_(ticks_of(job_.duration_ns)) {}

    void play() {
        switch (job_.figure) {
        case figure::round_trip:
        case figure::large_round_trip:
        case figure::large_round_trip_touched: return role_ == 0 ? ask() : answer();
        case figure::one_way:
        case figure::wake_up: return role_ == 0 ? send_when_due() : receive_due();
        case figure::throughput: return role_ == 0 ? stream<writer>("0") : take_stream<reader>("0");
        case figure::throughput_batch: return role_ == 0 ? stream_batches() : take_batches();
        case figure::publish_cost: return role_ == 0 ? publish() : crowd();
        case figure::fan_out:
            return role_ == 0 ? stream<fan_writer>("0")
                              : take_stream<reader>(S::fans_out ? "0" : own_name(role_ - 1));
        case figure::fan_in:
            return role_ < job_.writers ? stream<writer>(S::fans_in ? "0" : own_name(role_))
                                        : take_stream<fan_reader>("0");
        default: throw std::runtime_error("no such role");
        }
    }

  private:
    // --- making channels -------------------------------------------------------------------

    static std::string own_name(std::uint32_t i) { return "0." + std::to_string(i); }

    channel end(std::string name, std::uint32_t index, bool fan_out, bool fan_in) const {
        channel c;
        c.scratch = std::string(s_.scratch.view());
        c.name = std::move(name);
        c.index = index;
        c.writers = fan_in ? job_.writers : 1;
        c.readers = fan_out ? job_.readers : 1;
        c.bytes = job_.bytes;
        c.depth = depth_for(job_.bytes);
        c.wait = job_.wait;
        c.lossy = job_.lossy != 0;
        c.variant = std::string(s_.variant.view());
        return c;
    }
    channel end(std::string name) const {
        bool const out =
            (job_.figure == figure::fan_out && S::fans_out) || job_.figure == figure::publish_cost;
        bool const in = job_.figure == figure::fan_in && S::fans_in;
        std::uint32_t index = 0;
        if (job_.figure == figure::fan_out && role_ > 0) {
            index = role_ - 1;
        } else if (job_.figure == figure::fan_in && role_ < job_.writers) {
            index = role_;
        }
        channel c = end(std::move(name), out || in ? index : 0, out, in);
        // Emulated fans are told how many there are; they make that many channels.
        if (job_.figure == figure::fan_out && !S::fans_out && role_ == 0) {
            c.readers = job_.readers;
        }
        if (job_.figure == figure::fan_in && !S::fans_in && role_ == job_.writers) {
            c.writers = job_.writers;
        }
        return c;
    }

    /// Readers first; then writers.
    template <class Reader>
    std::unique_ptr<Reader> make_reader(channel const& c) {
        settle_before();
        auto made = std::make_unique<Reader>(c);
        meet(s_, 1);
        return made;
    }
    template <class Writer>
    std::unique_ptr<Writer> make_writer(channel const& c) {
        meet(s_, 1);
        settle_before();
        return std::make_unique<Writer>(c);
    }
    void settle_before() {
        if (!S::has_threads) {
            settle();
        }
    }
    void settle() { pin_to(s_.cpus[role_]); }

    /// Until all readers have heard all writers.
    struct nobody {
        template <class F>
        bool try_send(F) noexcept {
            return true;
        }
        template <class F>
        bool try_receive(F) noexcept {
            return false;
        }
    };
    template <class Writer, class Reader>
    void connect(Writer* out, std::size_t out_channel, Reader* in, std::size_t in_channel,
                 std::uint32_t pairs_there, std::uint32_t pairs_back) {
        std::uint64_t known = 0;
        bool greeted = false; // once is enough where nothing is lost before the other side is there
        std::uint64_t const started = os::monotonic_ns();
        for (;;) {
            // The way back is greeted when the way there is open: a message that is larger than what
            // lies between two sides is only gone when the other one reads.
            bool const my_turn = out_channel == 0 || s_.heard[0].load() >= pairs_there;
            if (out != nullptr && my_turn && !greeted &&
                s_.heard[out_channel].load() < (out_channel == 0 ? pairs_there : pairs_back)) {
                auto const hello = [&](void* to) { paper_.write(to, tag::of(me(), tag::hello)); };
                if constexpr (requires { out->greet(hello); }) {
                    out->greet(hello);
                } else if (out->try_send(hello)) {
                    greeted = S::is_connected;
                }
            }
            while (in != nullptr && in->try_receive([&](void const* from, std::size_t bytes) {
                bool right = false;
                tag const t = paper_.read(from, bytes, right);
                if (!right || t.number() != tag::hello || t.writer() >= 64) {
                    mine_.wrong += 1;
                } else if ((known & (std::uint64_t{1} << t.writer())) == 0) {
                    known |= std::uint64_t{1} << t.writer();
                    s_.heard[in_channel].fetch_add(1);
                }
            })) {
            }
            if (s_.heard[0].load() >= pairs_there && s_.heard[1].load() >= pairs_back) {
                break;
            }
            if (s_.failed.load() != 0) {
                throw std::runtime_error("another process of the measurement failed");
            }
            if (os::monotonic_ns() - started > 10'000'000'000U) {
                throw std::runtime_error("the two sides do not hear each other");
            }
            ::usleep(100); // readers and writers find each other in their own time
        }
        settle();
        meet(s_, 2);
    }

    // --- sending and receiving -------------------------------------------------------------

    template <class Once>
    [[gnu::always_inline]] void spin_until(Once once) {
        std::uint32_t idle = 0;
        while (!once()) {
            if (s_.oversubscribed != 0) {
                if (++idle == 32) {
                    idle = 0;
                    ::sched_yield();
                }
            }
        }
    }
    template <class Writer>
    [[gnu::always_inline]] void send(Writer& out, tag t) {
        auto const write = [&](void* to) { paper_.write(to, t); };
        if (spins_) {
            spin_until([&] { return out.try_send(write); });
        } else {
            out.send(write);
        }
    }
    /// The next message that counts.
    template <class Reader>
    [[gnu::always_inline]] tag receive(Reader& in) {
        tag t{};
        bool right = true;
        do {
            auto const read = [&](void const* from, std::size_t bytes) {
                t = paper_.read(from, bytes, right);
            };
            if (spins_) {
                spin_until([&] { return in.try_receive(read); });
            } else {
                in.receive(read);
            }
        } while (t.number() == tag::hello);
        if (t.number() != tag::goodbye || !right) {
            ledger_.take(t, right);
        }
        return t;
    }

    // --- round trips -----------------------------------------------------------------------

    void ask() {
        // Both sides make a reader, then a writer.
        auto in = make_reader<reader>(end("1"));
        settle_before();
        writer out(end("0"));
        connect(&out, 0, in.get(), 1, 1, 1);
        std::uint64_t last = watch_.now();
        std::uint64_t const warm = last + duration_ / 10;
        enough const until(last, duration_, job_.large());
        bool counts = false;
        std::uint64_t number = 0;
        for (; until.goes_on(last, mine_.ticks.count()); ++number) {
            send(out, tag::of(0, number));
            tag const t = receive(*in);
            if (t.number() != number) {
                mine_.wrong += 1;
                break;
            }
            std::uint64_t const now = watch_.now();
            if (counts) {
                mine_.ticks.record(now - last);
            } else if (now >= warm) {
                counts = true;
                start_cpu();
                last = watch_.now();
                continue;
            }
            last = now;
        }
        end_cpu(mine_.ticks.count());
        send(out, tag::of(0, tag::goodbye));
        finish();
        meet(s_, 3);
    }

    void answer() {
        auto in = make_reader<reader>(end("0"));
        settle_before();
        writer out(end("1"));
        connect(&out, 1, in.get(), 0, 1, 1);
        start_cpu();
        std::uint64_t answered = 0;
        for (;;) {
            tag const t = receive(*in);
            if (t.number() == tag::goodbye) {
                break;
            }
            send(out, t);
            answered += 1;
        }
        end_cpu(answered);
        finish();
        meet(s_, 3);
    }

    // --- one way, when due -----------------------------------------------------------------

    std::uint64_t idle_ticks() const {
        return ticks_of(job_.figure == figure::wake_up ? 200'000'000 : 1'000'000);
    }

    void send_when_due() {
        auto out = make_writer<writer>(end("0"));
        connect(out.get(), 0, static_cast<nobody*>(nullptr), 1, 1, 0);
        std::uint64_t const start = watch_.now() + idle_ticks();
        s_.start_tick.store(start);
        double const interval = static_cast<double>(job_.interval_ns) / s_.ns_per_tick;
        auto const planned = job_.duration_ns / job_.interval_ns;
        std::uint64_t const late_max = 2 * duration_ + ticks_of(2'000'000'000);
        std::uint64_t count = 0;
        for (; count < planned; ++count) {
            auto const due =
                start + static_cast<std::uint64_t>(static_cast<double>(count) * interval);
            if (!await(due, late_max)) {
                mine_.overloaded = 1; // it would only get later
                break;
            }
            send(*out, tag::of(0, count));
        }
        s_.sent[0].store(count);
        send(*out, tag::of(0, tag::goodbye));
        meet(s_, 3);
    }
    /// Sleeps if there is time to sleep. False: the time passed long ago.
    bool await(std::uint64_t tick, std::uint64_t late_max) {
        std::uint64_t const now = watch_.now();
        if (now >= tick) {
            return now - tick < late_max;
        }
        double const left_ns = static_cast<double>(tick - now) * s_.ns_per_tick;
        if (left_ns > 400'000) {
            timespec const rest =
                os::to_timespec(os::monotonic_ns() + static_cast<std::uint64_t>(left_ns - 200'000));
            ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &rest, nullptr);
        }
        while (watch_.now() < tick) {
        }
        return true;
    }

    void receive_due() {
        auto in = make_reader<reader>(end("0"));
        connect(static_cast<nobody*>(nullptr), 0, in.get(), 0, 1, 0);
        double const interval = static_cast<double>(job_.interval_ns) / s_.ns_per_tick;
        std::uint64_t const warm = job_.duration_ns / job_.interval_ns / 10;
        std::uint64_t const idle_from = os::monotonic_ns();
        start_cpu();
        bool first = true;
        for (;;) {
            tag const t = receive(*in);
            std::uint64_t const now = watch_.now_ordered();
            if (t.number() == tag::goodbye) {
                break;
            }
            if (first) {
                first = false;
                end_cpu(0);
                mine_.idle_cpu_ns = mine_.cpu_ns;
                mine_.idle_ns = os::monotonic_ns() - idle_from;
                start_cpu();
            }
            if (t.number() >= warm) {
                std::uint64_t const due =
                    s_.start_tick.load(std::memory_order_relaxed) +
                    static_cast<std::uint64_t>(static_cast<double>(t.number()) * interval);
                if (now < due) {
                    mine_.wrong += 1; // the clocks disagree
                } else {
                    mine_.ticks.record(now - due);
                }
            }
        }
        end_cpu(ledger_.taken());
        meet(s_, 3);
        ledger_.close(0, s_.sent[0].load());
        finish();
    }

    // --- streams ---------------------------------------------------------------------------

    std::uint32_t pairs() const { return job_.writers * job_.readers; }
    std::uint64_t block() const { return job_.large() ? 16 : 512; }

    /// What so many messages are, by those who take them. Theirs may begin later.
    std::uint64_t records(std::uint64_t messages) const { return messages / block() / 2; }

    template <class Writer>
    void stream(std::string name) {
        auto out = make_writer<Writer>(end(std::move(name)));
        connect(out.get(), 0, static_cast<nobody*>(nullptr), 1, pairs(), 0);
        start_cpu();
        std::uint64_t const start = watch_.now();
        std::uint64_t const warm = start + duration_ / 10; // as those who take
        enough const until(start, duration_, job_.large());
        std::uint64_t number = 0;
        std::uint64_t const stride = job_.large() ? 1 : 64;
        bool counts = false;
        for (std::uint64_t now = start; until.goes_on(now, records(number)); now = watch_.now()) {
            if (!counts && now >= warm) {
                counts = true;
                start_cpu();
            }
            for (std::uint64_t const last = number + stride; number < last; ++number) {
                send(*out, tag::of(me(), number));
            }
        }
        leave(*out, number);
    }
    template <class Writer>
    void leave(Writer& out, std::uint64_t sent) {
        end_cpu(sent);
        mine_.cpu_messages = 0; // counted by those who take
        s_.sent[me()].store(sent);
        s_.stop.fetch_add(1);
        if (job_.lossy == 0) {
            send(out, tag::of(me(), tag::goodbye));
        }
        meet(s_, 3);
    }

    /// Takes the time of whole blocks of messages.
    class block_timer {
      public:
        block_timer(player& of) : of_(of), block_(of.block()) {}
        [[gnu::always_inline]] void count(std::uint64_t taken) {
            if (taken >= next_) [[unlikely]] {
                stamp(taken);
            }
        }

      private:
        void stamp(std::uint64_t taken) {
            std::uint64_t const now = of_.watch_.now();
            if (warm_ == 0) {
                warm_ = now + of_.duration_ / 10;
            } else if (from_ == 0) {
                if (now >= warm_) {
                    from_ = now;
                    of_.start_cpu();
                    taken_from_ = taken;
                }
            } else {
                // Blocks that come in one are one record for each message of the last.
                of_.mine_.ticks.record((now - last_) * block_ / (taken - taken_last_));
                of_.mine_.messages = taken - taken_from_;
                of_.mine_.rate_ticks = now - from_;
            }
            last_ = now;
            taken_last_ = taken;
            next_ = taken + block_;
        }

        player& of_;
        std::uint64_t const block_;
        std::uint64_t next_ = 1;
        std::uint64_t warm_ = 0;
        std::uint64_t from_ = 0;
        std::uint64_t last_ = 0;
        std::uint64_t taken_from_ = 0;
        std::uint64_t taken_last_ = 0;
    };

    template <class Reader>
    void take_stream(std::string name) {
        auto in = make_reader<Reader>(end(std::move(name)));
        connect(static_cast<nobody*>(nullptr), 0, in.get(), 0, pairs(), 0);
        mine_.per_record = block();
        block_timer timer(*this);
        if (job_.lossy != 0) {
            take_lossy(*in, timer);
        } else if (s_.variant.view().ends_with("poll")) {
            take_many(*in, timer);
        } else {
            for (std::uint32_t left = job_.writers; left > 0;) {
                if (receive(*in).number() == tag::goodbye) {
                    left -= 1;
                } else {
                    timer.count(ledger_.taken());
                }
            }
        }
        taken();
    }
    /// The last message may be one of those that are lost: the end is told elsewhere.
    template <class Reader>
    void take_lossy(Reader& in, block_timer& timer) {
        auto const read = [&](void const* from, std::size_t bytes) {
            bool right = false;
            tag const t = paper_.read(from, bytes, right);
            if (t.number() != tag::hello || !right) {
                ledger_.take(t, right);
            }
        };
        for (;;) {
            bool const last = s_.stop.load(std::memory_order_acquire) == job_.writers;
            bool any = false;
            for (int i = 0; i < 64 && in.try_receive(read); ++i) {
                any = true;
                timer.count(ledger_.taken());
            }
            if (last && !any) {
                break;
            }
            if (!any && s_.oversubscribed != 0) {
                ::sched_yield();
            }
        }
    }
    /// Of one writer, in the way that takes many at a time.
    template <class Reader>
    void take_many(Reader& in, block_timer& timer) {
        if constexpr (requires { in.try_receive_batch([](void const*, std::size_t) {}); }) {
            bool over = false;
            auto const read = [&](void const* from, std::size_t bytes) {
                bool right = false;
                tag const t = paper_.read(from, bytes, right);
                if (right && t.number() == tag::goodbye) {
                    over = true;
                } else if (!right || t.number() != tag::hello) {
                    ledger_.take(t, right);
                }
            };
            while (!over) {
                spin_until([&] { return in.try_receive_batch(read) != 0; });
                timer.count(ledger_.taken());
            }
        } else {
            throw std::runtime_error("takes one at a time");
        }
    }
    void taken() {
        end_cpu(mine_.messages);
        meet(s_, 3);
        for (std::uint32_t i = 0; i < job_.writers; ++i) {
            ledger_.close(i, s_.sent[i].load());
        }
        finish();
    }

    // --- batches ---------------------------------------------------------------------------

    static constexpr std::size_t batch = 64;

    void stream_batches() {
        if constexpr (requires(writer & w) {
                          w.try_send_batch(batch, [](std::size_t, void*) {});
                      }) {
            auto out = make_writer<writer>(end("0"));
            connect(out.get(), 0, static_cast<nobody*>(nullptr), 1, pairs(), 0);
            start_cpu();
            enough const until(watch_.now(), duration_, job_.large());
            std::uint64_t number = 0;
            while (until.goes_on(watch_.now(), records(number))) {
                std::uint64_t const last = number + batch;
                spin_until([&] {
                    number += out->try_send_batch(
                        static_cast<std::size_t>(last - number),
                        [&](std::size_t i, void* to) { paper_.write(to, tag::of(0, number + i)); });
                    return number == last;
                });
            }
            leave(*out, number);
        } else {
            throw std::runtime_error("no batches");
        }
    }
    void take_batches() {
        if constexpr (requires(reader & r) {
                          r.try_receive_batch([](void const*, std::size_t) {});
                      }) {
            auto in = make_reader<reader>(end("0"));
            connect(static_cast<nobody*>(nullptr), 0, in.get(), 0, pairs(), 0);
            mine_.per_record = block();
            block_timer timer(*this);
            take_many(*in, timer);
            taken();
        } else {
            throw std::runtime_error("no batches");
        }
    }

    // --- publishing to those who do not read ----------------------------------------------

    void publish() {
        auto out = make_writer<writer>(end("0"));
        connect(out.get(), 0, static_cast<nobody*>(nullptr), 1, job_.readers, 0);
        constexpr std::uint64_t publishes = 64;
        mine_.per_record = publishes;
        std::uint64_t number = 0;
        std::uint64_t last = watch_.now();
        std::uint64_t const warm = last + duration_ / 10;
        std::uint64_t const over = last + duration_;
        while (last < over) {
            for (std::uint64_t const end = number + publishes; number < end; ++number) {
                if (!out->try_send([&](void* to) { paper_.write(to, tag::of(0, number)); })) {
                    throw std::runtime_error("held up by a subscriber that does not read");
                }
            }
            std::uint64_t const now = watch_.now();
            if (now >= warm) {
                mine_.ticks.record(now - last);
            }
            last = now;
        }
        meet(s_, 3);
    }
    void crowd() {
        std::vector<std::unique_ptr<reader>> all;
        settle_before();
        for (std::uint32_t i = 0; i < job_.readers; ++i) {
            all.push_back(std::make_unique<reader>(end("0", i, true, false)));
        }
        meet(s_, 1);
        for (auto& one : all) {
            for (bool heard = false; !heard;) {
                heard = one->try_receive([](void const*, std::size_t) {});
                if (!heard) {
                    if (s_.failed.load() != 0) {
                        throw std::runtime_error("the publisher failed");
                    }
                    ::usleep(100);
                }
            }
            s_.heard[0].fetch_add(1);
        }
        meet(s_, 2);
        meet(s_, 3); // asleep
    }

    // --- what is found ---------------------------------------------------------------------

    std::uint64_t ticks_of(std::uint64_t ns) const {
        return static_cast<std::uint64_t>(static_cast<double>(ns) / s_.ns_per_tick);
    }
    std::uint32_t me() const noexcept {
        return job_.figure == figure::fan_in && role_ < job_.writers ? role_ : 0;
    }
    void start_cpu() noexcept { cpu_from_ = cpu_time_ns(); }
    void end_cpu(std::uint64_t messages) noexcept {
        mine_.cpu_ns = cpu_time_ns() - cpu_from_;
        mine_.cpu_messages = messages;
    }
    void finish() noexcept {
        mine_.lost += ledger_.lost();
        mine_.wrong += ledger_.wrong();
    }

    session& s_;
    job const job_;
    std::uint32_t const role_;
    role_result& mine_;
    letter<Bytes> const paper_;
    stop_watch const watch_;
    bool const spins_;
    std::uint64_t const duration_;
    ledger ledger_;
    std::uint64_t cpu_from_ = 0;
};

/// Both parts of a call. A subject that has calls of its own has two more types, each made from a
/// channel: S::client with `call(write, read)`, and S::server with `run(answer)`, where
/// `bool answer(void const* request, std::size_t bytes, void* reply)` says whether to go on.
template <class S, std::size_t Bytes = any_size>
void play_call(session& s, std::uint32_t role) {
    job const j = s.what;
    role_result& mine = s.results[role];
    letter<Bytes> const paper(j.bytes);
    stop_watch const watch(s.counter != 0);
    channel c;
    c.scratch = std::string(s.scratch.view());
    c.name = "call";
    c.bytes = j.bytes;
    c.depth = depth_for(j.bytes);
    c.wait = j.wait;
    c.variant = std::string(s.variant.view());
    ledger taken;
    auto const settle = [&] { pin_to(s.cpus[role]); };
    if (!S::has_threads) {
        settle();
    }
    std::uint64_t cpu_from = 0;
    if (role == 1) {
        typename S::server server(c);
        meet(s, 1);
        if (!S::server_works_in_threads) {
            settle();
        }
        server.run([&](void const* from, std::size_t bytes, void* reply) {
            bool right = false;
            tag const t = paper.read(from, bytes, right);
            if (t.number() == 0) {
                cpu_from = cpu_time_ns();
            }
            if (!right) {
                mine.wrong += 1;
            } else if (t.number() != tag::hello && t.number() != tag::goodbye) {
                taken.take(t, right);
            }
            paper.write(reply, t);
            return t.number() != tag::goodbye;
        });
        mine.cpu_ns = cpu_time_ns() - cpu_from;
        mine.cpu_messages = taken.taken();
        mine.lost += taken.lost();
        mine.wrong += taken.wrong();
        meet(s, 2);
        return;
    }
    meet(s, 1);
    typename S::client client(c);
    settle();
    auto const call = [&](std::uint64_t number) {
        client.call([&](void* to) { paper.write(to, tag::of(0, number)); },
                    [&](void const* from, std::size_t bytes) {
                        bool right = false;
                        tag const t = paper.read(from, bytes, right);
                        if (!right || t.number() != number) {
                            mine.wrong += 1;
                        }
                    });
    };
    call(tag::hello);
    auto const ticks_of = [&](std::uint64_t ns) {
        return static_cast<std::uint64_t>(static_cast<double>(ns) / s.ns_per_tick);
    };
    cpu_from = cpu_time_ns();
    std::uint64_t last = watch.now();
    std::uint64_t const start = last;
    std::uint64_t const warm = start + ticks_of(j.duration_ns / 10);
    enough const until(start, ticks_of(j.duration_ns), j.large());
    std::uint64_t number = 0;
    while (until.goes_on(last, mine.ticks.count())) {
        call(number++);
        std::uint64_t const now = watch.now();
        if (now >= warm) {
            mine.ticks.record(now - last);
        }
        last = now;
    }
    mine.cpu_ns = cpu_time_ns() - cpu_from;
    mine.cpu_messages = number;
    call(tag::goodbye);
    meet(s, 2);
}

/// What an operation costs that one process does alone. They are timed by 64: the clock costs as much
/// as one.
template <class Operation>
void play_alone(session& s, Operation once) {
    pin_to(s.cpus[0]);
    constexpr std::uint64_t operations = 64;
    role_result& mine = s.results[0];
    mine.per_record = operations;
    stop_watch const watch(s.counter != 0);
    auto const ticks_of = [&](std::uint64_t ns) {
        return static_cast<std::uint64_t>(static_cast<double>(ns) / s.ns_per_tick);
    };
    std::uint64_t last = watch.now();
    std::uint64_t const warm = last + ticks_of(s.what.duration_ns / 10);
    std::uint64_t const over = last + ticks_of(s.what.duration_ns);
    while (last < over) {
        for (std::uint64_t i = 0; i < operations; ++i) {
            once();
        }
        std::uint64_t const now = watch.now();
        if (now >= warm) {
            mine.ticks.record(now - last);
        }
        last = now;
    }
}

/// The part of `role`, by a subject that makes channels.
template <class S>
void play_channels(session& s, std::uint32_t role) {
    if constexpr (S::sizes_fixed) {
        bool const known = [&]<std::size_t... I>(std::index_sequence<I...>) {
            return ((s.what.bytes == fixed_sizes[I] &&
                     (player<S, fixed_sizes[I]>(s, role).play(), true)) ||
                    ...);
        }
        (std::make_index_sequence<fixed_sizes.size()>());
        if (!known) {
            throw std::runtime_error("no message of that size");
        }
    } else {
        player<S, any_size>(s, role).play();
    }
}

/// The same, by one that has calls, too.
template <class S>
void play_any(session& s, std::uint32_t role) {
    s.what.figure == figure::call ? play_call<S>(s, role) : play_channels<S>(s, role);
}

} // namespace partywall::bench
