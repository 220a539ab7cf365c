// SPDX-License-Identifier: BSL-1.0
// The states of a breaker, and the word for a call that it refuses.
#pragma once

#include <partywall/export.hpp>

#include <cstdint>
#include <string_view>

namespace partywall::inline v0 {

/// The numbers are part of the record's layout: never renumber.
enum class breaker_state : std::uint8_t {
    closed = 0,       ///< calls go through and are judged
    open = 1,         ///< calls are refused until a time
    half_open = 2,    ///< some calls go through as probes
    forced_open = 3,  ///< refused until an operator says otherwise
    disabled = 4,     ///< calls go through, nothing is counted
    metrics_only = 5, ///< calls go through and are counted; it never opens
    isolated = 6,     ///< refused because somebody took the callee out of service
};

/// What became of a call, for its breaker.
enum class outcome : std::uint8_t {
    success = 0,
    failure = 1,
    timeout = 2,   ///< a failure, and slow whatever slow_call_duration is
    ignored = 3,   ///< says nothing about the callee
    cancelled = 4, ///< the caller changed its mind
};

enum class rejection_reason : std::uint8_t {
    open = 1,    ///< it is open; `retry_after` says how much longer
    probing,     ///< half-open, and all probes that it wants are under way
    forced_open, ///< an operator refuses calls
    isolated,    ///< the callee was taken out of service
    forked,      ///< the breaker's participant is that of the parent process
};

[[nodiscard]] PARTYWALL_API std::string_view to_string(breaker_state s) noexcept;
[[nodiscard]] PARTYWALL_API std::string_view to_string(outcome o) noexcept;
[[nodiscard]] PARTYWALL_API std::string_view to_string(rejection_reason r) noexcept;

} // namespace partywall::inline v0
