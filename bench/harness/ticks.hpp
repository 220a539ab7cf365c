// SPDX-License-Identifier: BSL-1.0
// The stop watch of the measurements: the processor's own counter where all processors count
// alike, because reading CLOCK_MONOTONIC costs a quarter of a cache line's round trip.
#pragma once

#include <partywall/os/clock.hpp>

#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace partywall::bench {

class stop_watch {
  public:
    /// Which clock, for all processes of one measurement.
    explicit stop_watch(bool counter) noexcept : counter_(counter) {}

    std::uint64_t now() const noexcept {
#if defined(__x86_64__)
        if (counter_) [[likely]] {
            return __rdtsc();
        }
#elif defined(__aarch64__)
        if (counter_) [[likely]] {
            std::uint64_t ticks;
            asm volatile("mrs %0, cntvct_el0" : "=r"(ticks));
            return ticks;
        }
#endif
        return os::monotonic_ns();
    }
    /// Not before everything that stands above it was executed: for stamps that another process
    /// compares with its own. Where stamps of one process follow each other, what one is early
    /// makes the next difference longer, and now() will do.
    std::uint64_t now_ordered() const noexcept {
#if defined(__x86_64__)
        _mm_lfence();
#elif defined(__aarch64__)
        asm volatile("isb" ::: "memory");
#endif
        return now();
    }

  private:
    bool counter_;
};

/// Whether this machine's processors count alike, at one rate, awake or asleep.
bool counters_agree();
/// Nanoseconds of a tick, measured against CLOCK_MONOTONIC.
double nanoseconds_per_tick(stop_watch watch);

} // namespace partywall::bench
