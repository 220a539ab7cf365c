// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/breaker/breaker_body.hpp>
#include <partywall/breaker/breaker_options.hpp>
#include <partywall/breaker/breaker_stats.hpp>
#include <partywall/breaker/clock.hpp>
#include <partywall/breaker/outcome_traits.hpp>
#include <partywall/breaker/rejection.hpp>
#include <partywall/result.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

namespace partywall::inline v0 {

/// The right to make one call, and the duty to say how it went. A ticket that goes without an
/// outcome gives its permit back and counts for nothing.
///
/// Callers   one thread at a time; may move between threads. The breaker outlives its tickets.
/// Cost      one compare-exchange; see docs/breakers.md.
template <breaker_clock Clock>
class [[nodiscard]] basic_ticket {
  public:
    basic_ticket(basic_ticket&& other) noexcept
        : core_(std::exchange(other.core_, nullptr)), began_ns_(other.began_ns_),
          slip_(other.slip_), clock_(other.clock_) {}
    basic_ticket& operator=(basic_ticket&& other) noexcept {
        if (this != &other) {
            give_back();
            core_ = std::exchange(other.core_, nullptr);
            began_ns_ = other.began_ns_;
            slip_ = other.slip_;
            clock_ = other.clock_;
        }
        return *this;
    }
    ~basic_ticket() { give_back(); }

    /// The callee answered. Also where its answer is an error that it gave on purpose.
    void success() noexcept { end(outcome::success); }
    void failure() noexcept { end(outcome::failure); }
    /// No answer in time: a failure, and a slow call.
    void timeout() noexcept { end(outcome::timeout); }
    /// The call says nothing about the callee's health.
    void ignored() noexcept { end(outcome::ignored); }
    void cancelled() noexcept { end(outcome::cancelled); }
    /// Any of them. The first one counts; later ones change nothing.
    void end(outcome what) noexcept {
        if (core_ != nullptr) {
            std::exchange(core_, nullptr)->complete(slip_, what, began_ns_, [this] {
                return clock_.now_ns();
            });
        }
    }

    /// What `result` amounts to, as `classify(result)` or else outcome_traits say. What was refused
    /// on this side is no outcome: the callee was not asked.
    template <class R>
    void record(R const& result) noexcept {
        call_facts const facts = outcome_traits<R>::facts(result);
        facts.refused_here ? give_back() : end(facts.what);
    }
    template <class R, class Classify>
    void record(R const& result, Classify&& classify) {
        end(std::invoke(std::forward<Classify>(classify), result));
    }

    /// False: an outcome was said already, or the ticket was moved from.
    explicit operator bool() const noexcept { return core_ != nullptr; }
    /// Whether the call is a probe of a half-open breaker.
    bool is_probe() const noexcept { return slip_.how == detail::admission_slip::kind::probe; }

  private:
    template <breaker_clock>
    friend class basic_breaker;

    basic_ticket(detail::breaker_core<>& core, detail::admission_slip const& slip,
                 Clock const& clock) noexcept
        : core_(&core), slip_(slip), clock_(clock) {
        if (core.times_calls()) {
            began_ns_ = clock.now_ns();
        }
    }
    void give_back() noexcept {
        if (core_ != nullptr) {
            std::exchange(core_, nullptr)->release(slip_);
        }
    }

    detail::breaker_core<>* core_;
    std::uint64_t began_ns_ = 0;
    detail::admission_slip slip_;
    [[no_unique_address]] Clock clock_;
};

/// A circuit breaker: refuses calls to a callee that fails, so that its callers fail fast and it
/// gets rest, and finds out when it is well again.
///
/// Use when   calls to something can fail or stall for a while: another process, a device, a disk.
/// Not when   the callee is a function that fails because of its arguments; or one failed call is
///            reason enough to stop (then look at its error).
/// Clock      CLOCK_MONOTONIC, or what tests want.
/// Callers    any number of threads, but not make, move and destruction.
/// Progress   lock-free. Listeners run on the thread whose call brought a change, after it.
/// Cost       a success: a load, one compare-exchange, and a clock if the window has one. A
///            rejection: a load, a clock and an addition. No allocation, lock or system call.
/// Memory     1.5 KiB when it is made; a count window 4 bytes more for each call.
/// Peer dies  a breaker of one process has no peers. One of scope host (participant::breaker()): the
///            state stays as it is; probes of the dead are taken back by whoever needs them.
/// Errors     of make: breaker_errc, with a sentence. Of admit: a rejection with `retry_after`.
///
///     auto circuit = partywall::breaker::make({.failure_rate = 0.3}).value();
///     if (auto ticket = circuit.admit()) {
///         ticket->record(call());      // or success(), failure(), timeout(), ignored()
///     } else {
///         try_again_in(ticket.error().retry_after);
///     }
///     auto answer = circuit.run([&] { return call(); });
template <breaker_clock Clock = monotonic_clock>
class basic_breaker {
  public:
    using ticket = basic_ticket<Clock>;

    [[nodiscard]] static result<basic_breaker, failure<breaker_errc>>
    make(breaker_options const& options = {}, Clock clock = {}) {
        return over(options, nullptr, detail::record_use::own, {}, clock);
    }
    /// In somebody's memory: detail::record_use says whether others only look, or share it. The
    /// memory outlives the breaker.
    [[nodiscard]] static result<basic_breaker, failure<breaker_errc>>
    over(breaker_options const& options, detail::breaker_record* record, detail::record_use use,
         detail::breaker_identity const& identity = {}, Clock clock = {}) {
        auto body = detail::make_breaker(options, record, use, identity, clock.now_ns());
        if (!body) {
            return body.error();
        }
        return basic_breaker(std::move(*body), clock);
    }

    /// Of a body that was made elsewhere. Internal.
    explicit basic_breaker(std::unique_ptr<detail::breaker_body> body, Clock clock = {}) noexcept
        : body_(std::move(body)), clock_(clock) {}

    /// May a call be made now?
    [[nodiscard]] result<ticket, breaker_rejection> admit() noexcept {
        detail::breaker_core<>& core = body_->core();
        detail::admission_slip const slip = core.admit([this] { return clock_.now_ns(); });
        if (slip.how == detail::admission_slip::kind::rejected) {
            return breaker_rejection{slip.why, std::chrono::nanoseconds(slip.retry_after_ns)};
        }
        return ticket(core, slip, clock_);
    }

    /// Calls `f` if it may, and records what it returns (outcome_traits, or `classify(result)`); an
    /// exception counts as a failure and goes on to the caller.
    template <class F>
    [[nodiscard]] auto run(F&& f) {
        using R = std::invoke_result_t<F>;
        return run_as<R>(std::forward<F>(f), [](ticket& t, auto const& r) { t.record(r); });
    }
    template <class F, class Classify>
    [[nodiscard]] auto run(F&& f, Classify&& classify) {
        return run_as<std::invoke_result_t<F>>(
            std::forward<F>(f), [&classify](ticket& t, auto const& r) { t.record(r, classify); });
    }

    /// What it is now: a function of what was stored and of the time. Reading changes nothing.
    breaker_state state() const noexcept { return body_->core().view(clock_.now_ns()).state; }
    breaker_stats stats() const noexcept { return body_->core().stats(clock_.now_ns()); }

    /// An operator's move. Error: from closed to half-open there is no way.
    [[nodiscard]] result<void, move_errc> move_to(breaker_state to) noexcept {
        return body_->core().move_to(to, clock_.now_ns());
    }
    /// Opens for that long: 1 ms to 30 days.
    [[nodiscard]] result<void, move_errc> open_for(std::chrono::nanoseconds time) noexcept {
        using namespace std::chrono_literals;
        if (time < 1ms || time > 720h) {
            return move_errc::bad_duration;
        }
        auto const ms = detail::ms_not_before(static_cast<std::uint64_t>(time.count()));
        return body_->core().move_to(breaker_state::open, clock_.now_ns(), ms);
    }
    /// Closed, whatever it was, and nothing of before counts.
    void reset() noexcept { body_->core().reset(clock_.now_ns()); }

    /// The callee is dead: opens at once. Its incarnation, where it has one, keeps late news of
    /// a predecessor's death from opening the breaker of its successor.
    void callee_died(std::uint64_t incarnation = 0) noexcept {
        body_->core().callee_died(incarnation, clock_.now_ns());
    }
    /// A new callee is there: an open breaker probes it at once. Late news of one that is older
    /// than what is known change nothing.
    void callee_is_new(std::uint64_t incarnation) noexcept {
        body_->core().callee_is_new(incarnation, clock_.now_ns());
    }

    /// Events that no listener heard; see breaker_event.hpp.
    std::uint64_t events_missed() const noexcept { return body_->events_missed(); }
    detail::breaker_record const& record() const noexcept { return body_->record(); }

  private:
    /// Says `failure` unless something else was said before: when an exception goes by.
    struct failing {
        ticket& of;
        ~failing() { of.failure(); }
    };

    template <class R, class F, class Record>
    result<R, breaker_rejection> run_as(F&& f, [[maybe_unused]] Record const& record) {
        auto admitted = admit();
        if (!admitted) {
            return admitted.error();
        }
        failing const unless_said{*admitted};
        if constexpr (std::is_void_v<R>) {
            std::invoke(std::forward<F>(f));
            admitted->success();
            return {};
        } else {
            R r = std::invoke(std::forward<F>(f));
            record(*admitted, std::as_const(r));
            return r;
        }
    }

    std::unique_ptr<detail::breaker_body> body_;
    [[no_unique_address]] Clock clock_;
};

using breaker = basic_breaker<>;

} // namespace partywall::inline v0
