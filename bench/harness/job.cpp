// SPDX-License-Identifier: BSL-1.0
#include "job.hpp"

#include <array>

namespace partywall::bench {
namespace {
constexpr std::array<std::string_view, figure_count + 1> figures{
    "round_trip",       "one_way",
    "throughput",       "throughput_batch",
    "publish_cost",     "fan_out",
    "fan_in",           "call",
    "large_round_trip", "large_round_trip_touched",
    "wake_up",          "breaker_admit",
    "breaker_reject",   "limit"};
constexpr std::array<std::string_view, wait_count> waits{"spin", "spin_then_park", "park", "fd"};
} // namespace

std::string_view to_string(figure f) noexcept { return figures[static_cast<std::size_t>(f)]; }
std::string_view to_string(wait w) noexcept { return waits[static_cast<std::size_t>(w)]; }

namespace {
template <class Enum, std::size_t Size>
std::optional<Enum> find(std::array<std::string_view, Size> const& names,
                         std::string_view name) noexcept {
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (names[i] == name) {
            return static_cast<Enum>(i);
        }
    }
    return std::nullopt;
}
} // namespace

std::optional<figure> figure_of(std::string_view name) noexcept {
    return find<figure>(figures, name);
}
std::optional<wait> wait_of(std::string_view name) noexcept { return find<wait>(waits, name); }

} // namespace partywall::bench
