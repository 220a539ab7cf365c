// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/breaker/breaker.hpp>
#include <partywall/breaker/guard_options.hpp>
#include <partywall/breaker/outcome_traits.hpp>
#include <partywall/detail/mutant.hpp>
#include <partywall/os/clock.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

namespace partywall::inline v0 {

/// What an attempt is told: do it until then, and which one it is (1 is the first).
struct attempt {
    std::uint64_t deadline_ns = 0; ///< absolute, of the guard's clock
    std::uint32_t number = 1;
};

/// A breaker and its companions around calls, always in this order:
///
///     fallback( retry( breaker( bulkhead( deadline( call )))))
///
/// so that the fallback sees what retries could not mend; every attempt asks the breaker, which
/// sees each result, and refusals of the parts around it never; a call that waits for a place in
/// the bulkhead was admitted; and the deadline is the innermost question, and spans the whole.
///
/// Use when   a function calls somebody who may fail, and returns result<T, E>.
/// Not when   partywall's own client makes the call: that has all of this built in.
/// E          says what its values mean through error_traits<E>, and how a local refusal is told.
/// Callers    any number of threads, but not make, move and destruction.
/// Progress   as the call; waits only between attempts and for a place, up to the deadline.
/// Cost       the breaker's, two additions for the bulkhead, and one clock for the deadline.
/// Memory     allocated when it is made.
/// Errors     those of the call; what is refused here is error_traits<E>::refused().
///
///     auto careful = partywall::guard::make({.deadline = 20ms, .retry = retry_options{}}).value();
///     auto answer  = careful.call([&](partywall::attempt const& a) { return ask(a.deadline_ns); },
///                                 [&](my_error const&) { return last_known_answer; });
template <sleeping_clock Clock = monotonic_clock>
class basic_guard {
  public:
    [[nodiscard]] static result<basic_guard, failure<guard_errc>>
    make(guard_options const& options = {}, Clock clock = {}) {
        if (auto checked = detail::check_guard(options); !checked) {
            return checked.error();
        }
        std::optional<basic_breaker<Clock>> circuit;
        if (options.breaker) {
            auto made = basic_breaker<Clock>::make(*options.breaker, clock);
            if (!made) {
                failure<breaker_errc> const why = made.error();
                return failure<guard_errc>{why.code == breaker_errc::no_memory
                                               ? guard_errc::no_memory
                                               : guard_errc::bad_breaker,
                                           0, why.message};
            }
            circuit.emplace(std::move(*made));
        }
        return made(options, std::move(circuit), clock);
    }
    /// Around a breaker that was made elsewhere, of a domain say; options.breaker is not looked at.
    [[nodiscard]] static result<basic_guard, failure<guard_errc>>
    around(basic_breaker<Clock> circuit, guard_options const& options = {}, Clock clock = {}) {
        if (auto checked = detail::check_guard(options); !checked) {
            return checked.error();
        }
        return made(options, std::move(circuit), clock);
    }

    /// Calls `f(attempt const&)`, which returns a result<T, E>, as often as it takes and may be.
    template <class F>
    [[nodiscard]] std::invoke_result_t<F&, attempt const&> call(F&& f) {
        return call_until(~std::uint64_t{0}, f);
    }
    /// `instead(E const&)` says what to return where there is no answer; not after a cancellation.
    template <class F, class Fallback>
        requires std::invocable<F&, attempt const&>
    [[nodiscard]] std::invoke_result_t<F&, attempt const&> call(F&& f, Fallback&& instead) {
        return call_until(~std::uint64_t{0}, f, instead);
    }
    /// The same, with the deadline of somebody who calls on behalf of another: the earlier one.
    template <class F>
    [[nodiscard]] std::invoke_result_t<F&, attempt const&> call_until(std::uint64_t until_ns,
                                                                      F&& f) {
        using R = std::invoke_result_t<F&, attempt const&>;
        std::uint64_t const now = all_->clock.now_ns();
        std::uint64_t const mine = os::deadline_after(now, all_->deadline_ns);
        return retried<R>(f, until_ns < mine ? until_ns : mine, now);
    }
    template <class F, class Fallback>
    [[nodiscard]] std::invoke_result_t<F&, attempt const&> call_until(std::uint64_t until_ns, F&& f,
                                                                      Fallback&& instead) {
        using R = std::invoke_result_t<F&, attempt const&>;
        R r = call_until(until_ns, f);
        if (r || outcome_traits<R>::facts(r).what == outcome::cancelled) {
            return r;
        }
        return std::invoke(instead, r.error());
    }

    /// nullptr where there is none.
    basic_breaker<Clock>* circuit() noexcept { return all_->circuit ? &*all_->circuit : nullptr; }
    retry_budget const* budget() const noexcept { return all_->budget ? &*all_->budget : nullptr; }
    /// Calls under way, where there is a bulkhead.
    std::uint32_t under_way() const noexcept { return all_->walls ? all_->walls->under_way() : 0; }

  private:
    struct parts {
        parts(guard_options const& o, std::optional<basic_breaker<Clock>> made, Clock c) noexcept
            : circuit(std::move(made)), retry(o.retry), clock(c),
              deadline_ns(static_cast<std::uint64_t>(o.deadline.count())) {
            if (o.budget) {
                budget.emplace(*o.budget);
            }
            if (o.bulkhead) {
                walls.emplace(o.bulkhead->calls_max);
                wait_ns = static_cast<std::uint64_t>(o.bulkhead->wait_for.count());
            }
        }
        std::optional<basic_breaker<Clock>> circuit;
        std::optional<retry_options> retry;
        std::optional<retry_budget> budget;
        std::optional<bulkhead> walls;
        Clock clock;
        std::uint64_t deadline_ns;
        std::uint64_t wait_ns = 0;
    };
    explicit basic_guard(std::unique_ptr<parts> all) noexcept : all_(std::move(all)) {}

    template <class R>
    static R refuse(refusal_reason why, std::chrono::nanoseconds retry_after = {}) {
        using E = std::remove_cvref_t<typename R::error_type>;
        static_assert(tells_refusals<E>, "specialise error_traits<E>, with refused()");
        return R(error_traits<E>::refused({why, retry_after}));
    }

    template <class R, class F>
    R retried(F& f, std::uint64_t until_ns, std::uint64_t now_ns) {
        attempt a{until_ns, 1};
        if (!all_->retry) {
            return broken<R>(f, a);
        }
        std::uint64_t const seed = all_->retry->seed != 0 ? all_->retry->seed : now_ns | 1;
        retry_plan plan(*all_->retry, seed);
        for (;;) {
            R r = broken<R>(f, a);
            std::uint64_t const now = all_->clock.now_ns();
            std::chrono::nanoseconds const left(
                now < until_ns ? static_cast<std::int64_t>((until_ns - now) & ~(~0ULL << 63)) : 0);
            auto const again = plan.after(outcome_traits<R>::facts(r), left,
                                          all_->budget ? &*all_->budget : nullptr);
            if (!again) {
                return r;
            }
            if (again->count() > 0) {
                all_->clock.sleep_until(now + static_cast<std::uint64_t>(again->count()));
            }
            a.number += 1;
        }
    }

    template <class R, class F>
    R broken(F& f, attempt const& a) {
        if (!all_->circuit) {
            return walled<R>(f, a);
        }
        auto ticket = all_->circuit->admit();
        if (!ticket) {
            return refuse<R>(refusal_reason::circuit_open, ticket.error().retry_after);
        }
        failing const unless_said{*ticket};
        R r = walled<R>(f, a);
        call_facts const facts = outcome_traits<R>::facts(r);
        if (facts.refused_here) {
            if (PARTYWALL_MUTANT(rejected_is_failure)) {
                ticket->failure();
            }
            [[maybe_unused]] auto const neutral = std::move(*ticket); // the callee was not asked
        } else {
            ticket->end(facts.what);
        }
        return r;
    }
    /// An exception of the call is a failure.
    struct failing {
        basic_ticket<Clock>& of;
        ~failing() { of.failure(); }
    };

    template <class R, class F>
    R walled(F& f, attempt const& a) {
        if (!all_->walls) {
            return in_time<R>(f, a);
        }
        bulkhead::place const place = entered(a.deadline_ns);
        return place ? in_time<R>(f, a) : refuse<R>(refusal_reason::overloaded);
    }
    bulkhead::place entered(std::uint64_t until_ns) noexcept {
        if (all_->wait_ns == 0) {
            return all_->walls->try_enter();
        }
        std::uint64_t const mine = os::deadline_after(all_->clock.now_ns(), all_->wait_ns);
        return all_->walls->enter_until(until_ns < mine ? until_ns : mine);
    }

    template <class R, class F>
    R in_time(F& f, attempt const& a) {
        return all_->clock.now_ns() < a.deadline_ns ? R(std::invoke(f, a))
                                                    : refuse<R>(refusal_reason::deadline);
    }

    static result<basic_guard, failure<guard_errc>>
    made(guard_options const& options, std::optional<basic_breaker<Clock>> circuit, Clock clock) {
        std::unique_ptr<parts> all(new (std::nothrow) parts(options, std::move(circuit), clock));
        if (!all) {
            return failure<guard_errc>{guard_errc::no_memory, 0, {}};
        }
        return basic_guard(std::move(all));
    }

    std::unique_ptr<parts> all_;
};

using guard = basic_guard<>;

} // namespace partywall::inline v0
