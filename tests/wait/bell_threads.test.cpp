// SPDX-License-Identifier: BSL-1.0
// The hunt for lost wake-ups: real futexes, random pauses around the edge between "nothing there"
// and sleep. A sleep that ends by its time limit while there is something to do is a lost one.
#include "support/counts.hpp"
#include "support/watchdog.hpp"

#include <partywall/os/clock.hpp>
#include <partywall/os/membarrier.hpp>
#include <partywall/ring/gate.hpp>
#include <partywall/ring/reader_seat.hpp>
#include <partywall/wait/bell.hpp>
#include <partywall/wait/waitable.hpp>
#include <partywall/wait/waiting.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

namespace partywall::test {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

/// Long enough that only a lost wake-up ends it.
std::uint64_t long_from_now() {
    return os::monotonic_ns() +
           static_cast<std::uint64_t>(
               std::chrono::nanoseconds(scaled(std::chrono::seconds(20))).count());
}

/// Mostly nothing, sometimes a few loops, rarely a turn for somebody else.
class pauses {
  public:
    explicit pauses(std::uint64_t seed) : random_(seed) {}
    void operator()() {
        std::uint64_t const r = random_();
        if (r % 64 == 0) {
            std::this_thread::yield();
        }
        // The edge is a few nanoseconds wide: mostly steps of that size.
        std::uint64_t volatile steps = r % 8 == 1 ? (r >> 8) % 4096 : (r >> 8) % 64;
        while (steps != 0) {
            steps = steps - 1;
        }
    }

  private:
    std::mt19937_64 random_;
};

void heavy_fence(fence_pair pair) {
    if (pair == fence_pair::sleeper) {
        ASSERT_TRUE(os::heavy_fence());
    } else {
        std_atomics::fence(std::memory_order_seq_cst);
    }
}

struct hunt {
    fence_pair pair;
    std::uint64_t messages;
    std::size_t sleepers;
    std::uint32_t fenced_messages; ///< 0: the ringer does not change its mind
    alignas(spacing_bytes) std::uint64_t data = 0;
    alignas(spacing_bytes) std::uint32_t arm = 0;
    alignas(spacing_bytes) std::uint32_t rung = 0;
    std::uint32_t fencing = 0;
    alignas(spacing_bytes) std::array<std::atomic<std::uint64_t>, 2> taken{};
    alignas(spacing_bytes) std::atomic<std::uint64_t> lost{0};
    std::atomic<std::uint64_t> sleeps{0};

    void ring() {
        pauses pause(1);
        detail::bell_ringer<> bell(arm, rung, pair, fenced_messages != 0 ? &fencing : nullptr,
                                   fenced_messages);
        for (std::uint64_t i = 1; i <= messages; ++i) {
            std_atomics::store(data, i, std::memory_order_release);
            bell.ring_if_armed();
            // All must have come so far: or else nobody would ever sleep.
            for (std::size_t s = 0; s < sleepers; ++s) {
                for (unsigned turns = 1; taken[s].load() != i; ++turns) {
                    sleepers == 2 || turns % 1024 == 0 ? std::this_thread::yield()
                                                       : detail::spin_pause();
                }
            }
            pause();
        }
    }

    /// As a reading end does it.
    void fence() {
        detail::wait_list words;
        detail::arming all(words);
        all.armed = true;
        if (fenced_messages != 0) {
            all.fenced_if(fencing);
        }
        all.membarrier = pair == fence_pair::sleeper && fenced_messages == 0;
        all.fence();
    }

    void sleep(std::size_t me) {
        pauses pause(me + 2);
        detail::bell_sleeper<> bell(arm, rung);
        std::uint64_t last = 0;
        std::uint64_t slept = 0;
        auto const there = [&] {
            std::uint64_t const seen = std_atomics::load(data, std::memory_order_acquire);
            bool const more = seen != last;
            last = seen;
            return more;
        };
        while (last != messages) {
            while (!there()) {
                pause();
                if (bell.prepare()) {
                    fence();
                }
                pause();
                if (there()) {
                    break;
                }
                pause();
                slept += 1;
                auto const ended = os::futex_wait(bell.rung_word(), long_from_now());
                if (ended == os::futex_result::timed_out &&
                    std_atomics::load(data, std::memory_order_acquire) != last) {
                    lost += 1;
                }
            }
            taken[me].store(last);
        }
        sleeps += slept;
    }
};

void hunt_for(fence_pair pair, std::size_t sleepers, std::uint32_t fenced_messages = 0) {
    watchdog::extend(full_counts() ? std::chrono::hours(2) : std::chrono::minutes(2));
    if (pair == fence_pair::sleeper && !os::register_membarrier()) {
        GTEST_SKIP() << "no membarrier";
    }
    hunt h{pair, count(50'000, 10'000'000), sleepers, fenced_messages};
    std::thread one([&] { h.sleep(0); });
    std::thread two([&] {
        if (sleepers == 2) {
            h.sleep(1);
        }
    });
    h.ring();
    one.join();
    two.join();
    EXPECT_EQ(h.lost, 0U);
    EXPECT_GT(h.sleeps, 0U);
    std::cout << h.messages << " messages, " << h.sleeps << " sleeps\n";
}

TEST(BellThreads, LoseNoWakeUpWhenThePublisherFences) { hunt_for(fence_pair::publisher, 1); }

TEST(BellThreads, LoseNoWakeUpWhenOnlyTheSleeperFences) { hunt_for(fence_pair::sleeper, 1); }

TEST(BellThreads, LoseNoWakeUpWhenThePublisherFencesNowAndThen) {
    hunt_for(fence_pair::sleeper, 1, 1);
    hunt_for(fence_pair::sleeper, 2, 2);
}

TEST(BellThreads, LoseNoWakeUpOfTwoSleepers) {
    hunt_for(fence_pair::publisher, 2);
    hunt_for(fence_pair::sleeper, 2);
}

/// A gated writer and its reader, each of whom sleeps for the other.
struct tight_ring {
    static constexpr std::uint64_t cells = 4;
    fence_pair pair;
    std::uint64_t messages;
    detail::ring_control control{};
    detail::reader_slot slot{};
    std::uint64_t end = 0; ///< messages published; instead of stamps
    std::uint32_t arm = 0;
    std::atomic<std::uint64_t> lost{0};
    std::uint64_t writer_sleeps = 0;
    std::uint64_t reader_sleeps = 0;

    void write() {
        pauses pause(5);
        detail::gate<> ahead(control, &slot, 1, cells, 0);
        detail::bell_ringer<> bell(arm, control.rung, pair);
        for (std::uint64_t p = 0; p != messages; ++p) {
            detail::gate<>::laggard held_by;
            while (!ahead.open(p) && !ahead.scan(p, held_by)) {
                pause();
                std_atomics::store(control.room_arm, control.room_arm + 1, relaxed);
                heavy_fence(pair);
                detail::gate<>::laggard again;
                if (ahead.scan(p, again)) {
                    break;
                }
                pause();
                writer_sleeps += 1;
                auto const ended =
                    os::futex_wait({&slot.freed, held_by.freed, true}, long_from_now());
                if (ended == os::futex_result::timed_out && ahead.scan(p, held_by)) {
                    lost += 1;
                }
            }
            std_atomics::store(end, p + 1, std::memory_order_release);
            bell.ring_if_armed();
            pause();
        }
    }

    void read(detail::reader_seat<> seat) {
        pauses pause(6);
        detail::bell_sleeper<> bell(arm, control.rung);
        std::uint64_t position = 0;
        auto const there = [&] {
            return std_atomics::load(end, std::memory_order_acquire) != position;
        };
        while (position != messages) {
            if (there()) {
                position += 1;
                seat.publish_cursor(position);
                pause();
                continue;
            }
            if (bell.prepare()) {
                heavy_fence(pair);
            }
            pause();
            if (there()) {
                continue;
            }
            reader_sleeps += 1;
            auto const ended = os::futex_wait(bell.rung_word(), long_from_now());
            if (ended == os::futex_result::timed_out && there()) {
                lost += 1;
            }
        }
        seat.leave();
    }
};

void hunt_in_a_tight_ring(fence_pair pair) {
    watchdog::extend(full_counts() ? std::chrono::hours(2) : std::chrono::minutes(2));
    if (pair == fence_pair::sleeper && !os::register_membarrier()) {
        GTEST_SKIP() << "no membarrier";
    }
    tight_ring t{pair, count(100'000, 10'000'000)};
    owner mine;
    ASSERT_NE(detail::reader_seat<>::claim(&t.slot, 1, 7, detail::reader_role::lossless, mine),
              nullptr);
    detail::reader_seat<> seat(t.slot, t.control, mine, pair);
    seat.join();
    seat.set_ready();
    std::thread reader([&] { t.read(seat); });
    t.write();
    reader.join();
    EXPECT_EQ(t.lost, 0U);
    EXPECT_GT(t.writer_sleeps + t.reader_sleeps, 0U);
    std::cout << t.messages << " messages, " << t.writer_sleeps << " sleeps of the writer, "
              << t.reader_sleeps << " of the reader\n";
}

TEST(RoomBellThreads, LoseNoWakeUpOfEitherSideWhenBothFence) {
    hunt_in_a_tight_ring(fence_pair::publisher);
}

TEST(RoomBellThreads, LoseNoWakeUpOfEitherSideWhenOnlySleepersFence) {
    hunt_in_a_tight_ring(fence_pair::sleeper);
}

} // namespace
} // namespace partywall::test
