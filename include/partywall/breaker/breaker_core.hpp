// SPDX-License-Identifier: BSL-1.0
// The state machine of a breaker, over a record that may lie in shared memory.
//
//              too many failures                  time over, next admission
//     closed ---------------------> open(step) ------------------------------> half-open
//       ^                            ^      |                                   |     |
//       |                            |      | callee is new                     |     |
//       |                            |      +---------------> half-open         |     |
//       |                            +------ probes failed, or took too long ---+     |
//       |                                    step + 1                                 |
//       +----------------------------------- probes succeeded, step = 0 --------------+
//
//     An operator moves it anywhere, but not from closed to half-open.
//
// Callers   any number of threads, and of processes that share the record.
// Progress  lock-free. Nobody waits for anybody: who finds a step owed takes it.
// Cost      admitted while closed: one load. Rejected while open: one load, one addition.
// Peer dies see call_window.hpp and probes.hpp; the state changes by one compare-exchange.
//
// Invariants
//   I1  The state word changes by compare-exchange only, and each change of state is a new
//       generation. Results count in the generation in which their call was admitted, or nowhere.
//   I2  What the state is at a time follows from the word, the rules and the time (view_at).
//   I3  Time is given by the caller and never read here.
#pragma once

#include <partywall/breaker/breaker_event.hpp>
#include <partywall/breaker/breaker_rules.hpp>
#include <partywall/breaker/breaker_stats.hpp>
#include <partywall/breaker/breaker_words.hpp>
#include <partywall/breaker/call_window.hpp>
#include <partywall/breaker/probes.hpp>
#include <partywall/detail/mutant.hpp>
#include <partywall/os/fork_mark.hpp>
#include <partywall/segment/atomics.hpp>

#include <cstdint>
#include <optional>
#include <utility>

namespace partywall::inline v0::detail {

/// What admission hands to a call. `generation` and `held` say where its result counts.
struct admission_slip {
    enum class kind : std::uint8_t { rejected, counted, uncounted, probe };
    kind how = kind::rejected;
    rejection_reason why = rejection_reason::open;
    std::uint16_t generation = 0;
    std::uint64_t state_began_ns = 0;
    std::uint64_t retry_after_ns = 0; ///< rejected; 0: not known
    permit held = {};
};

/// Hears of changes; called by whoever made one, after it.
struct breaker_sink {
    void (*hear)(void* context, breaker_event const& event) noexcept = nullptr;
    void* context = nullptr;
};

template <class Atomics = std_atomics>
class breaker_core {
  public:
    /// `rules`, `record` and `slots` (call_window) outlive the core. `ticket`: whose permits its
    /// probes have; not 0.
    breaker_core(breaker_record& record, breaker_constants const& rules, std::uint32_t* slots,
                 std::uint64_t ticket, breaker_sink sink = {}, death_oracle oracle = {}) noexcept
        : record_(&record), rules_(&rules), window_(record, rules, slots),
          probes_(record, rules, ticket), sink_(sink), oracle_(oracle) {}

    /// The record is of a participant: a forked child of its process is refused and changes nothing.
    void belong_to(os::fork_mark const& mark) noexcept { mark_ = mark; }
    bool is_forked() const noexcept { return mark_ && mark_->is_child(); }

    /// Before anybody else sees the record: closed, nothing counted.
    static void format(breaker_record& record, breaker_constants const& rules,
                       std::uint64_t now_ns) noexcept {
        record = {};
        record.constants = rules;
        record.state = state_word::make(breaker_state::closed, 0, 0, now_ns / 1'000'000).bits;
    }

    /// May a call begin? `now` is called only where the answer depends on the time.
    template <class Now>
    admission_slip admit(Now&& now) noexcept {
        // acquire: pairs with the release of who changed the state.
        state_word const w{Atomics::load(record_->state, std::memory_order_acquire)};
        if (is_forked()) [[unlikely]] {
            return {.why = rejection_reason::forked};
        }
        if (w.state() == breaker_state::closed) [[likely]] {
            return through(w, admission_slip::kind::counted);
        }
        return admit_unless_closed(w, now);
    }

    /// Whether a call's beginning must be known when it ends.
    bool times_calls() const noexcept { return rules_->slow_ns != 0; }

    /// A call that began at `began_ns` (where times_calls()) ended. Its permit, if it had one, goes
    /// back. `now` is called at most once, and only where something depends on it.
    template <class Now>
    void complete(admission_slip const& slip, outcome what, std::uint64_t began_ns,
                  Now&& now) noexcept {
        if (slip.how == admission_slip::kind::uncounted || is_forked()) {
            return;
        }
        bool const is_probe = slip.how == admission_slip::kind::probe;
        one_result r;
        r.generation = slip.generation;
        r.failed = what == outcome::failure || what == outcome::timeout;
        r.began_ns = slip.state_began_ns;
        r.slow = what == outcome::timeout;
        if (is_probe || rules_->bucket_ns != 0 || rules_->slow_ns != 0) {
            r.now_ns = now();
            r.slow = r.slow || (rules_->slow_ns != 0 && r.now_ns > began_ns &&
                                r.now_ns - began_ns > rules_->slow_ns);
        }
        // acquire: pairs with the release of who changed the state.
        state_word const w{Atomics::load(record_->state, std::memory_order_acquire)};
        bool in_time = w.generation() == slip.generation;
        if (PARTYWALL_MUTANT(stale_result_counted)) {
            in_time = true;
            r.generation = w.generation();
        }
        if (is_probe) {
            in_time = complete_probe(w, slip, what, r);
        } else if (in_time && (what == outcome::ignored || what == outcome::cancelled)) {
            window_.add_neutral(r, what == outcome::cancelled);
        } else if (in_time) {
            in_time = window_.add(r);
            if (in_time && (r.failed || r.slow || rules_->evaluate_always != 0)) {
                judge(w, r, now);
            }
        }
        if (!in_time) [[unlikely]] {
            Atomics::fetch_add(record_->stale, std::uint64_t{1}, relaxed);
        }
    }

    /// A call was admitted and never began, or its end is not known.
    void release(admission_slip const& slip) noexcept {
        if (!is_forked()) {
            probes_.give_back(slip.held);
        }
    }

    breaker_view view(std::uint64_t now_ns) const noexcept {
        // acquire: pairs with the release of who changed the state.
        return view_at({Atomics::load(record_->state, std::memory_order_acquire)}, now_ns, *rules_);
    }

    /// An operator's move. Where it is there already, it stays in the same generation; only an
    /// open time begins anew. `open_ms`: how long it stays open; 0: as the rules say.
    result<void, move_errc> move_to(breaker_state to, std::uint64_t now_ns,
                                    std::uint64_t open_ms = 0) noexcept {
        if (static_cast<unsigned>(to) > static_cast<unsigned>(breaker_state::isolated)) {
            return move_errc::bad_state;
        }
        if (is_forked()) {
            return move_errc::forked;
        }
        for (;;) {
            state_word const w = settled(now_ns);
            if (to == breaker_state::half_open && w.state() == breaker_state::closed) {
                return move_errc::not_from_closed;
            }
            if (w.state() == to && to != breaker_state::open) {
                return {};
            }
            bool const opens = to == breaker_state::open;
            std::uint64_t const ms = opens && open_ms != 0
                                         ? ms_not_before(now_ns) + open_ms
                                         : end_of(to, w, w.state() == to ? w.step() : 0, now_ns);
            if (w.state() == to) {
                std::uint64_t seen = w.bits;
                if (Atomics::compare_exchange(
                        record_->state, seen,
                        state_word::make(to, w.step(), w.generation(), ms).bits)) {
                    return {};
                }
            } else if (change(w, w.next(to, 0, ms), breaker_cause::operator_moved, now_ns)) {
                return {};
            }
        }
    }

    /// Closed in a new generation, so that nothing of before counts; also where it is closed.
    void reset(std::uint64_t now_ns) noexcept {
        while (!is_forked()) {
            state_word const w = settled(now_ns);
            if (change(
                    w,
                    w.next(breaker_state::closed, 0, end_of(breaker_state::closed, w, 0, now_ns)),
                    breaker_cause::operator_moved, now_ns)) {
                return;
            }
        }
    }

    /// The callee of that incarnation is dead: nothing that it could answer is worth a call.
    /// Opens a closed or half-open breaker, unless a newer incarnation is known. 0: not known.
    void callee_died(std::uint64_t incarnation, std::uint64_t now_ns) noexcept {
        while (!is_forked()) {
            state_word const w = settled(now_ns);
            // relaxed: the state word decides; see callee_is_new().
            std::uint64_t const known =
                Atomics::load(record_->incarnation, std::memory_order_relaxed);
            bool const judged =
                w.state() == breaker_state::closed || w.state() == breaker_state::half_open;
            if (!judged || (known != 0 && incarnation != 0 && known != incarnation)) {
                return;
            }
            if (change(w,
                       w.next(breaker_state::open, w.step(),
                              end_of(breaker_state::open, w, w.step(), now_ns)),
                       breaker_cause::callee_died, now_ns)) {
                return;
            }
        }
    }

    /// A callee of a newer incarnation took over: an open breaker probes it at once. Told again of
    /// the same one, or late of an older one, nothing happens.
    void callee_is_new(std::uint64_t incarnation, std::uint64_t now_ns) noexcept {
        if (is_forked()) {
            return;
        }
        // acquire, release: who finds the new incarnation here finds the state before it, too.
        std::uint64_t known = Atomics::load(record_->incarnation, std::memory_order_acquire);
        while (known < incarnation &&
               !Atomics::compare_exchange(record_->incarnation, known, incarnation)) {
        }
        if (known > incarnation) {
            return; // a predecessor
        }
        // acquire: pairs with the release below: who finds it met finds the step taken. Who was
        // killed in between owes it, and the next one who tells of this incarnation takes it.
        std::uint64_t met = Atomics::load(record_->met, std::memory_order_acquire);
        while (met < incarnation) {
            state_word const w = settled(now_ns);
            if (w.state() != breaker_state::open ||
                change(w,
                       w.next(breaker_state::half_open, 0,
                              end_of(breaker_state::half_open, w, 0, now_ns)),
                       breaker_cause::callee_is_new, now_ns)) {
                Atomics::compare_exchange(record_->met, met, incarnation);
                return;
            }
        }
    }

    breaker_stats stats(std::uint64_t now_ns) const noexcept;

  private:
    static constexpr auto relaxed = std::memory_order_relaxed; // statistics

    static admission_slip through(state_word w, admission_slip::kind how) noexcept {
        admission_slip slip;
        slip.how = how;
        slip.generation = w.generation();
        slip.state_began_ns = w.ns();
        return slip;
    }

    admission_slip reject(rejection_reason why, std::uint64_t retry_after_ns) noexcept {
        Atomics::fetch_add(record_->rejected, std::uint64_t{1}, relaxed);
        admission_slip slip;
        slip.why = why;
        slip.retry_after_ns = retry_after_ns;
        return slip;
    }

    template <class Now>
    admission_slip admit_unless_closed(state_word w, Now&& now) noexcept {
        switch (w.state()) {
        case breaker_state::forced_open: return reject(rejection_reason::forced_open, 0);
        case breaker_state::isolated: return reject(rejection_reason::isolated, 0);
        case breaker_state::metrics_only: return through(w, admission_slip::kind::counted);
        case breaker_state::open:
        case breaker_state::half_open: break;
        default:
            // Disabled; or a word that no correct process writes. A breaker only refuses work,
            // and does not know what this one is to refuse.
            return through(w, admission_slip::kind::uncounted);
        }
        std::uint64_t const now_ns = now();
        if (w.state() == breaker_state::open && now_ns < w.ns()) [[likely]] {
            return reject(rejection_reason::open, w.ns() - now_ns);
        }
        return admit_late(now_ns);
    }

    /// Half-open, or the time of the stored state is over.
    [[gnu::noinline]] admission_slip admit_late(std::uint64_t now_ns) noexcept {
        for (;;) {
            state_word w = settled(now_ns);
            if (w.state() == breaker_state::open) {
                if (now_ns < w.ns()) {
                    return reject(rejection_reason::open, w.ns() - now_ns);
                }
                std::uint64_t const ms = end_of(breaker_state::half_open, w, w.step(), now_ns);
                change(w, w.next(breaker_state::half_open, w.step(), ms),
                       breaker_cause::open_time_over, now_ns);
                continue;
            }
            if (w.state() != breaker_state::half_open) {
                return admit([now_ns] { return now_ns; });
            }
            if (decide(w, now_ns)) { // owed by somebody who was killed, or is slow
                continue;
            }
            permit const got = probes_.claim(w.generation(), may_ask(now_ns), oracle_);
            if (got.index == permit::none) {
                return reject(rejection_reason::probing, 0);
            }
            // The state may have changed before the claim; then the permit is worth nothing.
            if (!window_.is_current(w.generation())) {
                probes_.give_back(got);
                continue;
            }
            admission_slip slip = through(w, admission_slip::kind::probe);
            slip.held = got;
            return slip;
        }
    }

    /// The state word, after a half-open time that is over was made what it has become (I2).
    state_word settled(std::uint64_t now_ns) noexcept {
        for (;;) {
            // acquire: pairs with the release of who changed the state.
            state_word const w{Atomics::load(record_->state, std::memory_order_acquire)};
            if (w.state() != breaker_state::half_open || now_ns < w.ns() ||
                PARTYWALL_MUTANT(half_open_for_ever)) {
                return w;
            }
            std::uint64_t const step = w.step() + 1;
            std::uint64_t const ms = w.ms() + open_time_ms(*rules_, step, generation_after(w));
            change(w, w.next(breaker_state::open, step, ms), breaker_cause::half_open_too_long,
                   now_ns);
        }
    }

    static std::uint16_t generation_after(state_word w) noexcept {
        return static_cast<std::uint16_t>(w.generation() + 1);
    }

    /// What the state after `w` has to remember of time: when it ends, or when it began.
    std::uint64_t end_of(breaker_state to, state_word w, std::uint64_t step,
                         std::uint64_t now_ns) const noexcept {
        switch (to) {
        case breaker_state::open:
            return ms_not_before(now_ns +
                                 open_time_ms(*rules_, step, generation_after(w)) * 1'000'000);
        case breaker_state::half_open:
            return ms_not_before(now_ns + rules_->half_open_ms * 1'000'000);
        default: return now_ns / 1'000'000;
        }
    }

    /// I1. True: this call changed the state, and everybody was told.
    bool change(state_word from, state_word to, breaker_cause cause,
                std::uint64_t now_ns) noexcept {
        std::uint64_t seen = from.bits;
        if (!Atomics::compare_exchange(record_->state, seen, to.bits)) {
            return false;
        }
        Atomics::store(record_->rejected_before, Atomics::load(record_->rejected, relaxed),
                       relaxed);
        if (to.state() == breaker_state::open) {
            Atomics::fetch_add(record_->opened, std::uint64_t{1}, relaxed);
        }
        tell({from.state(), to.state(), cause, to.generation(), now_ns});
        return true;
    }

    void tell(breaker_event const& event) noexcept {
        if (sink_.hear != nullptr) {
            sink_.hear(sink_.context, event);
        }
    }

    /// Probes that an open or half-open breaker has no place for ask for proof of death at most
    /// once a millisecond.
    bool may_ask(std::uint64_t now_ns) noexcept {
        if (oracle_.proven_dead == nullptr) {
            return false;
        }
        std::uint64_t const before = Atomics::load(asked_ns_, relaxed);
        if (before != 0 && now_ns - before < 1'000'000) {
            return false;
        }
        Atomics::store(asked_ns_, now_ns != 0 ? now_ns : 1, relaxed);
        return true;
    }

    static one_result in_its_own_time(one_result r) noexcept {
        r.began_ns = r.now_ns; // half-open has no window: one bucket, the first
        return r;
    }

    /// False: dropped.
    [[gnu::noinline]] bool complete_probe(state_word w, admission_slip const& slip, outcome what,
                                          one_result const& r) noexcept {
        // After its end it reads as open again (I2).
        bool in_time = w.generation() == slip.generation && r.now_ns < w.ns();
        if (what == outcome::ignored || what == outcome::cancelled) {
            window_.add_neutral(in_its_own_time(r), what == outcome::cancelled);
        } else if (in_time) {
            in_time = probes_.add(r.generation, r.failed, r.slow);
            if (in_time) {
                window_.add_to_streak(r);
                window_.settle({1, r.failed ? std::uint64_t{1} : 0, r.slow ? std::uint64_t{1} : 0});
                decide(w, r.now_ns);
            }
        }
        // After the result: whoever gets this permit knows of it.
        probes_.give_back(slip.held);
        return in_time;
    }

    /// Takes the step that the probes' results ask for. True: it was taken, by whomever.
    bool decide(state_word w, std::uint64_t now_ns) noexcept {
        call_counts const c = probes_.results(w.generation());
        switch (probes_.verdict(c)) {
        case probe_verdict::undecided: return false;
        case probe_verdict::passed:
            change(w, w.next(breaker_state::closed, 0, end_of(breaker_state::closed, w, 0, now_ns)),
                   breaker_cause::probes_succeeded, now_ns);
            return true;
        case probe_verdict::failed:
            trip(w, w.step() + 1, c, breaker_cause::probes_failed, now_ns);
            return true;
        }
        return true;
    }

    template <class Now>
    void judge(state_word w, one_result const& r, Now&& now) noexcept {
        call_counts const c = window_.counts(r.generation, r.began_ns, r.now_ns);
        breaker_cause cause = breaker_cause::consecutive_failures;
        if (static_cast<window_kind>(rules_->window_kind) == window_kind::consecutive) {
            if (window_.failures_in_a_row(r.generation) < rules_->window_calls) {
                return;
            }
        } else if (c.calls < rules_->minimum_calls) {
            return;
        } else if (reaches(c.failures, c.calls, rules_->failure_ppb)) {
            cause = breaker_cause::failure_rate;
        } else if (reaches(c.slow, c.calls, rules_->slow_ppb)) {
            cause = breaker_cause::slow_call_rate;
        } else {
            return;
        }
        act(w, c, cause, r.now_ns != 0 ? r.now_ns : now());
    }

    /// A threshold was reached.
    [[gnu::noinline]] void act(state_word w, call_counts const& c, breaker_cause cause,
                               std::uint64_t now_ns) noexcept {
        if (w.state() != breaker_state::metrics_only) {
            trip(w, w.step(), c, cause, now_ns);
            return;
        }
        // Once per state, by whoever stores the generation first.
        std::uint32_t told = Atomics::load(told_, relaxed);
        std::uint32_t const mine = w.generation() + 1U;
        if (told != mine && Atomics::compare_exchange(told_, told, mine)) {
            tell({w.state(), w.state(), cause, w.generation(), now_ns});
        }
    }

    void trip(state_word w, std::uint64_t step, call_counts const& c, breaker_cause cause,
              std::uint64_t now_ns) noexcept {
        state_word const to =
            w.next(breaker_state::open, step, end_of(breaker_state::open, w, step, now_ns));
        // Before the change, so that whoever sees it open can see why. Two that trip at once
        // write much the same.
        Atomics::store(record_->trip, tally_word::make(to.generation(), c), relaxed);
        change(w, to, cause, now_ns);
    }

    breaker_record* record_;
    breaker_constants const* rules_;
    call_window<Atomics> window_;
    probes<Atomics> probes_;
    breaker_sink sink_;
    death_oracle oracle_;
    std::uint64_t asked_ns_ = 0;
    std::uint32_t told_ = 0;
    std::optional<os::fork_mark> mark_;
};

template <class Atomics>
breaker_stats breaker_core<Atomics>::stats(std::uint64_t now_ns) const noexcept {
    // acquire: pairs with the release of who changed the state.
    state_word const w{Atomics::load(record_->state, std::memory_order_acquire)};
    breaker_view const v = view_at(w, now_ns, *rules_);
    breaker_stats s;
    s.state = v.state;
    s.until_ns = v.until_ns;
    s.generation = w.generation();
    s.step = static_cast<std::uint32_t>(w.step());
    s.minimum_calls = v.state == breaker_state::open        ? 1
                      : v.state == breaker_state::half_open ? rules_->probe_calls
                                                            : rules_->minimum_calls;
    auto const shown = [](call_counts const& c) {
        return breaker_stats::counts{c.calls, c.failures, c.slow, 0, 0};
    };
    bool const half_open = w.state() == breaker_state::half_open;
    std::uint64_t const began_ns = half_open ? now_ns : w.ns();
    if (half_open) {
        s.window = shown(probes_.results(s.generation));
        s.probes_flying = probes_.held(s.generation);
    } else if (w.state() != breaker_state::open) {
        s.window = shown(window_.counts(s.generation, began_ns, now_ns));
    }
    if (w.state() != breaker_state::open) {
        neutral_counts const n = window_.neutral(s.generation, began_ns, now_ns);
        s.window.ignored = n.ignored;
        s.window.cancelled = n.cancelled;
    }
    std::uint64_t const trip = Atomics::load(record_->trip, relaxed);
    if (w.state() == breaker_state::open && tally_word::is_of(trip, s.generation)) {
        s.tripped_by = shown(tally_word::counts(trip));
    }
    s.successes_in_a_row = window_.successes_in_a_row(s.generation);
    s.failures_in_a_row = window_.failures_in_a_row(s.generation);
    auto const settled = [&](std::uint64_t const& word) { return Atomics::load(word, relaxed); };
    call_counts all = window_.unsettled();
    all += {settled(record_->settled_calls) + settled(record_->ring_next),
            settled(record_->settled_failures), settled(record_->settled_slow)};
    neutral_counts const n = window_.unsettled_neutral();
    s.total = shown(all);
    s.total.ignored = settled(record_->settled_ignored) + n.ignored;
    s.total.cancelled = settled(record_->settled_cancelled) + n.cancelled;
    s.rejected_total = settled(record_->rejected);
    std::uint64_t const before = settled(record_->rejected_before);
    s.rejected = s.rejected_total - (before < s.rejected_total ? before : s.rejected_total);
    s.stale_total = settled(record_->stale);
    s.opened_total = settled(record_->opened);
    s.callee = settled(record_->incarnation);
    return s;
}

} // namespace partywall::inline v0::detail
