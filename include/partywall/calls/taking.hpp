// SPDX-License-Identifier: BSL-1.0
// Of a server that begins with a request and a client that gives it up at least one sees the other.
// Why that makes *executed: no* certain: docs/calls.md. Not for users.
//
//   server: taken := position + 1;  light fence;  look at the cancel word
//   client: cancel word := 1;       heavy fence;  look at `taken`
#pragma once

#include <partywall/wait/bell.hpp>

#include <cstdint>

namespace partywall::inline v0::detail {

template <class Atomics = std_atomics>
struct taking {
    /// The server begins with the request at `position`. Then it looks at is_given_up().
    static void begin(std::uint64_t& taken, std::uint64_t position, fence_pair pair) noexcept {
        // relaxed, then the fence: pairs with the heavy fence between give_up() and is_reached().
        Atomics::store(taken, position + 1, std::memory_order_relaxed);
        light_fence<Atomics>(pair);
    }
    static bool is_given_up(std::uint32_t const& cancel) noexcept {
        // relaxed: ordered behind `taken` by the fence in begin().
        return Atomics::load(cancel, std::memory_order_relaxed) != 0;
    }
    /// The client. Then it runs the heavy fence, and looks at is_reached().
    static void give_up(std::uint32_t& cancel) noexcept {
        // relaxed: ordered before the look at `taken` by the heavy fence.
        Atomics::store(cancel, std::uint32_t{1}, std::memory_order_relaxed);
    }
    /// False: the server has not begun with it, nor ever will.
    static bool is_reached(std::uint64_t const& taken, std::uint64_t position) noexcept {
        // acquire: whoever is told that it was not reached sees nothing older than the fence.
        std::uint64_t const seen = Atomics::load(taken, std::memory_order_acquire);
        return static_cast<std::int64_t>(seen - position) > 0;
    }
};

} // namespace partywall::inline v0::detail
