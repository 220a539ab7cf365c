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
        if (came_ns_ <= worth_ns()) {
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
    // A probe gives the other side the time to be woken, as we would have to be, and to answer: two
    // that sleep for each other's answers would else never find out how soon those come.
    std::uint64_t const probe = sleep_ns_ != 0 ? std::min(2 * sleep_ns_, cap_ns_) : cap_ns_;
    return std::min(until_ns, os::deadline_after(now_ns, budget_ns_ != 0 ? budget_ns_ : probe));
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

/// What it is worth to spin for, to get round a sleep. The length of the shortest sleeps is what one
/// costs at most; whoever would spin for no longer than the cap does not mean much more by it.
std::uint64_t spin_budget::worth_ns() const noexcept {
    return sleep_ns_ != 0 ? std::min(sleep_ns_, 2 * cap_ns_) : cap_ns_;
}

/// A wait of no more than `budget` costs its length, a longer one the budget and a sleep. What was
/// in vain might have come a moment later, which nobody knows: so where spinning pays, it may cost
/// an eighth of a sleep more per wait than what would have been cheapest.
std::uint64_t spin_budget::cheapest() const noexcept {
    std::uint64_t all = 0;
    for (std::uint32_t const weight : waits_) {
        all += weight;
    }
    std::uint64_t const sleep = worth_ns();
    std::uint64_t least = all * sleep;
    std::uint64_t most = 0; // budgets that may be chosen cost no more
    std::uint64_t chosen = 0;
    for (bool const choosing : {false, true}) {
        std::uint64_t caught = 0;
        std::uint64_t caught_cost = 0;
        std::uint64_t budget = 0;
        for (std::size_t i = 0; i < lengths - 1 && budget != cap_ns_; ++i) {
            caught += waits_[i];
            caught_cost += waits_[i] * mean_of(i);
            budget = std::min(top_of(i), cap_ns_);
            std::uint64_t const cost = caught_cost + (all - caught) * (budget + sleep);
            if (!choosing) {
                least = std::min(least, cost);
            } else if (cost <= most) {
                chosen = budget;
            }
        }
        if (least == all * sleep) {
            return 0;
        }
        most = least + all * (sleep / 8);
    }
    return chosen;
}

} // namespace partywall::inline v0::detail
