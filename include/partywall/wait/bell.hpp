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
// A membarrier interrupts the ringer, which under a hypervisor takes longer than being woken. So a
// ringer with `fence_pair::sleeper` that had to ring fences for a while (its next messages), and
// says so in a third word, `fencing`:
//
//   sleeper                                  ringer
//   r := rung                                when it rings: fencing := 1; from now on
//   arm += 1                                     data; full fence; a := arm; ...
//   full fence                               after so many messages without a ring: fencing := 0;
//   if fencing is 0: membarrier                  full fence; a := arm; if it differs, ring (and go
//   re-check, futex_wait(rung, r)                on fencing); else light fences again
//
// Who sees 1 sees the data of before it, and every later message is followed by a fence of the
// ringer's; and who armed without seeing 0 is seen by the look that follows the 0.
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

#include <partywall/detail/mutant.hpp>
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

/// How many messages after a ring are followed by a full fence: what they cost together is less than
/// the system call that the ring was.
inline constexpr std::uint32_t fenced_after_ring = 32;

/// The ringer's side. Process-private; one per bell.
template <class Atomics = std_atomics>
class bell_ringer {
  public:
    bell_ringer() = default;
    /// `arm` is read, `rung` written. `seen` starts at the value `arm` had at creation.
    /// `fencing`: where it says that it fences for a while; nullptr: it never does, and a sleeper
    /// must not look.
    bell_ringer(std::uint32_t const& arm, std::uint32_t& rung, fence_pair pair,
                std::uint32_t* fencing = nullptr,
                std::uint32_t fenced_messages = fenced_after_ring) noexcept
        : arm_(&arm), rung_(&rung), fencing_(fencing), fenced_messages_(fenced_messages),
          fenced_left_(pair == fence_pair::publisher ? always : 0) {}
    /// One of several ringers, who come when the bell may be armed already: the first look rings.
    static bell_ringer one_of_many(std::uint32_t const& arm, std::uint32_t& rung, fence_pair pair,
                                   std::uint32_t* fencing = nullptr,
                                   std::uint32_t fenced_messages = fenced_after_ring) noexcept {
        bell_ringer self(arm, rung, pair, fencing, fenced_messages);
        self.seen_ = Atomics::load(arm, std::memory_order_relaxed) - 1;
        self.many_ = true;
        return self;
    }

    /// To be called after the data became visible. Returns whether anybody was woken.
    bool ring_if_armed() noexcept {
        if (fenced_left_ != 0) [[unlikely]] {
            return ring_if_armed_with_fence();
        }
        light_fence<Atomics>(fence_pair::sleeper);
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
        light_fence<Atomics>(fenced_left_ != 0 ? fence_pair::publisher : fence_pair::sleeper);
        // relaxed: as in ring_if_armed().
        return Atomics::load(*arm_, std::memory_order_relaxed) != seen_;
    }

  private:
    static constexpr std::uint32_t always = ~std::uint32_t{0};

    [[gnu::noinline]] bool ring_if_armed_with_fence() noexcept {
        light_fence<Atomics>(fence_pair::publisher);
        // relaxed: as in ring_if_armed().
        std::uint32_t armed = Atomics::load(*arm_, std::memory_order_relaxed);
        if (armed == seen_ && fenced_left_ != always && --fenced_left_ == 0) {
            // relaxed: ordered by the fence. A sleeper that arms before the look behind it is seen
            // there; a later one sees the 0.
            Atomics::store(*fencing_, std::uint32_t{0}, std::memory_order_relaxed);
            Atomics::fence(std::memory_order_seq_cst); // pairs with the sleeper's full fence
            armed = Atomics::load(*arm_, std::memory_order_relaxed);
        }
        if (armed == seen_) {
            return false;
        }
        ring(armed);
        return true;
    }

    [[gnu::noinline, gnu::cold]] void ring(std::uint32_t armed) noexcept {
        seen_ = armed;
        if (fencing_ != nullptr && fenced_left_ != always) {
            if (fenced_left_ == 0) {
                // release: pairs with the acquire in omits_fence(): who leaves the membarrier out
                // because of it has all data of before.
                Atomics::store(*fencing_, std::uint32_t{1}, std::memory_order_release);
            }
            fenced_left_ = fenced_messages_;
        }
        // release: pairs with the acquire in bell_sleeper::prepare(); a sleeper that sees this
        // ring also sees the data that it was rung for.
        if (many_) {
            Atomics::fetch_add(*rung_, std::uint32_t{1}, std::memory_order_release);
        } else {
            Atomics::store(*rung_, armed, std::memory_order_release);
        }
        if (!PARTYWALL_MUTANT(wake_up_skipped)) {
            os::futex_wake(*rung_, INT_MAX, true);
        }
    }

    std::uint32_t const* arm_ = nullptr;
    std::uint32_t* rung_ = nullptr;
    std::uint32_t* fencing_ = nullptr;
    std::uint32_t seen_ = 0;
    std::uint32_t fenced_messages_ = fenced_after_ring;
    std::uint32_t fenced_left_ = always; ///< messages that are still to be fenced
    bool many_ = false;
};

/// Whether a ringer with `fence_pair::sleeper` leaves its fence out at present, so that the sleeper
/// has to run it for it. Asked after arming and a full fence.
template <class Atomics = std_atomics>
inline bool omits_fence(std::uint32_t const& fencing) noexcept {
    // acquire: pairs with the release in bell_ringer::ring(). Any other value than 1 is somebody's
    // who should not have written it: fence.
    return Atomics::load(fencing, std::memory_order_acquire) != 1;
}

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
