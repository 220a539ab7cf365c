// SPDX-License-Identifier: BSL-1.0
// The clock of breakers and their companions, which tests replace.
#pragma once

#include <partywall/os/clock.hpp>
#include <partywall/os/futex.hpp>

#include <concepts>
#include <cstdint>

namespace partywall::inline v0 {

/// A cheap value: copies tell the same time. `sleep_until` returns when the time has come.
template <class C>
concept breaker_clock = std::copyable<C> && requires(C const& clock) {
    { clock.now_ns() } -> std::same_as<std::uint64_t>;
};

template <class C>
concept sleeping_clock = breaker_clock<C> && requires(C const& clock) {
    clock.sleep_until(1U);
};

/// CLOCK_MONOTONIC.
struct monotonic_clock {
    std::uint64_t now_ns() const noexcept { return os::monotonic_ns(); }
    void sleep_until(std::uint64_t ns) const noexcept {
        while (os::monotonic_ns() < ns) {
            os::futex_wait_any({}, ns);
        }
    }
};

} // namespace partywall::inline v0
