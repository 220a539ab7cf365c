// SPDX-License-Identifier: BSL-1.0
// What surrounds a call, as one struct.
#pragma once

#include <partywall/breaker/breaker_options.hpp>
#include <partywall/breaker/bulkhead.hpp>
#include <partywall/breaker/retry.hpp>
#include <partywall/export.hpp>
#include <partywall/result.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

namespace partywall::inline v0 {

/// Each part but the deadline may be left out: std::nullopt. The order is fixed; see guard.hpp.
struct guard_options {
    /// Of the whole: all attempts and all waits between them. 1 us to 24 h.
    std::chrono::nanoseconds deadline = std::chrono::seconds(1);
    std::optional<retry_options> retry = std::nullopt;
    std::optional<retry_budget_options> budget = std::nullopt; ///< of retries, over all calls
    std::optional<breaker_options> breaker = breaker_options{};
    std::optional<bulkhead_options> bulkhead = std::nullopt;
};

/// Why a guard cannot be made; the failure's message names the values.
enum class guard_errc : std::uint8_t {
    bad_deadline = 1,
    bad_retry,
    bad_budget,
    bad_breaker, ///< the message is the breaker's
    bad_bulkhead,
    no_memory,
};
[[nodiscard]] PARTYWALL_API std::string_view to_string(guard_errc e) noexcept;

template <>
struct is_error_enum<guard_errc> : std::true_type {};

namespace detail {
/// What is wrong with all parts but the breaker.
PARTYWALL_API result<void, failure<guard_errc>> check_guard(guard_options const& options);
} // namespace detail

} // namespace partywall::inline v0
