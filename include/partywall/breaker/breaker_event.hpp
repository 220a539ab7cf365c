// SPDX-License-Identifier: BSL-1.0
// What listeners of a breaker hear.
#pragma once

#include <partywall/breaker/breaker_state.hpp>
#include <partywall/export.hpp>

#include <cstdint>
#include <functional>
#include <string_view>

namespace partywall::inline v0 {

/// Why a breaker changed its state, or what it noticed.
enum class breaker_cause : std::uint8_t {
    failure_rate = 1, ///< also in metrics_only, where it only says so, once per state
    slow_call_rate,
    consecutive_failures,
    open_time_over,
    probes_failed,
    probes_succeeded,
    half_open_too_long, ///< the probes had not decided by half_open_max
    operator_moved,
    callee_died,
    callee_is_new,
};
[[nodiscard]] PARTYWALL_API std::string_view to_string(breaker_cause c) noexcept;

/// A change of state; `from` and `to` are the same where a metrics_only breaker would have opened,
/// and where a closed one was reset.
struct breaker_event {
    breaker_state from = breaker_state::closed;
    breaker_state to = breaker_state::closed;
    breaker_cause cause = breaker_cause::operator_moved;
    std::uint16_t generation = 0; ///< of the new state; wraps
    std::uint64_t at_ns = 0;      ///< of the breaker's clock
};

/// Called outside every operation's atomic part, by the thread whose call brought the change or by
/// one that was told to, in the order of generations, one call at a time. It may use the breaker.
/// What it throws is dropped.
using breaker_listener = std::function<void(breaker_event const&)>;

} // namespace partywall::inline v0
