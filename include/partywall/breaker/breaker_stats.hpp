// SPDX-License-Identifier: BSL-1.0
// What a breaker shows of itself.
#pragma once

#include <partywall/breaker/breaker_state.hpp>

#include <cstdint>
#include <optional>

namespace partywall::inline v0 {

/// A look at a breaker. Words are read one by one while calls go on: sums may be a call apart.
struct breaker_stats {
    /// Counts of calls: of the window while closed, of the probes while half-open.
    struct counts {
        std::uint64_t calls = 0;
        std::uint64_t failures = 0; ///< timeouts included
        std::uint64_t slow = 0;
        std::uint64_t ignored = 0;   ///< not in `calls`
        std::uint64_t cancelled = 0; ///< not in `calls`

        std::uint64_t successes() const noexcept { return calls - failures; }
    };

    breaker_state state = breaker_state::closed;
    std::uint16_t generation = 0;    ///< changes with the state; wraps
    std::uint32_t step = 0;          ///< half-open times in a row that did not close it
    std::uint64_t until_ns = 0;      ///< open, half-open: when that ends, by the breaker's clock
    std::uint32_t probes_flying = 0; ///< half-open: permits that are held
    std::uint64_t successes_in_a_row = 0; ///< not counted beyond 255
    std::uint64_t failures_in_a_row = 0;
    counts window;     ///< since the present state began, as far as the window reaches
    counts tripped_by; ///< open: what the window held when it opened; nothing if it was moved
    counts total;      ///< since the breaker was made
    std::uint64_t rejected = 0; ///< since the present state began
    std::uint64_t rejected_total = 0;
    std::uint64_t stale_total = 0; ///< results of calls begun in an older state, dropped
    std::uint64_t opened_total = 0;
    std::uint64_t callee = 0; ///< its incarnation, as far as the breaker was told; 0: it was not
    std::uint32_t minimum_calls = 0; ///< below it there is no rate, in the present state

    /// Of what is judged now; nothing below the minimum of calls. Open: of what tripped it.
    std::optional<double> failure_rate() const noexcept { return rate(&counts::failures); }
    std::optional<double> slow_call_rate() const noexcept { return rate(&counts::slow); }

  private:
    std::optional<double> rate(std::uint64_t counts::*part) const noexcept {
        counts const& c = state == breaker_state::open ? tripped_by : window;
        if (c.calls == 0 || c.calls < minimum_calls) {
            return std::nullopt;
        }
        return static_cast<double>(c.*part) / static_cast<double>(c.calls);
    }
};

} // namespace partywall::inline v0
