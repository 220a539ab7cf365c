// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstdint>

namespace partywall::inline v0::detail {

/// Changes when a sample is given back by another thread than its subscriber's. One word for the
/// whole process: unlike a word of the subscriber's it outlives every subscriber. All that sleep
/// in this process wake and look, which is rare and cheap.
std::atomic<std::uint32_t>& kicks() noexcept;
void kick_sleepers() noexcept;

} // namespace partywall::inline v0::detail
