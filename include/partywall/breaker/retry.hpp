// SPDX-License-Identifier: BSL-1.0
// When to try again. Decides and remembers; waiting and calling are its user's (guard.hpp).
#pragma once

#include <partywall/breaker/outcome_traits.hpp>
#include <partywall/detail/mutant.hpp>
#include <partywall/segment/atomics.hpp>

#include <chrono>
#include <cstdint>
#include <optional>

namespace partywall::inline v0 {

struct retry_options {
    /// Calls in all, the first included; 1: never again.
    std::uint32_t attempts = 3;
    /// The n-th wait is a random part of min(delay_first * factor^(n-1), delay_max): all of it is
    /// jitter, so that callers who failed together don't come back together.
    std::chrono::nanoseconds delay_first = std::chrono::milliseconds(1);
    std::chrono::nanoseconds delay_max = std::chrono::milliseconds(100);
    double factor = 2;
    /// Executing a request twice is as good as once. Only then is a call that was perhaps executed
    /// made again.
    bool idempotent = false;
    /// Retries of requests that the callee provably did not see. They are not attempts; the first
    /// is made at once.
    std::uint32_t unseen_max = 16;
    /// Of the jitter; 0: taken from the clock.
    std::uint64_t seed = 0;
};

struct retry_budget_options {
    double tokens_max = 10; ///< it starts with these, 1 to 1,000,000
    double ratio = 0.1;     ///< what a success brings; a failure that may be retried costs 1
};

/// A bucket of tokens for all calls of a client: retries are allowed while more than half of them
/// are there. So a callee that fails everything gets hardly more calls than without retries.
///
/// Callers   any number of threads.
/// Progress  lock-free.
/// Cost      a success: one load while the bucket is full, else one compare-exchange.
template <class Atomics = std_atomics>
class basic_retry_budget {
  public:
    explicit basic_retry_budget(retry_budget_options const& o) noexcept
        : max_(milli(o.tokens_max)), gain_(milli(o.ratio)), tokens_(max_) {}

    void success() noexcept {
        change([this](std::uint64_t t) { return t + gain_ < max_ ? t + gain_ : max_; });
    }
    void failure() noexcept {
        change([](std::uint64_t t) { return t > 1000 ? t - 1000 : 0; });
    }
    bool allows() const noexcept { return load() > max_ / 2; }
    double tokens() const noexcept { return static_cast<double>(load()) / 1000; }

  private:
    static std::uint64_t milli(double tokens) noexcept {
        return static_cast<std::uint64_t>(tokens * 1000 + 0.5);
    }
    // relaxed: a number that orders nothing.
    std::uint64_t load() const noexcept {
        return Atomics::load(tokens_, std::memory_order_relaxed);
    }
    template <class Step>
    void change(Step step) noexcept {
        std::uint64_t seen = load();
        for (std::uint64_t next = step(seen); next != seen; next = step(seen)) {
            if (Atomics::compare_exchange(tokens_, seen, next)) {
                return;
            }
        }
    }

    std::uint64_t max_;
    std::uint64_t gain_;
    std::uint64_t tokens_;
};
using retry_budget = basic_retry_budget<>;

/// The attempts of one call: asked after each one whether there is another, and when.
///
/// Callers   one thread.
/// Memory    none but its own.
class retry_plan {
  public:
    /// Waits so long and calls again; nothing: the last result stands.
    using next = std::optional<std::chrono::nanoseconds>;

    retry_plan(retry_options const& options, std::uint64_t seed) noexcept
        : options_(&options), random_(seed) {}

    /// After an attempt that ended so, with so much time left. `budget` may be nullptr.
    next after(call_facts const& facts, std::chrono::nanoseconds time_left,
               retry_budget* budget) noexcept {
        if (facts.what == outcome::success) {
            if (budget != nullptr) {
                budget->success();
            }
            return std::nullopt;
        }
        bool const neutral = facts.what == outcome::ignored && !facts.refused_here;
        if (neutral || facts.what == outcome::cancelled || !facts.retryable) {
            return std::nullopt;
        }
        bool const unseen = facts.executed == executed::no && !facts.refused_here;
        // What the callee never saw, or was never asked, is no sign that it is overloaded.
        if (budget != nullptr && !unseen && !facts.refused_here) {
            budget->failure();
        }
        using std::chrono::nanoseconds;
        bool const never = facts.retry_after && *facts.retry_after < nanoseconds(0);
        bool const twice = facts.executed == executed::maybe && !facts.refused_here;
        if (never || (twice && !options_->idempotent && !PARTYWALL_MUTANT(retried_after_maybe)) ||
            !may_again(unseen) || (budget != nullptr && !budget->allows())) {
            return std::nullopt;
        }
        nanoseconds const wait = next_wait(facts, unseen);
        if (wait >= time_left) {
            return std::nullopt; // its end would be the deadline's
        }
        return wait;
    }

    /// Attempts so far, without those that the callee did not see.
    std::uint32_t attempts() const noexcept { return attempts_; }
    /// The longest that the wait after `n` waits by the own schedule can be.
    static std::chrono::nanoseconds delay_most(retry_options const& o, std::uint32_t n) noexcept {
        auto most = static_cast<double>(o.delay_first.count());
        auto const cap = static_cast<double>(o.delay_max.count());
        for (std::uint32_t i = 0; i < n && most < cap; ++i) {
            most *= o.factor;
        }
        return most < cap ? std::chrono::nanoseconds(static_cast<std::int64_t>(most)) : o.delay_max;
    }

  private:
    /// Counts the attempt that has just ended.
    bool may_again(bool unseen) noexcept {
        if (unseen) {
            unseen_ += 1;
            return unseen_ <= options_->unseen_max;
        }
        attempts_ += 1;
        return attempts_ < options_->attempts;
    }

    std::chrono::nanoseconds next_wait(call_facts const& facts, bool unseen) noexcept {
        if (facts.retry_after && facts.retry_after->count() > 0) {
            waits_ = 0;
            return *facts.retry_after;
        }
        if (unseen && unseen_ == 1) {
            return {};
        }
        std::chrono::nanoseconds const most = delay_most(*options_, waits_);
        waits_ += 1;
        return std::chrono::nanoseconds(
            static_cast<std::int64_t>(luck() * static_cast<double>(most.count())));
    }

    double luck() noexcept { // xorshift64*: 53 bits, 0 to 1
        random_ = random_ != 0 ? random_ : 0x9e37'79b9'7f4a'7c15;
        random_ ^= random_ >> 12;
        random_ ^= random_ << 25;
        random_ ^= random_ >> 27;
        return static_cast<double>((random_ * 0x2545'f491'4f6c'dd1d) >> 11) * 0x1p-53;
    }

    retry_options const* options_;
    std::uint64_t random_;
    std::uint32_t attempts_ = 0;
    std::uint32_t unseen_ = 0;
    std::uint32_t waits_ = 0;
};

} // namespace partywall::inline v0
