// SPDX-License-Identifier: BSL-1.0
// Choices that endpoints of several styles offer.
#pragma once

#include <cstdint>

namespace partywall::inline v0 {

/// What a publisher does when a lossless subscriber still needs the cell that comes next. One
/// policy per topic: while a topic has a live publisher or a lossless subscription, whoever comes
/// with another one is refused (endpoint_errc::option_mismatch).
enum class overflow : std::uint32_t {
    drop_oldest = 1, ///< overwrite; every subscriber learns how many messages it missed
    block = 2,       ///< wait up to `block_for`, then `timed_out`, and nothing was sent
    reject = 3,      ///< `full` at once, and nothing was sent
};

/// Whether a publisher wakes sleeping subscribers.
enum class wake : std::uint32_t {
    sleepers = 1, ///< whoever sleeps is woken; costs one load per message while nobody does
    never = 2,    ///< subscribers spin, poll, or find data at their next slice (1 ms)
};

/// Who pays for the store-load order between publishing and going to sleep.
enum class fencing : std::uint32_t {
    automatic = 0, ///< the sleeper, if this process could register for membarrier
    publisher = 1, ///< a fence instruction per message; sleepers never interrupt this process
};

} // namespace partywall::inline v0
