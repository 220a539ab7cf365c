// SPDX-License-Identifier: BSL-1.0
#include <partywall/os/membarrier.hpp>

#include "support/counts.hpp"
#include "support/role.hpp"
#include "support/sandbox.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace partywall::os {
namespace {

TEST(Membarrier, RegistersAsOftenAsOneLikesAndKeepsErrno) {
    errno = 4711;
    EXPECT_TRUE(register_membarrier());
    EXPECT_TRUE(register_membarrier());
    EXPECT_TRUE(heavy_fence());
    EXPECT_EQ(errno, 4711);
}

TEST(Membarrier, SaysNoWhenItIsMissing) {
    for_test::disable_membarrier(true);
    EXPECT_FALSE(register_membarrier());
    EXPECT_FALSE(heavy_fence());
    for_test::disable_membarrier(false);
    EXPECT_TRUE(heavy_fence());
}

PARTYWALL_ROLE(is_forbidden_membarrier) {
    test::forbid_system_call(SYS_membarrier, static_cast<int>(context.number(0)));
    PARTYWALL_ROLE_CHECK(!register_membarrier());
    PARTYWALL_ROLE_CHECK(!heavy_fence());
    return 0;
}

TEST(Membarrier, SaysNoInASandboxWhateverItAnswers) {
    for (int const error : {EPERM, ENOSYS}) {
        EXPECT_EQ(test::spawn("is_forbidden_membarrier", {std::to_string(error)}).wait(),
                  test::exited(0));
    }
}

TEST(Membarrier, AForkedChildRegistersAnew) {
    ASSERT_TRUE(register_membarrier());
    pid_t const child = ::fork();
    if (child == 0) {
        ::_exit(register_membarrier() && heavy_fence() ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

/// Spins a little, for both sides should meet in the same nanoseconds, and then makes room.
void reach(std::atomic<std::uint64_t> const& counter, std::uint64_t round) {
    for (int i = 0; counter.load(std::memory_order_acquire) < round; ++i) {
        if (i > 1'000) {
            std::this_thread::yield();
        }
    }
}

/// A few nanoseconds more or less, so that the sides meet in every possible order.
void linger(std::uint64_t round, std::uint64_t salt) {
    std::uint64_t const steps = ((round + salt) * 0x9e37'79b9'7f4a'7c15) >> 57;
    for (std::uint64_t i = 0; i < steps; ++i) {
        std::atomic_signal_fence(std::memory_order_seq_cst);
    }
}

// The shape that every sleeper relies on: each side writes its own word, then reads the other's.
// Without a fence in between both may read the old value, and the wake-up is lost. One side has
// only a compiler barrier.
TEST(MembarrierThreads, OneHeavyFenceReplacesTheFenceOfTheOtherSide) {
    ASSERT_TRUE(register_membarrier());
    std::uint64_t const rounds = test::count(20'000, 500'000);
    struct alignas(128) line {
        std::atomic<std::uint64_t> value{0};
    };
    line left, right, light_saw, round_of_light, round_of_heavy;
    std::thread light([&] {
        for (std::uint64_t round = 1; round <= rounds; ++round) {
            reach(round_of_heavy.value, round);
            linger(round, 1);
            left.value.store(round, std::memory_order_relaxed);
            std::atomic_signal_fence(std::memory_order_seq_cst);
            light_saw.value.store(right.value.load(std::memory_order_relaxed),
                                  std::memory_order_relaxed);
            round_of_light.value.store(round, std::memory_order_release);
        }
    });
    std::uint64_t lost = 0;
    for (std::uint64_t round = 1; round <= rounds; ++round) {
        round_of_heavy.value.store(round, std::memory_order_release);
        linger(round, 2);
        linger(round, 3);
        right.value.store(round, std::memory_order_relaxed);
        bool const fenced = heavy_fence();
        std::uint64_t const heavy_saw = left.value.load(std::memory_order_relaxed);
        reach(round_of_light.value, round);
        bool const nobody_saw =
            heavy_saw < round && light_saw.value.load(std::memory_order_relaxed) < round;
        lost += fenced && nobody_saw ? 1 : 0;
    }
    light.join();
    EXPECT_EQ(lost, 0U);
}

} // namespace
} // namespace partywall::os
