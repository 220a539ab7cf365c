// SPDX-License-Identifier: BSL-1.0
#include "stage.hpp"

#include <functional>
#include <map>
#include <stdexcept>

namespace partywall::test {
namespace {

using namespace std::chrono_literals;

/// What all profiles have unless they say otherwise: no back-off, no jitter, one probe.
breaker_options plain(breaker_window window) {
    breaker_options o;
    o.window = window;
    o.open_for = 1s;
    o.open_for_max = 90s;
    o.open_factor = 1;
    o.open_jitter = 0;
    o.probing = breaker_probing::all_must_pass(1);
    o.probes_at_a_time = 0;
    o.half_open_max = 1h;
    return o;
}

breaker_options in_a_row(std::uint32_t failures, std::chrono::nanoseconds open_for,
                         std::uint32_t probes) {
    breaker_options o = plain(breaker_window::consecutive(failures));
    o.open_for = open_for;
    o.probing = breaker_probing::all_must_pass(probes);
    return o;
}

breaker_options rate(breaker_window window, std::uint32_t minimum, double failure_rate,
                     evaluate_on when) {
    breaker_options o = plain(window);
    o.minimum_calls = minimum;
    o.failure_rate = failure_rate;
    o.evaluate_on = when;
    return o;
}

breaker_options g1(breaker_window window) {
    breaker_options o = rate(window, 3, 0.6, evaluate_on::failure);
    o.open_for = 90s;
    o.probing = breaker_probing::all_must_pass(3);
    return o;
}

breaker_options r1() {
    breaker_options o = rate(breaker_window::rolling(20s), 5, 0.5, evaluate_on::any_outcome);
    o.slow_call_rate = 0.5;
    o.slow_call_duration = 4s;
    o.open_for = 5s;
    o.probing = breaker_probing::rate_over(4);
    return o;
}

breaker_options p1(breaker_window window) {
    breaker_options o = rate(window, 4, 0.5, evaluate_on::failure);
    o.open_for = 30s;
    return o;
}

breaker_options f(std::uint32_t k, std::uint32_t n) {
    breaker_options o =
        rate(breaker_window::count(n), n, static_cast<double>(k) / n, evaluate_on::any_outcome);
    o.probing = breaker_probing::k_of_n(n - k + 1, n);
    return o;
}

breaker_options f200() {
    breaker_options o = rate(breaker_window::rolling(200ms), 2, 0.6, evaluate_on::failure);
    o.open_for = 1ms;
    o.probing = breaker_probing::k_of_n(1, 2);
    return o;
}

breaker_options bad() {
    breaker_options o = in_a_row(6, -90s, 0);
    return o;
}

std::map<std::string, std::function<profile()>> const& profiles() {
    constexpr auto any = evaluate_on::any_outcome;
    static std::map<std::string, std::function<profile()>> const all = {
        {"G0", [] { return profile{in_a_row(6, 60s, 1)}; }},
        {"G0-all-good",
         [] {
             return profile{in_a_row(6, 60s, 1), 0, true};
         }},
        {"G-bad", [] { return profile{bad()}; }},
        {"G1", [] { return profile{g1(breaker_window::fixed(30s))}; }},
        {"G2", [] { return profile{g1(breaker_window::rolling(30s))}; }},
        {"Gs",
         [] {
             return profile{in_a_row(6, 2s, 3), 2};
         }},
        {"R1", [] { return profile{r1()}; }},
        {"R1h",
         [] {
             profile p{r1()};
             p.options.half_open_max = 1s;
             return p;
         }},
        {"Rc10", [] { return profile{rate(breaker_window::count(10), 10, 0.5, any)}; }},
        {"Rc5", [] { return profile{rate(breaker_window::count(5), 5, 0.5, any)}; }},
        {"Rc4", [] { return profile{rate(breaker_window::count(4), 1, 1, any)}; }},
        {"Rt5", [] { return profile{rate(breaker_window::rolling(5s, 5), 1, 1, any)}; }},
        {"P1", [] { return profile{p1(breaker_window::rolling(10s))}; }},
        {"P2",
         [] {
             profile p{p1(breaker_window::rolling(10s))};
             p.options.minimum_calls = 10;
             p.options.open_for = 1s;
             return p;
         }},
        {"Pr", [] { return profile{p1(breaker_window::rolling(10s))}; }},
        {"Ps", [] { return profile{p1(breaker_window::fixed(100ms))}; }},
        {"F3", [] { return profile{in_a_row(3, 60s, 1)}; }},
        {"F2/3", [] { return profile{f(2, 3)}; }},
        {"F3/4", [] { return profile{f(3, 4)}; }},
        {"Fs3", [] { return profile{in_a_row(2, 60s, 3)}; }},
        {"F200", [] { return profile{f200()}; }},
        {"N1",
         [] {
             return profile{in_a_row(1, 1s, 1), 2};
         }},
        {"N2", [] { return profile{in_a_row(5, 60s, 1)}; }},
    };
    return all;
}

} // namespace

profile profile_called(std::string const& name) {
    auto const found = profiles().find(name);
    if (found == profiles().end()) {
        throw std::runtime_error("no such profile: " + name);
    }
    return found->second();
}

} // namespace partywall::test
