// SPDX-License-Identifier: BSL-1.0
// What the processes of one measurement share: the order, where they meet, and what they found.
#pragma once

#include "histogram.hpp"
#include "job.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace partywall::bench {

inline constexpr std::size_t roles_max = 18;

/// A text of bounded length in memory that processes share.
template <std::size_t Size>
struct text {
    std::array<char, Size> bytes{};

    text& operator=(std::string_view from) noexcept {
        std::size_t const length = from.size() < Size - 1 ? from.size() : Size - 1;
        from.copy(bytes.data(), length);
        bytes[length] = 0;
        return *this;
    }
    std::string_view view() const noexcept { return {bytes.data()}; }
    bool empty() const noexcept { return bytes[0] == 0; }
};

/// What one process found. Written by it alone, read by the runner when it has ended.
struct role_result {
    histogram ticks;              ///< of what the figure counts
    std::uint64_t per_record = 1; ///< messages that one record stands for
    std::uint64_t messages = 0;   ///< of which the rate is made
    std::uint64_t rate_ticks = 0; ///< and the time that they took
    std::uint64_t lost = 0;
    std::uint64_t wrong = 0;  ///< damaged, repeated, out of order, from the future
    std::uint64_t cpu_ns = 0; ///< of the process, while it measured
    std::uint64_t cpu_messages = 0;
    std::uint64_t idle_cpu_ns = 0; ///< wake_up: while nothing came
    std::uint64_t idle_ns = 0;
    std::uint32_t overloaded = 0; ///< open loop: it fell so far behind that it stopped
    text<512> error;
};

struct session {
    // Written by the runner before there are other processes.
    job what;
    text<32> subject;
    text<64> variant;
    text<96> scratch; ///< a folder in memory, for the subject's files
    std::array<std::int32_t, roles_max> cpus{};
    std::uint32_t roles = 0;
    std::uint32_t oversubscribed = 0; ///< who spins must yield now and then
    std::uint32_t counter = 0;        ///< stop_watch
    double ns_per_tick = 1;

    // Where processes meet.
    std::atomic<std::uint32_t> arrived{0}; ///< a futex
    std::atomic<std::uint32_t> failed{0};
    /// Readers that have heard a hello, by channel: there, back.
    std::array<std::atomic<std::uint32_t>, 2> heard{};
    std::atomic<std::uint64_t> start_tick{0};
    std::atomic<std::uint32_t> stop{0};
    std::array<std::atomic<std::uint64_t>, roles_max> sent{};
    std::array<std::atomic<std::uint32_t>, roles_max> done{};

    std::array<role_result, roles_max> results;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

/// Waits until all roles were here `times` times. Throws if one failed meanwhile.
void meet(session& s, std::uint32_t times);

/// A session in a file without a name, whose descriptor children inherit.
class shared_session {
  public:
    shared_session();
    explicit shared_session(int descriptor);
    ~shared_session();
    shared_session(shared_session const&) = delete;
    shared_session& operator=(shared_session const&) = delete;

    session& operator*() const noexcept { return *session_; }
    session* operator->() const noexcept { return session_; }
    int descriptor() const noexcept { return descriptor_; }

  private:
    int descriptor_;
    session* session_ = nullptr;
};

} // namespace partywall::bench
