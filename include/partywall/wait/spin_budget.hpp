// SPDX-License-Identifier: BSL-1.0
// For how long a wait spins before it sleeps, learned from the waits of one endpoint.
//
// Use when  a wait may be shorter than going to sleep and being woken takes.
// Callers   the endpoint that waits, one thread at a time. All durations are told to it.
// Cost      some 30 ns of a wait, spent where there is nothing to do yet. No heap, no system call.
//
// Two things are measured. How long waits take: a decaying count of waits by the power of two of
// their length, those that outlived their spin on a heap of their own. And what a sleep costs, from
// giving up spinning until going on: no sleep can be shorter than going to sleep and being woken
// takes, and the shortest are hardly longer, so it is the length that one in twenty undercuts. (Too
// much, where what is waited for never comes soon after falling asleep: then the cap decides.) The
// budget is the one under which the waits that are remembered would have cost least, and where that
// is one that spins, something longer.
//
// Invariants
//   I1  No spin is longer than the cap.
//   I2  What was not spun for was not measured: an endpoint that sleeps spins now and then to see
//       what it would get (a probe), after 1, 2, 4, ... 64 sleeps as probes go on being in vain.
//   I3  Only spins count as evidence for spinning. A sleep that was soon over is none: where there
//       are more spinners than processors, or only one, it was over because we slept.
#pragma once

#include <partywall/export.hpp>
#include <partywall/wait/waiting.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace partywall::inline v0::detail {

class PARTYWALL_API spin_budget {
  public:
    spin_budget() = default;
    /// `cap_ns`: the longest spin, under waiting::spin_then_park.
    spin_budget(waiting strategy, std::uint64_t cap_ns) noexcept;

    /// A wait begins at `now_ns`. Returns until when it spins: now_ns is not at all.
    std::uint64_t spin_until(std::uint64_t now_ns, std::uint64_t until_ns) noexcept;
    /// It ended in its spin, `ns` after it began, with what it waited for.
    void came(std::uint64_t ns) noexcept {
        came_ns_ = ns; // counted when there is time: when the next wait begins
        came_ = spinning_;
    }
    /// It goes on without spinning. Nothing, if it did not spin.
    void in_vain() noexcept {
        if (spinning_) {
            count_in_vain();
        }
    }
    /// A wake-up ended it, `ns` after it last gave up spinning or went to sleep anew.
    void slept(std::uint64_t ns) noexcept;

    /// Longest spin of the next wait that is no probe; 0: it sleeps at once.
    std::uint64_t budget_ns() const noexcept { return budget_ns_; }
    /// What a sleep costs; 0: not known yet.
    std::uint64_t sleep_cost_ns() const noexcept { return sleep_ns_; }

  private:
    static constexpr std::size_t lengths = 32; ///< the last one: longer than they were spun for
    static constexpr std::uint64_t longest_ns = std::uint64_t{1} << 40; ///< keeps sums in 64 bits

    void count_in_vain() noexcept;
    void remember(std::size_t length) noexcept;
    void wait_with_probing() noexcept;
    std::uint64_t worth_ns() const noexcept;
    std::uint64_t cheapest() const noexcept;

    std::array<std::uint32_t, lengths> waits_{}; ///< [i]: of less than 128 << i ns; decaying
    std::uint64_t cap_ns_ = 0;
    std::uint64_t budget_ns_ = 0;
    std::uint64_t sleep_ns_ = 0;
    std::uint64_t came_ns_ = 0;
    std::uint32_t sleeps_until_probe_ = 0;
    std::uint32_t sleeps_between_probes_ = 0;
    waiting strategy_ = waiting::park;
    bool came_ = false;     ///< came_ns_ is still to be counted
    bool spinning_ = false; ///< in the wait that began last
};

} // namespace partywall::inline v0::detail
