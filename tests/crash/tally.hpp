// SPDX-License-Identifier: BSL-1.0
// What was done, and the line about it at the end. "0 violations" means nothing without the number
// of kills.
#pragma once

#include <cstdint>
#include <string>

namespace partywall::test {

struct tally {
    std::uint64_t stores = 0;       ///< points of the operation: stores,
    std::uint64_t system_calls = 0; ///< and system calls
    std::uint64_t rounds = 0;       ///< points at which a victim was started to die, or to stop
    std::uint64_t kills = 0;
    std::uint64_t freezes = 0;
    std::uint64_t checks = 0;
    std::uint64_t violations = 0;

    /// Prints and records it, and adds it to the sum that is printed when the program ends.
    void report(std::string const& what) const;
};

} // namespace partywall::test
