// SPDX-License-Identifier: BSL-1.0
// A clock that moves when a test says so.
#pragma once

#include <chrono>
#include <cstdint>

namespace partywall::test {

class fake_clock {
  public:
    /// `now` outlives the clock. Sleeping makes the time come.
    explicit fake_clock(std::uint64_t& now) noexcept : now_(&now) {}
    std::uint64_t now_ns() const noexcept { return *now_; }
    void sleep_until(std::uint64_t ns) const noexcept { *now_ = ns > *now_ ? ns : *now_; }

  private:
    std::uint64_t* now_;
};

/// Somewhere in the past of the machine, and not at the beginning of a second.
inline constexpr std::uint64_t fake_start_ns = 1'234'567'000'000;

constexpr std::uint64_t ns(std::chrono::nanoseconds t) noexcept {
    return static_cast<std::uint64_t>(t.count());
}

} // namespace partywall::test
