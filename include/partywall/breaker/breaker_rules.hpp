// SPDX-License-Identifier: BSL-1.0
// From options to rules, and what follows from the rules alone.
#pragma once

#include <partywall/breaker/breaker_options.hpp>
#include <partywall/breaker/breaker_words.hpp>
#include <partywall/export.hpp>
#include <partywall/result.hpp>

#include <cstdint>
#include <string>

namespace partywall::inline v0::detail {

/// The rules that the options amount to, or why they make no sense.
PARTYWALL_API result<breaker_constants, failure<breaker_errc>>
breaker_rules(breaker_options const& options);

/// Whether two breakers may share a record: all rules but the seed are the same.
PARTYWALL_API bool same_rules(breaker_constants const& a, breaker_constants const& b) noexcept;

/// Where they differ, for people: "minimum_calls is 5 there and 10 here".
PARTYWALL_API std::string difference_of(breaker_constants const& there,
                                        breaker_constants const& here);

/// Rules that stand in a record of somebody else's: whether they are such as breaker_rules()
/// makes. What is read through others is not to be divided by or looped over before.
PARTYWALL_API bool are_sane(breaker_constants const& rules) noexcept;

/// How long the breaker stays open after `step` times in vain, for the state of `generation`:
/// the same answer for everybody who asks.
PARTYWALL_API std::uint64_t open_time_ms(breaker_constants const& rules, std::uint64_t step,
                                         std::uint16_t generation) noexcept;

/// The first millisecond that is not before `ns`.
constexpr std::uint64_t ms_not_before(std::uint64_t ns) noexcept {
    return ns / 1'000'000 + (ns % 1'000'000 != 0 ? 1 : 0);
}

/// Whether `part` of `whole` is at least the threshold. 0: never.
constexpr bool reaches(std::uint64_t part, std::uint64_t whole, std::uint32_t ppb) noexcept {
    return ppb != 0 && part * 1'000'000'000U >= whole * ppb;
}

/// What a state word says at a time: a state whose time is over reads as the one that follows it,
/// and nothing has to be stored for that.
struct breaker_view {
    breaker_state state = breaker_state::closed;
    std::uint64_t until_ns = 0; ///< open, half_open: the end; half_open that nobody entered: 0
    /// The time of the stored state is over; the next admission stores what follows.
    bool is_due = false;
};

inline breaker_view view_at(state_word w, std::uint64_t now_ns,
                            breaker_constants const& rules) noexcept {
    if (w.state() == breaker_state::open) {
        return now_ns < w.ns() ? breaker_view{breaker_state::open, w.ns(), false}
                               : breaker_view{breaker_state::half_open, 0, true};
    }
    if (w.state() != breaker_state::half_open) {
        return {w.state(), 0, false};
    }
    if (now_ns < w.ns()) {
        return {breaker_state::half_open, w.ns(), false};
    }
    // It opened again when its time was over, whoever looks first.
    std::uint64_t const again =
        w.ms() + open_time_ms(rules, w.step() + 1, static_cast<std::uint16_t>(w.generation() + 1));
    return now_ns < again * 1'000'000 ? breaker_view{breaker_state::open, again * 1'000'000, true}
                                      : breaker_view{breaker_state::half_open, 0, true};
}

} // namespace partywall::inline v0::detail
