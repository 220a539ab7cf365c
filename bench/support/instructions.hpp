// SPDX-License-Identifier: BSL-1.0
// Instructions of a loop, where the kernel and the machine count them: many virtual machines and
// containers do not, and then the column is missing.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstring>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace partywall::bench {

/// Counts from here to its end, and tells the benchmark how many there were for each iteration.
///
///     for (instruction_count counted(state); auto _ : state) { ... }
class instruction_count {
  public:
    explicit instruction_count(benchmark::State& state) : state_(state), fd_(open()) {
        if (fd_ >= 0) {
            ::ioctl(fd_, PERF_EVENT_IOC_RESET, 0);
            ::ioctl(fd_, PERF_EVENT_IOC_ENABLE, 0);
        }
    }
    ~instruction_count() {
        if (fd_ < 0) {
            return;
        }
        ::ioctl(fd_, PERF_EVENT_IOC_DISABLE, 0);
        std::uint64_t count = 0;
        if (::read(fd_, &count, sizeof count) == sizeof count && count != 0) {
            state_.counters["instructions"] =
                benchmark::Counter(static_cast<double>(count), benchmark::Counter::kAvgIterations);
        }
        ::close(fd_);
    }
    instruction_count(instruction_count const&) = delete;
    instruction_count& operator=(instruction_count const&) = delete;

  private:
    static int open() noexcept {
        perf_event_attr what;
        std::memset(&what, 0, sizeof what);
        what.type = PERF_TYPE_HARDWARE;
        what.size = sizeof what;
        what.config = PERF_COUNT_HW_INSTRUCTIONS;
        what.disabled = 1;
        what.exclude_kernel = 1;
        what.exclude_hv = 1;
        return static_cast<int>(::syscall(SYS_perf_event_open, &what, 0, -1, -1, 0));
    }

    benchmark::State& state_;
    int fd_;
};

} // namespace partywall::bench
