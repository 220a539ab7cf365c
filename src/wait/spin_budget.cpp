// SPDX-License-Identifier: BSL-1.0
#include <partywall/wait/spin_budget.hpp>

#include <algorithm>
#include <bit>

namespace partywall::inline v0::detail {
namespace {

constexpr std::uint64_t shortest_ns = 128;
constexpr std::uint32_t one_wait = 1U << 13;
/// A wait weighs half after five others.
constexpr std::uint32_t decay = 8;
constexpr std::uint32_t sleeps_between_probes_max = 64;

constexpr std::uint64_t top_of(std::size_t length) noexcept { return shortest_ns << length; }
constexpr std::uint64_t mean_of(std::size_t length) noexcept { return top_of(length) / 4 * 3; }

} // namespace

spin_budget::spin_budget(waiting strategy, std::uint64_t cap_ns) noexcept
    : cap_ns_(std::min(cap_ns, longest_ns)), budget_ns_(cap_ns_), strategy_(strategy) {}

std::uint64_t spin_budget::spin_until(std::uint64_t now_ns, std::uint64_t until_ns) noexcept {
    spinning_ = false;
    if (strategy_ != waiting::spin_then_park) {
        return strategy_ == waiting::spin ? until_ns : now_ns;
    }
    if (came_) {
        came_ = false;
        remember(std::min<std::size_t>(
            static_cast<std::size_t>(std::bit_width(came_ns_ / shortest_ns)), lengths - 2));
        if (came_ns_ <= (sleep_ns_ != 0 ? sleep_ns_ : cap_ns_)) {
            sleeps_between_probes_ /= 2; // a sleep would have cost more: the next one spins too
        } else if (budget_ns_ == 0) {
            wait_with_probing();
        }
    }
    if (cap_ns_ == 0) { // I1
        return now_ns;
    }
    if (sleeps_until_probe_ != 0) { // I2
        sleeps_until_probe_ -= 1;
        return now_ns;
    }
    spinning_ = true;
    return std::min(until_ns, os::deadline_after(now_ns, budget_ns_ != 0 ? budget_ns_ : cap_ns_));
}

void spin_budget::count_in_vain() noexcept {
    spinning_ = false;
    remember(lengths - 1);
    if (budget_ns_ == 0) {
        wait_with_probing();
    }
}

void spin_budget::slept(std::uint64_t ns) noexcept {
    ns = std::min(ns, longest_ns);
    if (sleep_ns_ == 0) {
        sleep_ns_ = ns;
    } else if (ns < sleep_ns_) {
        sleep_ns_ -= (sleep_ns_ - ns + 1) / 2;
    } else {
        sleep_ns_ += std::min(ns - sleep_ns_, sleep_ns_ / 32 + 1);
    }
}

void spin_budget::remember(std::size_t length) noexcept {
    for (std::uint32_t& weight : waits_) {
        weight -= weight / decay;
    }
    waits_[length] += one_wait;
    budget_ns_ = cheapest();
}

void spin_budget::wait_with_probing() noexcept {
    sleeps_between_probes_ = std::clamp(2 * sleeps_between_probes_, 1U, sleeps_between_probes_max);
    sleeps_until_probe_ = sleeps_between_probes_;
}

/// A wait of no more than `budget` costs its length, a longer one the budget and a sleep. For the
/// budget that is to catch waits of a length, twice that is allowed: so waits that grow are seen to
/// grow.
std::uint64_t spin_budget::cheapest() const noexcept {
    std::uint64_t all = 0;
    for (std::uint32_t const weight : waits_) {
        all += weight;
    }
    std::uint64_t const sleep = sleep_ns_ != 0 ? sleep_ns_ : cap_ns_;
    std::uint64_t best = 0;
    std::uint64_t best_cost = all * sleep;
    std::uint64_t caught = 0;
    std::uint64_t caught_cost = 0;
    for (std::size_t i = 0; i < lengths - 1; ++i) {
        caught += waits_[i];
        caught_cost += waits_[i] * mean_of(i);
        std::uint64_t const budget = std::min(2 * top_of(i), cap_ns_);
        std::uint64_t const cost = caught_cost + (all - caught) * (budget + sleep);
        if (cost < best_cost) {
            best = budget;
            best_cost = cost;
        }
        if (budget == cap_ns_) {
            break;
        }
    }
    return best;
}

} // namespace partywall::inline v0::detail
