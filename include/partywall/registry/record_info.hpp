// SPDX-License-Identifier: BSL-1.0
// Shared records, as they were read.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace partywall::inline v0 {

/// Kinds of shared records. Values are part of the registry's layout.
enum class record_kind : std::uint32_t {
    circuit_breaker = 1,
};

/// What several participants use together under one name.
struct record_info {
    record_kind kind = record_kind::circuit_breaker;
    std::string name;
    std::uint64_t fingerprint = 0; ///< of the layout of its words
    /// Tickets of those who use it, those of the dead included until they are recovered.
    std::vector<std::uint64_t> users;
    std::array<std::uint64_t, 128> words{};
};

} // namespace partywall::inline v0
