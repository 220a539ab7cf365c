// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/registry/entry_info.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace partywall::inline v0 {

/// One process of the domain.
struct participant_info {
    std::uint32_t index = 0;
    std::uint64_t ticket = 0;
    /// In the process's own PID namespace. For people: nothing in partywall is decided by it.
    std::uint32_t pid = 0;
    std::uint64_t start_time_ns = 0; ///< when it joined: CLOCK_REALTIME, for people
    std::string name;
    /// False only with proof. A process that was just killed may read as alive until the kernel
    /// has torn down its memory.
    bool alive = true;
};

/// Everything that the registry holds, read at one `sequence`: whoever sees the same sequence
/// later has missed nothing, except what is still being written.
struct domain_snapshot {
    std::uint32_t sequence = 0;
    std::vector<participant_info> participants;
    std::vector<entry_info> entries; ///< of the dead too, as long as they are not recovered
};

} // namespace partywall::inline v0
