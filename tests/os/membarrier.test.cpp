// SPDX-License-Identifier: BSL-1.0
#include <partywall/os/membarrier.hpp>

#include <partywall/os/clock.hpp>

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

// The shape that every sleeper relies on: each side writes its own word, then reads the other's.
// Without fences both may read the old value, and a wake-up is lost. Here one side has only a
// compiler barrier, and runs as fast as it can: its stores queue up in its processor, and the
// other side's heavy fence must flush them.
TEST(MembarrierThreads, OneHeavyFenceReplacesTheFenceOfTheOtherSide) {
    ASSERT_TRUE(register_membarrier());
    struct alignas(128) word {
        std::atomic<std::uint64_t> value{0};
    };
    word left;           // light side: number of its step
    word right;          // heavy side: number of its round
    word first_that_saw; // light side's step that first saw the round ...
    word seen;           // ... after this says which round it saw
    std::atomic<bool> done{false};
    std::thread light([&] {
        std::uint64_t round = 0;
        for (std::uint64_t step = 1; !done.load(std::memory_order_relaxed); ++step) {
            left.value.store(step, std::memory_order_relaxed);
            std::atomic_signal_fence(std::memory_order_seq_cst);
            std::uint64_t const now = right.value.load(std::memory_order_relaxed);
            if (now != round) {
                round = now;
                first_that_saw.value.store(step, std::memory_order_relaxed);
                seen.value.store(round, std::memory_order_release);
            }
        }
    });
    // A round takes microseconds where both sides have a processor, and much longer where not.
    std::uint64_t const rounds = test::count(5'000, 300'000);
    std::uint64_t const enough_ns = monotonic_ns() + test::count(2, 60) * 1'000'000'000;
    std::uint64_t lost = 0;
    for (std::uint64_t round = 1; round <= rounds && (round <= 100 || monotonic_ns() < enough_ns);
         ++round) {
        right.value.store(round, std::memory_order_relaxed);
        EXPECT_TRUE(heavy_fence());
        std::uint64_t const step = left.value.load(std::memory_order_relaxed);
        for (int i = 0; seen.value.load(std::memory_order_acquire) < round; ++i) {
            if (i > 1'000) {
                std::this_thread::yield();
            }
        }
        // The step before did not see the round; so its store must have been seen by us.
        lost += step + 1 < first_that_saw.value.load(std::memory_order_relaxed) ? 1 : 0;
    }
    done.store(true);
    light.join();
    EXPECT_EQ(lost, 0U);
}

} // namespace
} // namespace partywall::os
