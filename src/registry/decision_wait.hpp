// SPDX-License-Identifier: BSL-1.0
// Waiting until somebody else has made up its mind: an endpoint that is being made meets another
// one that is neither there nor gone yet.
//
// Callers   one thread, not on a hot path: each wait is a system call.
// Peers     a decision changes the epoch and ends the wait at once. A death is proven without
//           anybody saying so, so the wait also ends by itself, after steps that grow. Who is
//           stopped decides nothing: the waiting is over after undecided_max_ns.
#pragma once

#include <partywall/os/clock.hpp>
#include <partywall/os/futex.hpp>
#include <partywall/registry/participant_core.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace partywall::inline v0::detail {

class decision_wait {
  public:
    explicit decision_wait(participant_core& participant) noexcept
        : epoch_(participant.epoch_word()), until_ns_(os::monotonic_ns() + undecided_max_ns) {}

    /// Before each look at what is undecided.
    void look() noexcept {
        // acquire, before looking: what is decided after the look changes the epoch again.
        seen_ = std_atomics::load(epoch_, std::memory_order_acquire);
    }
    bool is_over() const noexcept { return os::monotonic_ns() >= until_ns_; }
    void park() noexcept {
        os::futex_wait({&epoch_, seen_, true}, os::monotonic_ns() + ask_ns_);
        ask_ns_ = std::min(2 * ask_ns_, ask_last_ns);
    }

  private:
    static constexpr std::uint64_t undecided_max_ns = 5'000'000'000;
    static constexpr std::uint64_t ask_last_ns = 10'000'000;

    std::uint32_t const& epoch_;
    std::uint64_t until_ns_;
    std::uint64_t ask_ns_ = 50'000;
    std::uint32_t seen_ = 0;
};

} // namespace partywall::inline v0::detail
