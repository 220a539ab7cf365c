// SPDX-License-Identifier: BSL-1.0
// The bell: how a writer wakes sleepers in other processes without a system call, a
// read-modify-write or a store-load fence while nobody sleeps.
//
// Two words. `arm` lies in memory that the sleepers may write; each sleeper increments it.
// `rung` lies in memory that only the ringer writes; sleepers sleep on it. A bell with several
// ringers (an inbox) has a `rung` that they all increment: a plain store by several would lose
// wake-ups.
//
//   sleeper                                  ringer, after it stored new data
//   r := rung                                light fence
//   arm += 1                                 a := arm
//   heavy fence                              if a differs from the last one it saw:
//   re-check data, death, interrupt              rung := a; futex_wake(rung, all)
//   futex_wait(rung, r)
//
// The light and the heavy fence are a pair. With `fence_pair::sleeper` the ringer's half only
// stops the compiler and the sleeper's half is a membarrier, which puts a full fence into every
// running thread that registered for it. With `fence_pair::publisher` both are seq_cst fences.
//
// Why so: exactly one of two things happens at the fence pair. Either the ringer's load of `arm`
// sees the increment, and it rings; or the sleeper's re-check sees the data, and it does not
// sleep. A flag per sleeper would cost the ringer a load per sleeper, and a system call for ever
// once a sleeper dies with its flag up. A shared flag that the ringer clears, or sleeping on the
// data itself, loses wake-ups when a second sleeper comes between.
//
// Callers   any number of sleepers; one ringer, or several of which each says so (many_ringers).
// Progress  ring_if_armed: wait-free. Sleeping always has a time limit.
// Cost      ring_if_armed: one load, one comparison. arm: one locked increment.
// Peer dies a dead sleeper leaves `arm` incremented: one superfluous ring. A ringer that dies
//           before ringing leaves the sleeper to its time slice and to the notice of death.
#pragma once

#include <partywall/os/futex.hpp>
#include <partywall/segment/atomics.hpp>

#include <climits>
#include <cstdint>

namespace partywall::inline v0 {

/// Which side of a bell pays for the store-load order. Stored in the ring's header.
enum class fence_pair : std::uint32_t {
    sleeper = 1,   ///< the ringer omits its fence (its process registered for membarrier)
    publisher = 2, ///< both sides fence
};

namespace detail {

/// The light half. Pairs with the heavy half that the sleeper runs between `arm` and its
/// re-check (os::heavy_fence, or a seq_cst fence for fence_pair::publisher).
template <class Atomics>
inline void light_fence(fence_pair pair) noexcept {
    if (pair == fence_pair::sleeper) {
        Atomics::compiler_fence();
    } else {
        Atomics::fence(std::memory_order_seq_cst); // pairs with the sleeper's seq_cst fence
    }
}

/// The ringer's side. Process-private; one per bell.
template <class Atomics = std_atomics>
class bell_ringer {
  public:
    bell_ringer() = default;
    /// `arm` is read, `rung` written. `seen` starts at the value `arm` had at creation.
    bell_ringer(std::uint32_t const& arm, std::uint32_t& rung, fence_pair pair) noexcept
        : arm_(&arm), rung_(&rung), pair_(pair) {}
    /// One of several ringers, who come when the bell may be armed already: the first look rings.
    static bell_ringer one_of_many(std::uint32_t const& arm, std::uint32_t& rung,
                                   fence_pair pair) noexcept {
        bell_ringer self(arm, rung, pair);
        self.seen_ = Atomics::load(arm, std::memory_order_relaxed) - 1;
        self.many_ = true;
        return self;
    }

    /// To be called after the data became visible. Returns whether anybody was woken.
    bool ring_if_armed() noexcept {
        light_fence<Atomics>(pair_);
        // relaxed: the fence pair orders it after the data; the value itself carries nothing.
        std::uint32_t const armed = Atomics::load(*arm_, std::memory_order_relaxed);
        if (armed == seen_) [[likely]] {
            return false;
        }
        ring(armed);
        return true;
    }

    /// Whether a ring is due. The caller then calls `ring_if_armed` off its hot path.
    bool armed() const noexcept {
        light_fence<Atomics>(pair_);
        // relaxed: as in ring_if_armed().
        return Atomics::load(*arm_, std::memory_order_relaxed) != seen_;
    }

  private:
    [[gnu::noinline, gnu::cold]] void ring(std::uint32_t armed) noexcept {
        seen_ = armed;
        // release: pairs with the acquire in bell_sleeper::prepare(); a sleeper that sees this
        // ring also sees the data that it was rung for.
        if (many_) {
            Atomics::fetch_add(*rung_, std::uint32_t{1}, std::memory_order_release);
        } else {
            Atomics::store(*rung_, armed, std::memory_order_release);
        }
        os::futex_wake(*rung_, INT_MAX, true);
    }

    std::uint32_t const* arm_ = nullptr;
    std::uint32_t* rung_ = nullptr;
    std::uint32_t seen_ = 0;
    fence_pair pair_ = fence_pair::publisher;
    bool many_ = false;
};

/// The sleeper's side. Process-private; one per sleeper and bell.
template <class Atomics = std_atomics>
class bell_sleeper {
  public:
    bell_sleeper() = default;
    bell_sleeper(std::uint32_t& arm, std::uint32_t const& rung) noexcept
        : arm_(&arm), rung_(&rung) {}

    /// First step of going to sleep. Afterwards: one heavy fence for all bells together, then a
    /// re-check of everything that would end the wait, then sleep on `rung_word()`. Called again
    /// after a slice that changed nothing it costs one load: the bell is still armed.
    /// Returns whether it armed, that is, whether the heavy fence is needed.
    bool prepare() noexcept {
        // acquire: pairs with the release in bell_ringer::ring().
        std::uint32_t const rung = Atomics::load(*rung_, std::memory_order_acquire);
        if (armed_ && rung == expected_) {
            return false;
        }
        expected_ = rung;
        armed_ = true;
        // release: pairs with the acquire fence in wake_look; who sees the bell armed sees what was
        // said before. Ordered before the re-check by the heavy fence.
        Atomics::fetch_add(*arm_, std::uint32_t{1}, std::memory_order_release);
        return true;
    }
    /// Whether it is armed, and was not rung since.
    bool waits() const noexcept {
        // relaxed: a ring that is missed here is found by whoever looks next.
        return armed_ && Atomics::load(*rung_, std::memory_order_relaxed) == expected_;
    }
    /// prepare() will arm again, although nobody has rung.
    void disarm() noexcept { armed_ = false; }

    os::futex_word rung_word() const noexcept { return {rung_, expected_, true}; }

  private:
    std::uint32_t* arm_ = nullptr;
    std::uint32_t const* rung_ = nullptr;
    std::uint32_t expected_ = 0;
    bool armed_ = false;
};

} // namespace detail
} // namespace partywall::inline v0
