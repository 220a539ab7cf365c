// SPDX-License-Identifier: BSL-1.0
// The value that a refused call gets.
#pragma once

#include <partywall/breaker/breaker_state.hpp>
#include <partywall/result.hpp>

#include <chrono>

namespace partywall::inline v0 {

/// Nothing was called. `retry_after`: when it may be worth another try; 0 where nobody knows.
struct [[nodiscard]] breaker_rejection {
    rejection_reason reason = rejection_reason::open;
    std::chrono::nanoseconds retry_after{};

    friend bool operator==(breaker_rejection const&, breaker_rejection const&) = default;
};

// Found by argument-dependent look-up from result::value().
[[noreturn]] inline void throw_exception_from_error(breaker_rejection const& r,
                                                    boost::source_location const& where) {
    detail::throw_error(to_string(r.reason), where);
}

} // namespace partywall::inline v0
