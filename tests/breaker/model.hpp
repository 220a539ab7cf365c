// SPDX-License-Identifier: BSL-1.0
// A breaker as its guide describes it, slow and obvious: it keeps every result of its state with
// its time and looks through all of them at every question. One thread, no jitter.
#pragma once

#include "fake_clock.hpp"

#include <partywall/breaker/breaker_options.hpp>
#include <partywall/breaker/rejection.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace partywall::test {

class breaker_model {
  public:
    struct call {
        bool probe = false;
        bool counted = true;
        std::uint64_t generation = 0;
        std::uint64_t began = 0;
    };
    struct sums {
        std::uint64_t calls = 0;
        std::uint64_t failures = 0;
        std::uint64_t slow = 0;
        friend bool operator==(sums const&, sums const&) = default;
    };

    breaker_model(breaker_options options, std::uint64_t now)
        : o_(std::move(options)), since_(floor_ms(now)) {
        if (o_.probes_at_a_time == 0) {
            o_.probes_at_a_time = o_.probing.calls;
        }
    }

    breaker_state state(std::uint64_t now) const {
        breaker_model copy = *this;
        copy.time_passes(now);
        bool const over = copy.state_ == breaker_state::open && now >= copy.until_;
        return over ? breaker_state::half_open : copy.state_;
    }

    /// A call, or why there is none.
    std::optional<call> admit(std::uint64_t now, breaker_rejection& why) {
        if (state(now) == breaker_state::half_open) {
            time_passes(now);
            if (state_ == breaker_state::open) {
                enter(breaker_state::half_open, now);
            }
        }
        switch (state(now)) {
        case breaker_state::open:
            time_passes(now);
            why = {rejection_reason::open, std::chrono::nanoseconds(until_ - now)};
            return std::nullopt;
        case breaker_state::forced_open:
            why = {rejection_reason::forced_open, {}};
            return std::nullopt;
        case breaker_state::isolated: why = {rejection_reason::isolated, {}}; return std::nullopt;
        case breaker_state::half_open:
            if (flying_ == o_.probes_at_a_time || flying_ + results_.size() >= o_.probing.calls) {
                why = {rejection_reason::probing, {}};
                return std::nullopt;
            }
            flying_ += 1;
            return call{true, true, generation_, now};
        case breaker_state::disabled: return call{false, false, generation_, now};
        default: return call{false, true, generation_, now};
        }
    }

    void end(call const& c, outcome what, std::uint64_t now) {
        if (!c.counted) {
            return;
        }
        bool const late = c.generation != generation_ || (c.probe && now >= until_);
        bool const neutral = what == outcome::ignored || what == outcome::cancelled;
        if (c.generation == generation_ && c.probe) {
            flying_ -= 1;
        }
        if (late) {
            stale_ += 1;
            return;
        }
        if (neutral) {
            return;
        }
        bool const failed = what == outcome::failure || what == outcome::timeout;
        bool const took_long =
            o_.slow_call_duration.count() > 0 && now - c.began > ns(o_.slow_call_duration);
        results_.push_back({now, failed, took_long || what == outcome::timeout});
        if (c.probe) {
            judge_probes(now);
        } else if (failed || results_.back().slow || o_.evaluate_on == evaluate_on::any_outcome) {
            judge(now);
        }
    }
    void release(call const& c) {
        if (c.probe && c.generation == generation_) {
            flying_ -= 1;
        }
    }

    bool move_to(breaker_state to, std::uint64_t now) {
        time_passes(now);
        if (to == breaker_state::half_open && state_ == breaker_state::closed) {
            return false;
        }
        if (state_ == to) {
            if (to == breaker_state::open) {
                until_ = ceil_ms(now + open_time());
            }
        } else {
            step_ = 0;
            enter(to, now);
        }
        return true;
    }
    void died(std::uint64_t now) {
        time_passes(now);
        if (state_ == breaker_state::closed || state_ == breaker_state::half_open) {
            enter(breaker_state::open, now);
        }
    }
    void renewed(std::uint64_t now) {
        time_passes(now);
        if (state_ == breaker_state::open) {
            step_ = 0;
            enter(breaker_state::half_open, now);
        }
    }

    /// What is counted at this time.
    sums window(std::uint64_t now) const {
        sums s;
        std::size_t first = 0;
        if (o_.window.kind == window_kind::count && state_ != breaker_state::half_open &&
            results_.size() > o_.window.calls) {
            first = results_.size() - o_.window.calls;
        }
        for (std::size_t i = first; i < results_.size(); ++i) {
            if (state_ != breaker_state::half_open && o_.window.kind == window_kind::time &&
                bucket(results_[i].at) + o_.window.buckets <= bucket(now)) {
                continue;
            }
            s.calls += 1;
            s.failures += results_[i].failed ? 1U : 0U;
            s.slow += results_[i].slow ? 1U : 0U;
        }
        return s;
    }
    std::uint64_t stale() const { return stale_; }
    std::uint64_t opened() const { return opened_; }

  private:
    struct past {
        std::uint64_t at;
        bool failed;
        bool slow;
    };

    static std::uint64_t floor_ms(std::uint64_t t) { return t / 1'000'000 * 1'000'000; }
    static std::uint64_t ceil_ms(std::uint64_t t) { return floor_ms(t + 999'999); }

    std::uint64_t bucket(std::uint64_t at) const {
        return at < since_ ? 0 : (at - since_) / (ns(o_.window.duration) / o_.window.buckets);
    }
    std::uint64_t open_time() const {
        auto time = static_cast<std::uint64_t>(ns(o_.open_for) / 1'000'000);
        auto const most = ns(o_.open_for_max) / 1'000'000;
        for (int i = 0; i < step_ && time < most; ++i) {
            time = static_cast<std::uint64_t>(static_cast<double>(time) * o_.open_factor);
        }
        return std::min<std::uint64_t>(time, most) * 1'000'000;
    }
    void enter(breaker_state to, std::uint64_t now) {
        state_ = to;
        generation_ += 1;
        results_.clear();
        flying_ = 0;
        since_ = floor_ms(now);
        if (to == breaker_state::open) {
            opened_ += 1;
            until_ = ceil_ms(now + open_time());
        } else if (to == breaker_state::half_open) {
            until_ = ceil_ms(now + ns(o_.half_open_max));
        }
    }
    /// A half-open time that is over has become an open one when it ended.
    void time_passes(std::uint64_t now) {
        if (state_ == breaker_state::half_open && now >= until_) {
            step_ = std::min(step_ + 1, 31);
            enter(breaker_state::open, until_);
        }
    }
    bool reached(sums const& s) const {
        auto const part = [&](std::uint64_t n) {
            return static_cast<double>(n) / static_cast<double>(s.calls);
        };
        return (o_.failure_rate > 0 && part(s.failures) >= o_.failure_rate) ||
               (o_.slow_call_rate > 0 && part(s.slow) >= o_.slow_call_rate);
    }
    void judge(std::uint64_t now) {
        bool opens = false;
        if (o_.window.kind == window_kind::consecutive) {
            std::size_t n = 0;
            while (n < results_.size() && results_[results_.size() - 1 - n].failed) {
                n += 1;
            }
            opens = n >= o_.window.calls;
        } else {
            sums const s = window(now);
            opens = s.calls >= o_.minimum_calls && reached(s);
        }
        if (opens && state_ != breaker_state::metrics_only) {
            enter(breaker_state::open, now);
        }
    }
    void judge_probes(std::uint64_t now) {
        sums const s = window(now);
        std::uint64_t const n = o_.probing.calls;
        std::uint64_t const good = s.calls - s.failures;
        bool passed = false;
        bool failed = false;
        switch (o_.probing.rule) {
        case probe_rule::all_must_pass:
            failed = s.failures > 0;
            passed = good == n;
            break;
        case probe_rule::rate_over:
            failed = s.calls == n && reached(s);
            passed = s.calls == n && !reached(s);
            break;
        case probe_rule::k_of_n:
            passed = good >= o_.probing.successes;
            failed = good + (n - s.calls) < o_.probing.successes;
            break;
        }
        if (passed) {
            step_ = 0;
            enter(breaker_state::closed, now);
        } else if (failed) {
            step_ = std::min(step_ + 1, 31);
            enter(breaker_state::open, now);
        }
    }

    breaker_options o_;
    breaker_state state_ = breaker_state::closed;
    std::uint64_t generation_ = 0;
    std::uint64_t since_;
    std::uint64_t until_ = 0;
    int step_ = 0;
    std::uint32_t flying_ = 0;
    std::vector<past> results_;
    std::uint64_t stale_ = 0;
    std::uint64_t opened_ = 0;
};

} // namespace partywall::test
