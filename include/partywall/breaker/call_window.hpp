// SPDX-License-Identifier: BSL-1.0
// The windows of a breaker: what calls brought, counted in packed words.
//
// Callers   any number of threads, and of processes where the record is shared; a count window
//           belongs to one process.
// Progress  lock-free: a failed compare-exchange means that somebody else counted.
// Cost      a success: one compare-exchange (count window: three). It does not grow with the
//           window; judging a time window looks at its buckets, of which there are at most 16.
// Peer dies what it had not counted is not counted. A bucket that somebody was about to settle
//           is missing in the totals, never in a window.
//
// Invariants
//   I1  A result is added only to words of the generation in which its call began. Who finds a
//       word of another generation looks at the state word again: if that is still the caller's
//       generation, the word is an old one and is begun anew; if not, the result is dropped.
//   I2  A full bucket is halved, so its rates stay and newer results weigh more.
//   I3  In a count window every slot is in the totals once: who replaces it takes it out.
#pragma once

#include <partywall/breaker/breaker_words.hpp>
#include <partywall/segment/atomics.hpp>

#include <cstdint>

namespace partywall::inline v0::detail {

/// One result, as it is counted.
struct one_result {
    std::uint16_t generation = 0; ///< of the state in which the call began
    std::uint64_t began_ns = 0;   ///< when that state began
    std::uint64_t now_ns = 0;
    bool failed = false;
    bool slow = false;
};

/// How often what did not count happened lately.
struct neutral_counts {
    std::uint64_t ignored = 0;
    std::uint64_t cancelled = 0;
};

template <class Atomics = std_atomics>
class call_window {
  public:
    /// `slots`: of the count window, one per call, zero at first; nullptr for other kinds.
    call_window(breaker_record& record, breaker_constants const& rules,
                std::uint32_t* slots) noexcept
        : record_(&record), rules_(&rules), slots_(slots) {}

    /// Counts a result. False: it came too late and was dropped.
    bool add(one_result const& r) noexcept {
        bool const counted =
            kind() == window_kind::count ? add_to_ring(r) : add_to_bucket(record_->buckets, r);
        return counted && add_to_streak(r);
    }

    void add_neutral(one_result const& r, bool cancelled) noexcept {
        std::uint64_t const unit =
            cancelled ? neutral_word::one_cancelled : neutral_word::one_ignored;
        place const at = place_of(r.began_ns, r.now_ns);
        bucket_tag const tag = bucket_tag::make(r.generation, at.lap);
        std::uint64_t& word = record_->neutral[at.index];
        // acquire: pairs with the release of who wrote a newer generation here (I1).
        std::uint64_t old = Atomics::load(word, std::memory_order_acquire);
        for (;;) {
            bool const same = bucket_tag::of(old) == tag;
            if (!same && is_late(r, tag, old)) {
                return;
            }
            std::uint64_t const held = cancelled ? neutral_word::cancelled_field::of(old)
                                                 : neutral_word::ignored_field::of(old);
            std::uint64_t const full = cancelled ? neutral_word::cancelled_field::limit
                                                 : neutral_word::ignored_field::limit;
            bool const anew = !same || held == full;
            if (Atomics::compare_exchange(word, old, (anew ? tag.bits : old) + unit)) {
                if (anew) {
                    settle_neutral(old);
                }
                return;
            }
        }
    }

    /// What the window holds now.
    call_counts counts(std::uint16_t generation, std::uint64_t began_ns,
                       std::uint64_t now_ns) const noexcept {
        if (kind() == window_kind::count) {
            // relaxed: counts are judged, not followed.
            std::uint64_t const word = Atomics::load(record_->ring_totals, relaxed);
            return tally_word::is_of(word, generation) ? unbiased(word) : call_counts{};
        }
        call_counts sum;
        for_each_bucket(record_->buckets, generation, began_ns, now_ns,
                        [&sum](std::uint64_t word) { sum += bucket_word::counts(word); });
        return sum;
    }

    neutral_counts neutral(std::uint16_t generation, std::uint64_t began_ns,
                           std::uint64_t now_ns) const noexcept {
        neutral_counts sum;
        for_each_bucket(record_->neutral, generation, began_ns, now_ns, [&sum](std::uint64_t word) {
            sum.ignored += neutral_word::ignored_field::of(word);
            sum.cancelled += neutral_word::cancelled_field::of(word);
        });
        return sum;
    }

    std::uint64_t failures_in_a_row(std::uint16_t generation) const noexcept {
        std::uint64_t const word = Atomics::load(record_->streak, relaxed);
        return is_of(word, generation) ? streak_word::failures_field::of(word) : 0;
    }
    std::uint64_t successes_in_a_row(std::uint16_t generation) const noexcept {
        std::uint64_t const word = Atomics::load(record_->streak, relaxed);
        return is_of(word, generation) ? streak_word::successes_field::of(word) : 0;
    }

    /// Adds to the streak of a half-open breaker, whose results are counted elsewhere.
    bool add_to_streak(one_result const& r) noexcept {
        // acquire: pairs with the release of who wrote a newer generation here (I1).
        std::uint64_t old = Atomics::load(record_->streak, std::memory_order_acquire);
        for (;;) {
            std::uint64_t const next = streak_word::after(old, r.generation, r.failed);
            if (next == old) {
                return true;
            }
            if (!is_of(old, r.generation) && !is_current(r.generation)) {
                return false;
            }
            if (Atomics::compare_exchange(record_->streak, old, next)) {
                return true;
            }
        }
    }

    bool is_current(std::uint16_t generation) const noexcept {
        // acquire: a state that is seen here comes with what was stored before it.
        return state_word{Atomics::load(record_->state, std::memory_order_acquire)}.generation() ==
               generation;
    }

    /// Results in the buckets and not yet in the settled totals, of whatever generation.
    call_counts unsettled() const noexcept {
        call_counts sum;
        for (std::uint64_t const& word : record_->buckets) {
            sum += bucket_word::counts(Atomics::load(word, relaxed));
        }
        return sum;
    }
    neutral_counts unsettled_neutral() const noexcept {
        neutral_counts sum;
        for (std::uint64_t const& each : record_->neutral) {
            std::uint64_t const word = Atomics::load(each, relaxed);
            sum.ignored += neutral_word::ignored_field::of(word);
            sum.cancelled += neutral_word::cancelled_field::of(word);
        }
        return sum;
    }

    /// Puts results that go through no bucket into the totals.
    void settle(call_counts const& gone) noexcept {
        // relaxed: statistics.
        if (gone.calls != 0) {
            Atomics::fetch_add(record_->settled_calls, gone.calls, relaxed);
        }
        if (gone.failures != 0) {
            Atomics::fetch_add(record_->settled_failures, gone.failures, relaxed);
        }
        if (gone.slow != 0) {
            Atomics::fetch_add(record_->settled_slow, gone.slow, relaxed);
        }
    }

  private:
    static constexpr auto relaxed = std::memory_order_relaxed; // counts order nothing

    struct place {
        std::uint32_t index;
        std::uint64_t lap;
    };

    static constexpr std::uint64_t one(bool yes) noexcept { return yes ? 1 : 0; }
    window_kind kind() const noexcept { return static_cast<window_kind>(rules_->window_kind); }

    static bool is_of(std::uint64_t streak, std::uint16_t generation) noexcept {
        return streak_word::generation_field::of(streak) == generation;
    }

    place place_of(std::uint64_t began_ns, std::uint64_t now_ns) const noexcept {
        if (rules_->bucket_ns == 0) {
            return {0, 0};
        }
        // A clock that was read before the state began is as good as its beginning.
        std::uint64_t const elapsed = now_ns > began_ns ? now_ns - began_ns : 0;
        std::uint64_t const epoch = elapsed / rules_->bucket_ns;
        std::uint32_t const n = rules_->bucket_count;
        return n == 1 ? place{0, epoch} : place{static_cast<std::uint32_t>(epoch % n), epoch / n};
    }

    /// I1, and the same for laps: who was held up since it read the clock finds a newer lap. Only
    /// two laps count as newer: more would be taken from those that come after a long rest.
    bool is_late(one_result const& r, bucket_tag mine, std::uint64_t word) const noexcept {
        bucket_tag const there = bucket_tag::of(word);
        if (bucket_tag::generation_field::of(there.bits) !=
            bucket_tag::generation_field::of(mine.bits)) {
            return !is_current(r.generation);
        }
        auto const ahead = signed_distance<17>(bucket_tag::lap_field::of(there.bits),
                                               bucket_tag::lap_field::of(mine.bits));
        return ahead == 1 || ahead == 2;
    }

    bool add_to_bucket(std::uint64_t (&buckets)[breaker_buckets_max],
                       one_result const& r) noexcept {
        place const at = place_of(r.began_ns, r.now_ns);
        bucket_tag const tag = bucket_tag::make(r.generation, at.lap);
        std::uint64_t& word = buckets[at.index];
        // acquire: pairs with the release of who wrote a newer generation here (I1).
        std::uint64_t old = Atomics::load(word, std::memory_order_acquire);
        for (;;) {
            call_counts held;
            call_counts gone;
            if (bucket_tag::of(old) == tag) [[likely]] {
                held = bucket_word::counts(old);
                if (held.calls == bucket_word::calls_field::limit) { // I2
                    gone = held;
                    held = {held.calls / 2, held.failures / 2, held.slow / 2};
                    gone = {gone.calls - held.calls, gone.failures - held.failures,
                            gone.slow - held.slow};
                }
            } else if (is_late(r, tag, old)) {
                return false;
            } else {
                gone = bucket_word::counts(old);
            }
            held += {1, one(r.failed), one(r.slow)};
            if (Atomics::compare_exchange(word, old, bucket_word::make(tag, held))) {
                settle(gone);
                return true;
            }
        }
    }

    template <class Each>
    void for_each_bucket(std::uint64_t const (&buckets)[breaker_buckets_max],
                         std::uint16_t generation, std::uint64_t began_ns, std::uint64_t now_ns,
                         Each each) const noexcept {
        place const at = place_of(began_ns, now_ns);
        bucket_tag const present = bucket_tag::make(generation, at.lap);
        bucket_tag const before = bucket_tag::make(generation, at.lap - 1);
        std::uint32_t const n = rules_->bucket_count;
        for (std::uint32_t i = 0; i < n; ++i) {
            std::uint64_t const word = Atomics::load(buckets[i], relaxed);
            // Those behind the present place are of this lap, those before it of the last one.
            if (bucket_tag::of(word) == (i <= at.index ? present : before) &&
                (i <= at.index || at.lap != 0)) {
                each(word);
            }
        }
    }

    void settle_neutral(std::uint64_t word) noexcept {
        std::uint64_t const ignored = neutral_word::ignored_field::of(word);
        std::uint64_t const cancelled = neutral_word::cancelled_field::of(word);
        if (ignored != 0) {
            Atomics::fetch_add(record_->settled_ignored, ignored, relaxed);
        }
        if (cancelled != 0) {
            Atomics::fetch_add(record_->settled_cancelled, cancelled, relaxed);
        }
    }

    // The count window. A slot holds {generation:16, zero:13, there, slow, failed}. The totals
    // are biased, since the one who takes a result out may come before the one who puts it in.
    static constexpr std::uint32_t slot_there = 4;
    static constexpr std::uint32_t slot_slow = 2;
    static constexpr std::uint32_t slot_failed = 1;
    static constexpr std::uint64_t bias = 16'384;
    static_assert(breaker_window_calls_max < bias);

    static call_counts unbiased(std::uint64_t word) noexcept {
        call_counts const c = tally_word::counts(word);
        auto const less = [](std::uint64_t n) { return n > bias ? n - bias : 0; };
        return {less(c.calls), less(c.failures), less(c.slow)};
    }

    bool add_to_ring(one_result const& r) noexcept {
        std::uint64_t const position =
            Atomics::fetch_add(record_->ring_next, std::uint64_t{1}, relaxed);
        std::uint32_t& slot = slots_[position % rules_->window_calls];
        std::uint32_t const mine = (std::uint32_t{r.generation} << 16) | slot_there |
                                   (r.slow ? slot_slow : 0) | (r.failed ? slot_failed : 0);
        // acquire: pairs with the release of who wrote a newer generation here (I1).
        std::uint32_t old = Atomics::load(slot, std::memory_order_acquire);
        bool replaces = false;
        do {
            replaces = (old & slot_there) != 0 && (old >> 16) == r.generation;
            if (!replaces && old != 0 && !is_current(r.generation)) {
                return false;
            }
        } while (!Atomics::compare_exchange(slot, old, mine));
        settle({0, one(r.failed), one(r.slow)});
        return add_to_totals(r, replaces ? old : 0);
    }

    bool add_to_totals(one_result const& r, std::uint32_t out) noexcept {
        // acquire: pairs with the release of who wrote a newer generation here (I1).
        std::uint64_t old = Atomics::load(record_->ring_totals, std::memory_order_acquire);
        for (;;) {
            call_counts c{bias, bias, bias};
            if (tally_word::is_of(old, r.generation) && old != 0) {
                c = tally_word::counts(old);
            } else if (!is_current(r.generation)) {
                return false;
            }
            c.calls += one(out == 0); // I3
            c.failures += one(r.failed) - one((out & slot_failed) != 0);
            c.slow += one(r.slow) - one((out & slot_slow) != 0);
            if (Atomics::compare_exchange(record_->ring_totals, old,
                                          tally_word::make(r.generation, c))) {
                return true;
            }
        }
    }

    breaker_record* record_;
    breaker_constants const* rules_;
    std::uint32_t* slots_;
};

} // namespace partywall::inline v0::detail
