// SPDX-License-Identifier: BSL-1.0
#include "job.hpp"

#include <array>

namespace partywall::bench {
namespace {
constexpr std::array<std::string_view, figure_count> figures{
    "round_trip", "one_way",       "throughput",    "throughput_batch", "publish_cost",
    "fan_out",    "fan_in",        "call",          "large_round_trip", "large_round_trip_touched",
    "wake_up",    "breaker_admit", "breaker_reject"};
constexpr std::array<std::string_view, wait_count> waits{"spin", "spin_then_park", "park", "fd"};
} // namespace

std::string_view to_string(figure f) noexcept { return figures[static_cast<std::size_t>(f)]; }
std::string_view to_string(wait w) noexcept { return waits[static_cast<std::size_t>(w)]; }

std::optional<figure> figure_of(std::string_view name) noexcept {
    for (std::size_t i = 0; i < figures.size(); ++i) {
        if (figures[i] == name) {
            return static_cast<figure>(i);
        }
    }
    return std::nullopt;
}

} // namespace partywall::bench
