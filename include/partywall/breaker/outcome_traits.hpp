// SPDX-License-Identifier: BSL-1.0
// What breakers and their companions need to know of a call's result.
#pragma once

#include <partywall/breaker/breaker_state.hpp>
#include <partywall/result.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <optional>

namespace partywall::inline v0 {

/// Was the request of a failed call executed? `no` is a promise: it was not, nor will it be.
enum class executed : std::uint8_t { no = 0, maybe = 1 };

struct call_facts {
    outcome what = outcome::success;
    partywall::executed executed = partywall::executed::maybe;
    /// Refused on this side: by a breaker, a bulkhead, a budget. The callee was not asked, which
    /// is never its failure.
    bool refused_here = false;
    /// Another attempt could end otherwise. Of errors only.
    bool retryable = true;
    /// The callee, or who refused, says when to try again; negative: never. Nothing: not said.
    std::optional<std::chrono::nanoseconds> retry_after = std::nullopt;
};

/// What was refused on this side, for error_traits::refused().
enum class refusal_reason : std::uint8_t {
    circuit_open = 1, ///< the breaker
    overloaded,       ///< the bulkhead: as many calls under way as may be
    deadline,         ///< the deadline passed before the call could begin
};
struct local_refusal {
    refusal_reason reason = refusal_reason::circuit_open;
    std::chrono::nanoseconds retry_after{}; ///< 0: not known
};

/// For errors: specialise it to tell more than "a failure, perhaps executed", which is what is
/// assumed of errors that nobody knows.
///
///     template <> struct partywall::error_traits<my_error> {
///         static call_facts facts(my_error const& e);
///         static my_error refused(local_refusal const& r);   // needed by guard only
///     };
template <class E>
struct error_traits {
    static call_facts facts(E const&) noexcept { return {.what = outcome::failure}; }
};

/// For results: whatever is no result<T, E> is a success.
template <class R>
struct outcome_traits {
    static call_facts facts(R const&) noexcept { return {}; }
};
template <class T, class E>
struct outcome_traits<result<T, E>> {
    static call_facts facts(result<T, E> const& r) noexcept {
        return r ? call_facts{} : error_traits<E>::facts(r.error());
    }
};

template <class E>
concept tells_refusals = requires(local_refusal const& r) {
    { error_traits<E>::refused(r) } -> std::convertible_to<E>;
};

} // namespace partywall::inline v0
