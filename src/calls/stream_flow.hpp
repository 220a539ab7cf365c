// SPDX-License-Identifier: BSL-1.0
// How far a stream may go: the server's thread hears of it from the client, whoever streams looks.
// Both are threads of one process. What the client says is not believed: see under_way().
#pragma once

#include <partywall/os/futex.hpp>

#include <atomic>
#include <climits>
#include <cstdint>

namespace partywall::inline v0::detail {

class stream_flow {
  public:
    explicit stream_flow(std::uint32_t window) noexcept : window_(window) {}

    // The server's thread, or whoever closes the port.

    void read_up_to(std::uint64_t replies) noexcept {
        read_.store(replies, std::memory_order_relaxed); // published by news_
        ring();
    }
    void stop() noexcept {
        stopped_.store(true, std::memory_order_relaxed); // published by news_
        ring();
    }

    // Whoever streams.

    /// To be loaded before looking: what comes after the look changes it.
    std::uint32_t news() const noexcept {
        return news_.load(std::memory_order_acquire); // pairs with the increment in ring()
    }
    bool stopped() const noexcept { return stopped_.load(std::memory_order_relaxed); } // see news()
    /// Replies of `sent` that the client has not read. More than the window: it says what cannot be.
    std::uint64_t under_way(std::uint64_t sent) const noexcept {
        std::uint64_t const read = read_.load(std::memory_order_relaxed); // see news()
        return read <= sent ? sent - read : ~std::uint64_t{0};
    }
    std::uint32_t window() const noexcept { return window_; }
    /// Sleeps until there is news since `seen`, or the time.
    void sleep(std::uint32_t seen, std::uint64_t until_ns) noexcept {
        // seq_cst: pairs with the two in ring(). Either the kernel sees the news there, or ring() us.
        sleepers_.fetch_add(1, std::memory_order_seq_cst);
        os::futex_wait({reinterpret_cast<std::uint32_t const*>(&news_), seen, false}, until_ns);
        sleepers_.fetch_sub(1, std::memory_order_relaxed); // late is a wake-up too many
    }

  private:
    void ring() noexcept {
        // seq_cst, both: pairs with sleep(); the first one publishes what was stored before.
        news_.fetch_add(1, std::memory_order_seq_cst);
        if (sleepers_.load(std::memory_order_seq_cst) != 0) {
            os::futex_wake(reinterpret_cast<std::uint32_t const&>(news_), INT_MAX, false);
        }
    }

    std::uint32_t const window_;
    std::atomic<std::uint64_t> read_{0};
    std::atomic<std::uint32_t> news_{0};
    std::atomic<std::uint32_t> sleepers_{0};
    std::atomic<bool> stopped_{false};
    static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));
};

} // namespace partywall::inline v0::detail
