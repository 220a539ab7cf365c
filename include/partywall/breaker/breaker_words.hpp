// SPDX-License-Identifier: BSL-1.0
// The packed words of a breaker's record, taken apart. Value types: nothing here touches shared
// memory. The pictures are in breaker_layout.hpp.
#pragma once

#include <partywall/breaker/breaker_layout.hpp>
#include <partywall/breaker/breaker_options.hpp>
#include <partywall/segment/owner_word.hpp>

#include <cstdint>

namespace partywall::inline v0::detail {

/// Bits `shift` to `shift + width - 1` of a word.
template <unsigned Shift, unsigned Width>
struct bit_field {
    static constexpr std::uint64_t limit = (std::uint64_t{1} << Width) - 1;
    static constexpr std::uint64_t of(std::uint64_t bits) noexcept {
        return (bits >> Shift) & limit;
    }
    static constexpr std::uint64_t put(std::uint64_t value) noexcept {
        return (value & limit) << Shift;
    }
};

/// The one word that admission looks at.
struct state_word {
    std::uint64_t bits = 0;

    using until_field = bit_field<0, 40>;
    using generation_field = bit_field<40, 16>;
    using step_field = bit_field<56, 5>;
    using state_field = bit_field<61, 3>;

    static constexpr state_word make(breaker_state s, std::uint64_t step, std::uint64_t generation,
                                     std::uint64_t ms) noexcept {
        return {state_field::put(static_cast<std::uint64_t>(s)) |
                step_field::put(step < step_field::limit ? step : step_field::limit) |
                generation_field::put(generation) |
                until_field::put(ms < until_field::limit ? ms : until_field::limit)};
    }
    constexpr breaker_state state() const noexcept {
        return static_cast<breaker_state>(state_field::of(bits));
    }
    /// Half-open times in a row that did not close it: the exponent of the back-off.
    constexpr std::uint64_t step() const noexcept { return step_field::of(bits); }
    /// Changes with every change of the state.
    constexpr std::uint16_t generation() const noexcept {
        return static_cast<std::uint16_t>(generation_field::of(bits));
    }
    constexpr std::uint64_t ms() const noexcept { return until_field::of(bits); }
    constexpr std::uint64_t ns() const noexcept { return ms() * 1'000'000; }
    /// The word of the state after this one.
    constexpr state_word next(breaker_state s, std::uint64_t step,
                              std::uint64_t ms) const noexcept {
        return make(s, step, generation() + std::uint64_t{1}, ms);
    }
    friend constexpr bool operator==(state_word, state_word) noexcept = default;
};

/// How much later `a` is than `b`, of numbers that wrap at `Width` bits.
template <unsigned Width>
constexpr std::int64_t signed_distance(std::uint64_t a, std::uint64_t b) noexcept {
    return static_cast<std::int64_t>((a - b) << (64 - Width)) >> (64 - Width);
}

/// What tells the bucket of one lap and one generation from all others in its place. The lap is
/// the number of times that the window had come round: 2^17 windows of idleness, to within the
/// length of one, would be needed to take an old bucket for a new one.
struct bucket_tag {
    std::uint64_t bits = 0; ///< in place, bits 63..39

    using lap_field = bit_field<39, 17>;
    using generation_field = bit_field<56, 8>;
    static constexpr std::uint64_t mask =
        lap_field::put(~std::uint64_t{0}) | generation_field::put(~std::uint64_t{0});

    static constexpr bucket_tag make(std::uint64_t generation, std::uint64_t lap) noexcept {
        return {generation_field::put(generation) | lap_field::put(lap)};
    }
    static constexpr bucket_tag of(std::uint64_t word) noexcept { return {word & mask}; }
    /// Whether what carries this tag has no business in a bucket that carries `other`.
    constexpr bool is_older_than(bucket_tag other) const noexcept {
        auto const generations =
            signed_distance<8>(generation_field::of(bits), generation_field::of(other.bits));
        auto const laps = signed_distance<17>(lap_field::of(bits), lap_field::of(other.bits));
        return generations != 0 ? generations < 0 : laps < 0;
    }
    friend constexpr bool operator==(bucket_tag, bucket_tag) noexcept = default;
};

/// Results of one bucket, or of a whole window.
struct call_counts {
    std::uint64_t calls = 0;
    std::uint64_t failures = 0;
    std::uint64_t slow = 0;

    constexpr call_counts& operator+=(call_counts const& more) noexcept {
        calls += more.calls;
        failures += more.failures;
        slow += more.slow;
        return *this;
    }
    friend constexpr bool operator==(call_counts const&, call_counts const&) noexcept = default;
};

struct bucket_word {
    using calls_field = bit_field<0, 13>;
    using failures_field = bit_field<13, 13>;
    using slow_field = bit_field<26, 13>;

    static constexpr std::uint64_t make(bucket_tag tag, call_counts const& c) noexcept {
        return tag.bits | calls_field::put(c.calls) | failures_field::put(c.failures) |
               slow_field::put(c.slow);
    }
    static constexpr call_counts counts(std::uint64_t word) noexcept {
        return {calls_field::of(word), failures_field::of(word), slow_field::of(word)};
    }
};

struct neutral_word {
    using ignored_field = bit_field<0, 20>;
    using cancelled_field = bit_field<20, 19>;
    static constexpr std::uint64_t one_ignored = 1;
    static constexpr std::uint64_t one_cancelled = std::uint64_t{1} << 20;
};

/// Results in a row, of one kind.
struct streak_word {
    using successes_field = bit_field<0, 24>;
    using failures_field = bit_field<24, 24>;
    using generation_field = bit_field<48, 16>;
    /// Successes are counted so far and no further: then a healthy callee costs no store here.
    static constexpr std::uint64_t successes_max = 255;

    static constexpr std::uint64_t make(std::uint64_t generation, std::uint64_t successes,
                                        std::uint64_t failures) noexcept {
        return generation_field::put(generation) | successes_field::put(successes) |
               failures_field::put(failures);
    }
    /// The word after one more result; the same where nothing is to be stored.
    static constexpr std::uint64_t after(std::uint64_t word, std::uint16_t generation,
                                         bool failed) noexcept {
        bool const same = generation_field::of(word) == generation;
        std::uint64_t const successes = same ? successes_field::of(word) : 0;
        std::uint64_t const failures = same ? failures_field::of(word) : 0;
        if (failed) {
            return make(generation, 0, failures < failures_field::limit ? failures + 1 : failures);
        }
        return make(generation, successes < successes_max ? successes + 1 : successes, 0);
    }
};

/// Counts of one generation: what the probes brought, what tripped it.
struct tally_word {
    using calls_field = bit_field<0, 16>;
    using failures_field = bit_field<16, 16>;
    using slow_field = bit_field<32, 16>;
    using generation_field = bit_field<48, 16>;

    static constexpr std::uint64_t make(std::uint64_t generation, call_counts const& c) noexcept {
        constexpr auto capped = [](std::uint64_t n) { return n < 0xffff ? n : 0xffff; };
        return generation_field::put(generation) | calls_field::put(capped(c.calls)) |
               failures_field::put(capped(c.failures)) | slow_field::put(capped(c.slow));
    }
    static constexpr bool is_of(std::uint64_t word, std::uint16_t generation) noexcept {
        return generation_field::of(word) == generation;
    }
    static constexpr call_counts counts(std::uint64_t word) noexcept {
        return {calls_field::of(word), failures_field::of(word), slow_field::of(word)};
    }
};

/// A permit: an owner word whose sequence is {generation, count of changes}. A permit of an older
/// generation is void, and its place is anybody's.
struct permit_word {
    static constexpr unsigned count_bits = 6;
    static constexpr std::uint64_t count_mask = (std::uint64_t{1} << count_bits) - 1;

    static constexpr owner make(std::uint64_t ticket, slot_phase p, std::uint16_t generation,
                                owner before) noexcept {
        std::uint64_t const count = (before.sequence() + 1) & count_mask;
        return owner::make(ticket, p, (std::uint64_t{generation} << count_bits) | count);
    }
    static constexpr std::uint16_t generation(owner word) noexcept {
        return static_cast<std::uint16_t>(word.sequence() >> count_bits);
    }
    static constexpr owner freed(owner word) noexcept {
        return make(0, slot_phase::free, generation(word), word);
    }
    static constexpr bool is_held(owner word, std::uint16_t in) noexcept {
        return word.phase() == slot_phase::ready && generation(word) == in;
    }
};

} // namespace partywall::inline v0::detail
