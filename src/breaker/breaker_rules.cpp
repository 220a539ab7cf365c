// SPDX-License-Identifier: BSL-1.0
#include <partywall/breaker/breaker_rules.hpp>

#include <partywall/os/clock.hpp>

#include <bit>
#include <cmath>
#include <new>
#include <string>

namespace partywall::inline v0::detail {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr nanoseconds window_min = milliseconds(1);
constexpr nanoseconds window_max = std::chrono::hours(24);
constexpr nanoseconds open_min = milliseconds(1);
constexpr nanoseconds open_max = std::chrono::hours(24 * 30);
constexpr nanoseconds half_open_max = std::chrono::hours(24);

struct refusal {
    breaker_errc code{};
    std::string why = {};
    explicit operator bool() const noexcept { return !why.empty(); }
};

std::string shown(nanoseconds t) { return std::to_string(t.count()) + " ns"; }

std::string range(nanoseconds t, nanoseconds least, nanoseconds most) {
    return shown(t) + " is not between " + shown(least) + " and " + shown(most);
}

bool is_rate(double r) noexcept { return r >= 0 && r <= 1; } // no NaN is

/// Never more than what was asked for: 2 of 3 is at least 2.0 / 3.
std::uint32_t ppb(double rate) noexcept {
    auto const parts = static_cast<std::uint32_t>(rate * 1e9);
    return rate > 0 && parts == 0 ? 1 : parts;
}

refusal check_window(breaker_options const& o) {
    breaker_window const& w = o.window;
    std::string const buckets = std::to_string(w.buckets);
    switch (w.kind) {
    case window_kind::consecutive:
        if (w.calls == 0 || w.calls > 1'000'000) {
            return {breaker_errc::bad_window,
                    std::to_string(w.calls) + " failures in a row: not between 1 and 1,000,000"};
        }
        return {};
    case window_kind::count:
        if (w.calls < 2 || w.calls > breaker_window_calls_max) {
            return {breaker_errc::bad_window, "a window of " + std::to_string(w.calls) +
                                                  " calls: not between 2 and " +
                                                  std::to_string(breaker_window_calls_max)};
        }
        return {};
    case window_kind::time:
        if (w.duration < window_min || w.duration > window_max) {
            return {breaker_errc::bad_window,
                    "the window's " + range(w.duration, window_min, window_max)};
        }
        if (w.buckets == 0 || w.buckets > breaker_buckets_max) {
            return {breaker_errc::bad_window,
                    buckets + " buckets: not between 1 and " + std::to_string(breaker_buckets_max)};
        }
        if (w.duration.count() % w.buckets != 0) {
            return {breaker_errc::bad_window,
                    shown(w.duration) + " cannot be divided into " + buckets + " buckets"};
        }
        return {};
    }
    return {breaker_errc::bad_window, "there is no such kind of window"};
}

refusal check_thresholds(breaker_options const& o) {
    if (!is_rate(o.failure_rate) || !is_rate(o.slow_call_rate)) {
        return {breaker_errc::bad_threshold,
                "a rate is a part of all calls, 0 to 1: failure_rate is " +
                    std::to_string(o.failure_rate) + ", slow_call_rate " +
                    std::to_string(o.slow_call_rate)};
    }
    if (o.evaluate_on != evaluate_on::failure && o.evaluate_on != evaluate_on::any_outcome) {
        return {breaker_errc::bad_threshold, "evaluate_on is no such value"};
    }
    if (o.slow_call_duration < nanoseconds(0) || o.slow_call_duration > window_max) {
        return {breaker_errc::bad_slow_call,
                "slow_call_duration: " + range(o.slow_call_duration, nanoseconds(0), window_max)};
    }
    if (o.slow_call_duration > nanoseconds(0) && o.slow_call_rate == 0) {
        return {breaker_errc::bad_slow_call,
                "calls are slow after " + shown(o.slow_call_duration) +
                    ", but slow_call_rate is 0: nothing would follow from it"};
    }
    if (o.window.kind == window_kind::consecutive) {
        return o.slow_call_rate == 0
                   ? refusal{}
                   : refusal{breaker_errc::bad_slow_call,
                             "slow calls have a rate; a window of failures in a row has none"};
    }
    if (o.failure_rate == 0 && o.slow_call_rate == 0) {
        return {breaker_errc::bad_threshold,
                "both rates are 0, so nothing would open it; what only counts is metrics_only"};
    }
    if (o.minimum_calls == 0 || o.minimum_calls > breaker_minimum_calls_max) {
        return {breaker_errc::bad_minimum, "minimum_calls " + std::to_string(o.minimum_calls) +
                                               ": not between 1 and " +
                                               std::to_string(breaker_minimum_calls_max)};
    }
    if (o.window.kind == window_kind::count && o.minimum_calls > o.window.calls) {
        return {breaker_errc::bad_minimum,
                "minimum_calls " + std::to_string(o.minimum_calls) + " is more than the " +
                    std::to_string(o.window.calls) + " calls of the window"};
    }
    return {};
}

refusal check_open(breaker_options const& o) {
    if (o.open_for < open_min || o.open_for > open_max) {
        return {breaker_errc::bad_open, "open_for: " + range(o.open_for, open_min, open_max)};
    }
    if (o.open_for_max < o.open_for || o.open_for_max > open_max) {
        return {breaker_errc::bad_open,
                "open_for_max: " + range(o.open_for_max, o.open_for, open_max)};
    }
    if (!(o.open_factor >= 1 && o.open_factor <= 100)) {
        return {breaker_errc::bad_open,
                "open_factor " + std::to_string(o.open_factor) + " is not between 1 and 100"};
    }
    if (!(o.open_jitter >= 0 && o.open_jitter <= 0.9)) {
        return {breaker_errc::bad_open,
                "open_jitter " + std::to_string(o.open_jitter) + " is not between 0 and 0.9"};
    }
    return {};
}

refusal check_scope(breaker_options const& o) {
    if (o.scope != breaker_scope::process && o.scope != breaker_scope::host) {
        return {breaker_errc::not_here, "there is no such scope"};
    }
    return {};
}

refusal check_probing(breaker_options const& o) {
    breaker_probing const& p = o.probing;
    if (p.rule != probe_rule::all_must_pass && p.rule != probe_rule::rate_over &&
        p.rule != probe_rule::k_of_n) {
        return {breaker_errc::bad_probing, "there is no such rule"};
    }
    if (p.calls == 0 || p.calls > breaker_probe_calls_max) {
        return {breaker_errc::bad_probing, std::to_string(p.calls) + " probes: not between 1 and " +
                                               std::to_string(breaker_probe_calls_max)};
    }
    if (p.rule == probe_rule::k_of_n && (p.successes == 0 || p.successes > p.calls)) {
        return {breaker_errc::bad_probing, std::to_string(p.successes) + " successes of " +
                                               std::to_string(p.calls) + " probes"};
    }
    if (p.rule == probe_rule::rate_over && o.window.kind == window_kind::consecutive) {
        return {breaker_errc::bad_probing,
                "a rate over probes needs a threshold, and failures in a row have none"};
    }
    if (o.probes_at_a_time > breaker_permits_max || o.probes_at_a_time > p.calls) {
        return {breaker_errc::bad_probing, std::to_string(o.probes_at_a_time) +
                                               " probes at a time, of " + std::to_string(p.calls) +
                                               ": at most " + std::to_string(breaker_permits_max)};
    }
    if (o.half_open_max < open_min || o.half_open_max > half_open_max) {
        return {breaker_errc::bad_probing,
                "half_open_max: " + range(o.half_open_max, open_min, half_open_max)};
    }
    return {};
}

std::uint64_t mixed(std::uint64_t x) noexcept { // the finaliser of splitmix64
    x = (x ^ (x >> 30)) * 0xbf58'476d'1ce4'e5b9;
    x = (x ^ (x >> 27)) * 0x94d0'49bb'1331'11eb;
    return x ^ (x >> 31);
}

breaker_constants rules_of(breaker_options const& o) noexcept {
    breaker_constants c{};
    breaker_window const& w = o.window;
    bool const rates = w.kind != window_kind::consecutive;
    c.window_kind = static_cast<std::uint32_t>(w.kind);
    c.bucket_count = w.kind == window_kind::time ? w.buckets : 1;
    c.bucket_ns = w.kind == window_kind::time
                      ? static_cast<std::uint64_t>(w.duration.count()) / w.buckets
                      : 0;
    c.window_calls = w.kind == window_kind::time ? 0 : w.calls;
    c.minimum_calls = rates ? o.minimum_calls : 0;
    c.failure_ppb = rates ? ppb(o.failure_rate) : 0;
    c.slow_ppb = rates ? ppb(o.slow_call_rate) : 0;
    c.slow_ns = static_cast<std::uint64_t>(o.slow_call_duration.count());
    c.evaluate_always = o.evaluate_on == evaluate_on::any_outcome ? 1 : 0;
    c.probe_rule = static_cast<std::uint32_t>(o.probing.rule);
    c.probe_calls = o.probing.calls;
    c.probe_successes =
        o.probing.rule == probe_rule::k_of_n ? o.probing.successes : o.probing.calls;
    std::uint32_t const permits = o.probes_at_a_time != 0 ? o.probes_at_a_time : o.probing.calls;
    c.probe_permits = permits < breaker_permits_max ? permits : breaker_permits_max;
    c.jitter_ppb = static_cast<std::uint32_t>(o.open_jitter * 1e9);
    c.step_milli = static_cast<std::uint32_t>(std::lround(o.open_factor * 1000));
    auto const ms = [](nanoseconds t) {
        return ms_not_before(static_cast<std::uint64_t>(t.count()));
    };
    c.open_ms = ms(o.open_for);
    c.open_ms_max = ms(o.open_for_max);
    c.half_open_ms = ms(o.half_open_max);
    c.seed = o.seed != 0 ? o.seed : mixed(os::monotonic_ns() | 1);
    return c;
}

} // namespace

result<breaker_constants, failure<breaker_errc>> breaker_rules(breaker_options const& o) {
    refusal why = check_window(o);
    if (!why) {
        why = check_thresholds(o);
    }
    if (!why) {
        why = check_open(o);
    }
    if (!why) {
        why = check_probing(o);
    }
    if (!why) {
        why = check_scope(o);
    }
    if (why) {
        return failure<breaker_errc>{why.code, 0, "cannot make a breaker: " + why.why};
    }
    return rules_of(o);
}

bool same_rules(breaker_constants const& a, breaker_constants const& b) noexcept {
    breaker_constants c = a;
    c.seed = b.seed;
    // Made of integers without padding: equal rules have equal bytes.
    using bytes = std::array<unsigned char, sizeof(breaker_constants)>;
    return std::bit_cast<bytes>(c) == std::bit_cast<bytes>(b);
}

std::string difference_of(breaker_constants const& there, breaker_constants const& here) {
    std::string text;
    auto const look = [&text](char const* name, std::uint64_t a, std::uint64_t b) {
        if (a != b) {
            text += (text.empty() ? "" : ", ") + std::string(name) + " is " + std::to_string(a) +
                    " there and " + std::to_string(b) + " here";
        }
    };
    look("the kind of window", there.window_kind, here.window_kind);
    look("the number of buckets", there.bucket_count, here.bucket_count);
    look("a bucket's length in ns", there.bucket_ns, here.bucket_ns);
    look("the window's number of calls", there.window_calls, here.window_calls);
    look("minimum_calls", there.minimum_calls, here.minimum_calls);
    look("failure_rate in 10^-9", there.failure_ppb, here.failure_ppb);
    look("slow_call_rate in 10^-9", there.slow_ppb, here.slow_ppb);
    look("slow_call_duration in ns", there.slow_ns, here.slow_ns);
    look("evaluate_on any_outcome", there.evaluate_always, here.evaluate_always);
    look("the rule of probing", there.probe_rule, here.probe_rule);
    look("the number of probes that decide", there.probe_calls, here.probe_calls);
    look("the number of probes that must succeed", there.probe_successes, here.probe_successes);
    look("probes_at_a_time", there.probe_permits, here.probe_permits);
    look("open_jitter in 10^-9", there.jitter_ppb, here.jitter_ppb);
    look("open_factor in thousandths", there.step_milli, here.step_milli);
    look("open_for in ms", there.open_ms, here.open_ms);
    look("open_for_max in ms", there.open_ms_max, here.open_ms_max);
    look("half_open_max in ms", there.half_open_ms, here.half_open_ms);
    return text.empty() ? "its rules are no rules" : text;
}

bool are_sane(breaker_constants const& c) noexcept {
    auto const within = [](std::uint64_t n, std::uint64_t least, std::uint64_t most) {
        return n >= least && n <= most;
    };
    constexpr std::uint64_t day_ns = 86'400'000'000'000;
    bool const kind = within(c.window_kind, 1, 3);
    bool const time = c.window_kind == static_cast<std::uint32_t>(window_kind::time);
    bool const buckets = within(c.bucket_count, 1, breaker_buckets_max) &&
                         (time ? within(c.bucket_ns, 1, day_ns) : c.bucket_ns == 0);
    bool const rates = c.failure_ppb <= 1'000'000'000 && c.slow_ppb <= 1'000'000'000;
    bool const probes = within(c.probe_rule, 1, 3) &&
                        within(c.probe_calls, 1, breaker_probe_calls_max) &&
                        within(c.probe_successes, 1, c.probe_calls) &&
                        within(c.probe_permits, 1, breaker_permits_max);
    constexpr std::uint64_t month_ms = 30 * 86'400'000ULL;
    bool const times = within(c.open_ms, 1, month_ms) &&
                       within(c.open_ms_max, c.open_ms, month_ms) &&
                       within(c.half_open_ms, 1, day_ns / 1'000'000) &&
                       within(c.step_milli, 1000, 100'000) && c.jitter_ppb <= 900'000'000;
    return kind && buckets && rates && probes && times;
}

std::uint64_t open_time_ms(breaker_constants const& rules, std::uint64_t step,
                           std::uint16_t generation) noexcept {
    // Below 2^32 milliseconds, factors below 2^17: no product overflows.
    std::uint64_t ms = rules.open_ms;
    for (std::uint64_t i = 0; i < step && i < 32 && ms < rules.open_ms_max; ++i) {
        ms = ms * rules.step_milli / 1000;
    }
    ms = ms < rules.open_ms_max ? ms : rules.open_ms_max;
    if (rules.jitter_ppb == 0) {
        return ms;
    }
    std::uint64_t const luck = mixed(rules.seed + generation) % 1'000'000'000;
    std::uint64_t const part = luck * rules.jitter_ppb / 1'000'000'000; // of a billion
    std::uint64_t const less = ms * part / 1'000'000'000;
    return ms > less ? ms - less : 1;
}

} // namespace partywall::inline v0::detail
