// SPDX-License-Identifier: BSL-1.0
// How long tests run. Quick counts by default; PARTYWALL_TEST_FULL=1 asks for the long ones.
// PARTYWALL_TEST_TIMEOUT_SCALE (a positive number, default 1) stretches every limit on waiting,
// for sanitizers, emulators and crowded machines.
#pragma once

#include <chrono>
#include <cstdint>

namespace partywall::test {

/// True when the long counts were asked for.
bool full_counts();

/// `quick`, or `full` when the long counts were asked for.
inline std::uint64_t count(std::uint64_t quick, std::uint64_t full) {
    return full_counts() ? full : quick;
}

/// True under a sanitizer that keeps memory which was freed: then memory is no measure.
bool sanitized() noexcept;

/// Where random choices begin: PARTYWALL_TEST_SEED if that is set, a new one for each run with full
/// counts, and always the same with quick ones, so that a change is judged by its own merits.
std::uint32_t run_seed();

/// `limit` stretched by PARTYWALL_TEST_TIMEOUT_SCALE. For limits that only a broken test
/// reaches: no test may assert that something took less than a time.
std::chrono::milliseconds scaled(std::chrono::milliseconds limit);

} // namespace partywall::test
