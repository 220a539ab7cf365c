// SPDX-License-Identifier: BSL-1.0
// The one clock. Deadlines are absolute and never look at the wall clock, which may jump.
#pragma once

#include <cstdint>
#include <ctime>

namespace partywall::inline v0::os {

/// Nanoseconds of CLOCK_MONOTONIC. Async-signal-safe; a vDSO call, no system call.
inline std::uint64_t monotonic_ns() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail for this clock
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
           static_cast<std::uint64_t>(now.tv_nsec);
}

/// `wait_ns` from `now_ns` on; the largest value where that is beyond what can be counted.
constexpr std::uint64_t deadline_after(std::uint64_t now_ns, std::uint64_t wait_ns) noexcept {
    return wait_ns > ~now_ns ? ~std::uint64_t{0} : now_ns + wait_ns;
}

/// An absolute time as the kernel wants it. Times beyond what it can count (584 years) saturate
/// in the kernel, so the largest value means "no limit".
inline timespec to_timespec(std::uint64_t ns) noexcept {
    timespec time{};
    time.tv_sec = static_cast<std::time_t>(ns / 1'000'000'000U);
    time.tv_nsec = static_cast<long>(ns % 1'000'000'000U);
    return time;
}

} // namespace partywall::inline v0::os
