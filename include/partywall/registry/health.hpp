// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <string_view>

namespace partywall::inline v0 {

/// What an endpoint says about itself. Separate from life, which nobody needs to say: a process
/// that was killed while `ready` still reads as `ready`, and is dead.
enum class health : std::uint32_t {
    starting = 1, ///< visible, not yet in service
    ready = 2,    ///< in service
    draining = 3, ///< finishes what it has, takes nothing new
    closed = 4,   ///< closed in good order; what it left to be read is still there
};

constexpr std::string_view to_string(health h) noexcept {
    switch (h) {
    case health::starting: return "starting";
    case health::ready: return "ready";
    case health::draining: return "draining";
    case health::closed: return "closed";
    }
    return "unknown";
}

} // namespace partywall::inline v0
