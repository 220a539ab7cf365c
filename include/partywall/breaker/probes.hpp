// SPDX-License-Identifier: BSL-1.0
// A half-open breaker's probes: who may send one, and what they brought.
//
// A permit is an owner word with the generation of the half-open state. How many are held is
// counted by looking at them; there is no counter that a killed holder would leave too high.
//
// Callers   any number of threads and processes.
// Progress  lock-free.
// Cost      a look at each permit, one compare-exchange and one fence; while half-open only.
// Peer dies its permit says whose it was. Whoever needs one asks for proof of that death and
//           takes it back. What the dead one had counted stays counted; a decision that it owed
//           is taken by the next one who asks for a permit.
//
// Invariants
//   I1  Places 0 to permits-1 are claimed each by one compare-exchange: so many probes at a time
//       and no more.
//   I2  Results and held permits together are never more than the probes that decide. A claimer
//       counts after it claimed, behind a fence, and gives back what is one too many: two who
//       claim at once may both give back, but never both keep.
//   I3  A permit of an older generation protects nothing. Its place is taken by a
//       compare-exchange on exactly the value seen, so its late holder finds that it is gone.
#pragma once

#include <partywall/breaker/breaker_rules.hpp>
#include <partywall/breaker/breaker_words.hpp>
#include <partywall/detail/mutant.hpp>
#include <partywall/segment/atomics.hpp>
#include <partywall/segment/owner_word.hpp>

#include <cstdint>

namespace partywall::inline v0::detail {

/// Says whether the participant with that ticket is proven dead. Never of the caller's own.
struct death_oracle {
    bool (*proven_dead)(void* context, std::uint64_t ticket) noexcept = nullptr;
    void* context = nullptr;

    bool is_dead(std::uint64_t ticket) const noexcept {
        return proven_dead != nullptr && proven_dead(context, ticket);
    }
};

/// A permit in the hands of its holder. `index` = none: there is none.
struct permit {
    static constexpr std::uint32_t none = ~std::uint32_t{0};
    std::uint32_t index = none;
    owner word = {};
};

enum class probe_verdict : std::uint8_t { undecided, passed, failed };

template <class Atomics = std_atomics>
class probes {
  public:
    probes(breaker_record& record, breaker_constants const& rules, std::uint64_t ticket) noexcept
        : record_(&record), rules_(&rules), ticket_(ticket) {}

    /// A permit of this generation, or none. `ask_for_proof`: whether dead holders are looked for
    /// where there is none left; that takes a system call for each holder.
    permit claim(std::uint16_t generation, bool ask_for_proof,
                 death_oracle const& oracle) noexcept {
        for (;;) {
            std::uint32_t place = permit::none;
            owner seen;
            std::uint32_t const held = look(generation, place, seen);
            std::uint64_t const over = PARTYWALL_MUTANT(probes_not_counted) ? 1 : 0;
            if (place == permit::none ||
                held + results(generation).calls >= rules_->probe_calls + over) {
                if (ask_for_proof && free_the_dead(generation, oracle)) {
                    continue;
                }
                return {};
            }
            if (!seen.is_free() && !is_current(generation)) {
                return {}; // the caller is the late one, and the permit that it saw is good (I3)
            }
            owner const mine = permit_word::make(ticket_, slot_phase::ready, generation, seen);
            if (!Atomics::compare_exchange(record_->permits[place], seen.word, mine.word)) {
                continue; // I1
            }
            // I2. Pairs with the same fence of everybody else who claims: of two claims at once
            // at least one is seen by the other.
            Atomics::fence(std::memory_order_seq_cst);
            permit const got{place, mine};
            if (look(generation, place, seen) + results(generation).calls > rules_->probe_calls &&
                !PARTYWALL_MUTANT(probes_not_counted)) {
                give_back(got);
                return {};
            }
            return got;
        }
    }

    /// Does nothing where the permit was taken back meanwhile (I3).
    void give_back(permit const& p) noexcept {
        if (p.index < breaker_permits_max) {
            std::uint64_t seen = p.word.word;
            Atomics::compare_exchange(record_->permits[p.index], seen,
                                      permit_word::freed(p.word).word);
        }
    }

    /// Counts a result. False: the state changed meanwhile, and the result was dropped.
    bool add(std::uint16_t generation, bool failed, bool slow) noexcept {
        // acquire: pairs with the release of who wrote a newer generation here.
        std::uint64_t old = Atomics::load(record_->probes, std::memory_order_acquire);
        for (;;) {
            call_counts c;
            if (tally_word::is_of(old, generation)) {
                c = tally_word::counts(old);
            } else if (!is_current(generation)) {
                return false;
            }
            c += {1, failed ? std::uint64_t{1} : 0, slow ? std::uint64_t{1} : 0};
            if (Atomics::compare_exchange(record_->probes, old, tally_word::make(generation, c))) {
                return true;
            }
        }
    }

    call_counts results(std::uint16_t generation) const noexcept {
        // acquire: pairs with the release in add(): a permit that was given back comes with the
        // result of its probe.
        std::uint64_t const word = Atomics::load(record_->probes, std::memory_order_acquire);
        return tally_word::is_of(word, generation) ? tally_word::counts(word) : call_counts{};
    }

    /// Permits that are held, those of dead holders included.
    std::uint32_t held(std::uint16_t generation) const noexcept {
        std::uint32_t place = permit::none;
        owner seen;
        return look(generation, place, seen);
    }

    probe_verdict verdict(call_counts const& c) const noexcept {
        if (static_cast<probe_rule>(rules_->probe_rule) == probe_rule::rate_over) {
            if (c.calls < rules_->probe_calls) {
                return probe_verdict::undecided;
            }
            return reaches(c.failures, c.calls, rules_->failure_ppb) ||
                           reaches(c.slow, c.calls, rules_->slow_ppb)
                       ? probe_verdict::failed
                       : probe_verdict::passed;
        }
        if (c.calls - c.failures >= rules_->probe_successes) {
            return probe_verdict::passed;
        }
        return c.failures > rules_->probe_calls - rules_->probe_successes
                   ? probe_verdict::failed
                   : probe_verdict::undecided;
    }

  private:
    bool is_current(std::uint16_t generation) const noexcept {
        // acquire: a state that is seen here comes with what was stored before it.
        return state_word{Atomics::load(record_->state, std::memory_order_acquire)}.generation() ==
               generation;
    }

    /// Permits held in this generation; the first place that can be claimed, as it was seen.
    std::uint32_t look(std::uint16_t generation, std::uint32_t& place, owner& seen) const noexcept {
        std::uint32_t held = 0;
        place = permit::none;
        for (std::uint32_t i = 0; i < rules_->probe_permits; ++i) {
            // acquire: pairs with the release of who gave it back, see results().
            owner const there{Atomics::load(record_->permits[i], std::memory_order_acquire)};
            if (permit_word::is_held(there, generation)) {
                held += 1;
            } else if (place == permit::none) {
                place = i;
                seen = there;
            }
        }
        return held;
    }

    /// Whether a permit was taken back from a dead holder. The word first, then the question:
    /// a death that is proven is that of the very holder who is then thrown out.
    bool free_the_dead(std::uint16_t generation, death_oracle const& oracle) noexcept {
        bool any = false;
        for (std::uint32_t i = 0; i < rules_->probe_permits; ++i) {
            // acquire: as in look().
            owner there{Atomics::load(record_->permits[i], std::memory_order_acquire)};
            if (permit_word::is_held(there, generation) && there.ticket() != ticket_ &&
                !PARTYWALL_MUTANT(permit_of_the_dead_kept) && oracle.is_dead(there.ticket())) {
                // Lost only to somebody who took it back too.
                Atomics::compare_exchange(record_->permits[i], there.word,
                                          permit_word::freed(there).word);
                any = true;
            }
        }
        return any;
    }

    breaker_record* record_;
    breaker_constants const* rules_;
    std::uint64_t ticket_;
};

} // namespace partywall::inline v0::detail
