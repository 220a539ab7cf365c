// SPDX-License-Identifier: BSL-1.0
// What is measured.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace partywall::bench {

enum class figure : std::uint32_t {
    round_trip,
    one_way,
    throughput,
    throughput_batch,
    publish_cost,
    fan_out,
    fan_in,
    call,
    large_round_trip,
    large_round_trip_touched,
    wake_up,
    breaker_admit,
    breaker_reject,
    limit, ///< rows of the machine that belong to no other figure; nobody asks for it
};
inline constexpr std::size_t figure_count = 13; ///< that can be asked for

/// How receivers wait, and senders for room.
enum class wait : std::uint32_t { spin, spin_then_park, park, fd };
inline constexpr std::size_t wait_count = 4;

std::string_view to_string(figure f) noexcept;
std::string_view to_string(wait w) noexcept;
std::optional<figure> figure_of(std::string_view name) noexcept;
std::optional<wait> wait_of(std::string_view name) noexcept;

/// Whether more is better.
constexpr bool is_rate(figure f) noexcept {
    return f == figure::throughput || f == figure::throughput_batch || f == figure::fan_out ||
           f == figure::fan_in;
}
constexpr bool is_round_trip(figure f) noexcept {
    return f == figure::round_trip || f == figure::call || f == figure::large_round_trip ||
           f == figure::large_round_trip_touched;
}
/// What one process does alone.
constexpr bool is_breaker_figure(figure f) noexcept {
    return f == figure::breaker_admit || f == figure::breaker_reject;
}

/// One thing to be measured, for any subject. Lies in memory that processes share.
struct job {
    bench::figure figure = figure::round_trip;
    bench::wait wait = wait::spin;
    std::uint64_t bytes = 64;
    std::uint32_t writers = 1;
    std::uint32_t readers = 1; ///< publish_cost: those that are attached and do not read
    std::uint32_t lossy = 0;   ///< readers may be overtaken
    /// one_way and wake_up: messages are due so many nanoseconds apart, whatever became of those
    /// before.
    std::uint64_t interval_ns = 0;
    std::uint64_t duration_ns = 100'000'000;

    bool large() const noexcept { return bytes > 1024; }
    bool ends_only() const noexcept { return figure == bench::figure::large_round_trip; }
};

} // namespace partywall::bench
