// SPDX-License-Identifier: BSL-1.0
// What can be chosen about a breaker, and the defaults. docs/breakers.md is the guide.
#pragma once

#include <partywall/breaker/breaker_event.hpp>
#include <partywall/export.hpp>
#include <partywall/limits.hpp>
#include <partywall/result.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string_view>
#include <type_traits>
#include <vector>

namespace partywall::inline v0 {

/// What a breaker looks back on while it is closed.
enum class window_kind : std::uint32_t {
    consecutive = 1, ///< failures in a row; one success forgives them
    count = 2,       ///< the last results, whenever they came
    time = 3,        ///< what came lately: in one fixed window, or in rolling buckets
};

struct breaker_window {
    window_kind kind = window_kind::time;
    std::uint32_t calls = 0;
    std::chrono::nanoseconds duration{};
    std::uint32_t buckets = 1;

    /// Opens after `failures` failures in a row; no rate and no minimum applies.
    static constexpr breaker_window consecutive(std::uint32_t failures) noexcept {
        return {window_kind::consecutive, failures, {}, 1};
    }
    /// The last `calls` results, 2 to breaker_window_calls_max.
    static constexpr breaker_window count(std::uint32_t calls) noexcept {
        return {window_kind::count, calls, {}, 1};
    }
    /// A window that begins anew whenever it is over.
    static constexpr breaker_window fixed(std::chrono::nanoseconds duration) noexcept {
        return {window_kind::time, 0, duration, 1};
    }
    /// A window that moves on by a bucket at a time: the last `buckets` of them, the present one
    /// included; 2 to breaker_buckets_max.
    static constexpr breaker_window rolling(std::chrono::nanoseconds duration,
                                            std::uint32_t buckets = 10) noexcept {
        return {window_kind::time, 0, duration, buckets};
    }
};

/// Which results have the rates judged.
enum class evaluate_on : std::uint32_t {
    failure = 1,     ///< failures and slow calls: no good call ever opens the breaker
    any_outcome = 2, ///< successes too: the call that completes the minimum may open it
};

/// How probes decide whether a half-open breaker closes.
enum class probe_rule : std::uint32_t {
    all_must_pass = 1, ///< n successes; the first failure opens again
    rate_over = 2,     ///< after n results the thresholds of the closed state are applied
    k_of_n = 3,        ///< k successes of n close it; it opens when they cannot be reached
};

struct breaker_probing {
    probe_rule rule = probe_rule::all_must_pass;
    std::uint32_t calls = 1;
    std::uint32_t successes = 1; ///< k_of_n only

    static constexpr breaker_probing all_must_pass(std::uint32_t n) noexcept {
        return {probe_rule::all_must_pass, n, n};
    }
    static constexpr breaker_probing rate_over(std::uint32_t n) noexcept {
        return {probe_rule::rate_over, n, n};
    }
    static constexpr breaker_probing k_of_n(std::uint32_t k, std::uint32_t n) noexcept {
        return {probe_rule::k_of_n, n, k};
    }
};

/// Who uses a breaker.
enum class breaker_scope : std::uint8_t {
    process = 1, ///< this process; where it is in a domain, others may look at it
    host = 2,    ///< all participants of a domain that give the same name, as one breaker
};

struct breaker_options {
    breaker_window window = breaker_window::rolling(std::chrono::seconds(10));
    /// Opens when at least this part of the window's calls failed; 0: failures are not judged.
    double failure_rate = 0.5;
    /// Opens when at least this part of them was slow; 0: slowness is not judged.
    double slow_call_rate = 0;
    /// A call that takes longer is slow; 0: only timeouts are.
    std::chrono::nanoseconds slow_call_duration{0};
    /// No rate is judged of fewer calls.
    std::uint32_t minimum_calls = 5;
    partywall::evaluate_on evaluate_on = partywall::evaluate_on::failure;

    /// How long it stays open the first time, and at most; from one time to the next by this
    /// factor. Each time is shortened by a random part of up to `open_jitter`, so that the clients
    /// of one server don't come back together.
    std::chrono::nanoseconds open_for = std::chrono::milliseconds(100);
    std::chrono::nanoseconds open_for_max = std::chrono::seconds(10);
    double open_factor = 2;
    double open_jitter = 0.2;

    breaker_probing probing = breaker_probing::all_must_pass(3);
    /// Probes at a time, 1 to breaker_permits_max; 0: as many as there are results to wait for,
    /// as far as that limit allows.
    std::uint32_t probes_at_a_time = 1;
    /// A half-open breaker that has not decided by then opens again, so no lost probe and no hung
    /// one keeps it half-open for ever.
    std::chrono::nanoseconds half_open_max = std::chrono::seconds(4);

    /// host: participant::breaker() only, and without a count window. All who share it have the same
    /// rules; whoever comes second and differs is refused.
    breaker_scope scope = breaker_scope::process;

    /// Told of every change of state; see breaker_event.hpp. Kept and called by this process only.
    std::vector<breaker_listener> listeners = {};
    /// Of the jitter; 0: taken from the clock.
    std::uint64_t seed = 0;

    /// The defaults for calls of that deadline: a window of ten of them (1 s to 60 s), since one
    /// caller makes five calls in the time of five timeouts, and probing for up to four (at least
    /// 1 s). docs/breakers.md derives every number.
    static breaker_options for_deadline(std::chrono::nanoseconds deadline) noexcept {
        constexpr std::chrono::nanoseconds least = std::chrono::seconds(1);
        constexpr std::chrono::nanoseconds most = std::chrono::seconds(60);
        auto const within = [&](std::chrono::nanoseconds t) {
            return t < least ? least : t > most ? most : t;
        };
        std::chrono::nanoseconds const d = within(deadline) == most ? most : deadline;
        breaker_options o;
        o.window = breaker_window::rolling(within(10 * d));
        o.half_open_max = within(4 * d);
        return o;
    }
};

/// Why a breaker cannot be made; the failure's message names the values.
enum class breaker_errc : std::uint8_t {
    bad_window = 1, ///< no such window, or its length makes no sense
    bad_threshold,  ///< a rate is not between 0 and 1, or nothing can ever open the breaker
    bad_minimum,    ///< minimum_calls cannot be reached, or is none
    bad_slow_call,  ///< slow calls are judged but nothing can be slow, or the other way round
    bad_open,       ///< open times are too short, too long or shrink
    bad_probing,    ///< the rule for half-open cannot be fulfilled, or never ends
    no_memory,
    mismatch, ///< the shared record has other rules
    not_here, ///< a shared record cannot have a count window; without a domain there is no scope host
    bad_name,          ///< of participant::breaker(), as all that follow
    too_many_breakers, ///< of scope host: records_max of a domain; else endpoints_max of a process
    no_space,          ///< the domain's file system is full
    permission,
    incompatible, ///< another version of partywall shares it, with another layout
    domain_gone,  ///< somebody removed the registry
    forked,       ///< the participant is the parent process's
    system,       ///< a system call failed; see os_error
};

/// Why an operator's move was refused.
enum class move_errc : std::uint8_t {
    not_from_closed = 1, ///< a closed breaker has nothing to probe for
    bad_state,           ///< no such state
    bad_duration,        ///< an open time must be 1 ms to 30 days
    forked,              ///< the breaker's participant is that of the parent process
};

[[nodiscard]] PARTYWALL_API std::string_view to_string(breaker_scope s) noexcept;
[[nodiscard]] PARTYWALL_API std::string_view to_string(breaker_errc e) noexcept;
[[nodiscard]] PARTYWALL_API std::string_view to_string(move_errc e) noexcept;

template <>
struct is_error_enum<breaker_errc> : std::true_type {};
template <>
struct is_error_enum<move_errc> : std::true_type {};

} // namespace partywall::inline v0
