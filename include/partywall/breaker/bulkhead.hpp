// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/segment/atomics.hpp>
#include <partywall/wait/waiting.hpp>

#include <chrono>
#include <cstdint>
#include <utility>

namespace partywall::inline v0 {

struct bulkhead_options {
    std::uint32_t calls_max = 16;         ///< calls under way at a time, 1 to 65,535
    std::chrono::nanoseconds wait_for{0}; ///< for a place among them; 0: no waiting
};

/// Bounds the calls of this process that are under way, so that a slow callee cannot take all of
/// its threads.
///
/// Callers   any number of threads. It outlives the places it gave.
/// Progress  entering: lock-free where there is room; else it sleeps, for a bounded time. Leaving
///           is wait-free and calls the kernel only if somebody sleeps.
/// Cost      two additions for a call.
/// Fairness  none: who comes while a sleeper wakes may be first.
template <class Atomics = std_atomics>
class basic_bulkhead {
  public:
    explicit basic_bulkhead(std::uint32_t calls_max) noexcept : most_(calls_max) {}
    basic_bulkhead(basic_bulkhead const&) = delete;
    basic_bulkhead& operator=(basic_bulkhead const&) = delete;

    /// One of the calls under way, until it goes. False: there was no room.
    class [[nodiscard]] place {
      public:
        place() = default;
        place(place&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
        place& operator=(place&& other) noexcept {
            std::swap(of_, other.of_);
            return *this;
        }
        ~place() {
            if (of_ != nullptr) {
                of_->leave();
            }
        }
        explicit operator bool() const noexcept { return of_ != nullptr; }

      private:
        friend class basic_bulkhead;
        explicit place(basic_bulkhead* of) noexcept : of_(of) {}
        basic_bulkhead* of_ = nullptr;
    };

    place try_enter() noexcept { return place(entered() ? this : nullptr); }

    /// Waits for room until that time of CLOCK_MONOTONIC.
    place enter_until(std::uint64_t until_ns) noexcept {
        if (entered()) {
            return place(this);
        }
        // relaxed: ordered before the next look at the places by the fence.
        Atomics::fetch_add(sleepers_, std::uint32_t{1}, std::memory_order_relaxed);
        bool in = false;
        for (;;) {
            // acquire: pairs with the release in leave(); a place was given back before it.
            std::uint32_t const turn = Atomics::load(turn_, std::memory_order_acquire);
            // Pairs with the fence in leave(): either the look below sees the place that was
            // given back, or the one who gave it sees the sleeper.
            Atomics::fence(std::memory_order_seq_cst);
            in = entered();
            if (in || os::monotonic_ns() >= until_ns) {
                break;
            }
            detail::wait_list words;
            words.add_data({&turn_, turn, false});
            words.park(until_ns);
        }
        // relaxed: one superfluous wake-up at worst.
        Atomics::fetch_add(sleepers_, ~std::uint32_t{0}, std::memory_order_relaxed);
        return place(in ? this : nullptr);
    }

    std::uint32_t under_way() const noexcept {
        return Atomics::load(calls_, std::memory_order_relaxed); // relaxed: a look
    }

  private:
    bool entered() noexcept {
        // acquire: pairs with the release in leave().
        std::uint32_t calls = Atomics::load(calls_, std::memory_order_acquire);
        while (calls < most_) {
            if (Atomics::compare_exchange(calls_, calls, calls + 1)) {
                return true;
            }
        }
        return false;
    }
    void leave() noexcept {
        // release: pairs with the acquire in entered(): the call was over before its place was free.
        Atomics::fetch_add(calls_, ~std::uint32_t{0}, std::memory_order_release);
        // Pairs with the fence in enter_until().
        Atomics::fence(std::memory_order_seq_cst);
        if (Atomics::load(sleepers_, std::memory_order_relaxed) != 0) [[unlikely]] {
            // release: pairs with the acquire in enter_until().
            Atomics::fetch_add(turn_, std::uint32_t{1}, std::memory_order_release);
            os::futex_wake(turn_, 1, false);
        }
    }

    std::uint32_t most_;
    std::uint32_t calls_ = 0;
    std::uint32_t sleepers_ = 0;
    std::uint32_t turn_ = 0;
};
using bulkhead = basic_bulkhead<>;

} // namespace partywall::inline v0
