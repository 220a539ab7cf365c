// SPDX-License-Identifier: BSL-1.0
// The version of partywall. CMake reads it from here, so this is the one place to change it.
// Which processes can talk to each other is decided by neither number below but by the layout
// version and fingerprint of each segment (docs/decisions, CHANGELOG "Layout").
#pragma once

#include <partywall/export.hpp>

#include <cstdint>

#define PARTYWALL_VERSION_MAJOR 0
#define PARTYWALL_VERSION_MINOR 1
#define PARTYWALL_VERSION_PATCH 0
/// One number to compare in `#if`: major * 10000 + minor * 100 + patch.
#define PARTYWALL_VERSION                                                                          \
    (PARTYWALL_VERSION_MAJOR * 10000 + PARTYWALL_VERSION_MINOR * 100 + PARTYWALL_VERSION_PATCH)

namespace partywall::inline v0 {

/// The PARTYWALL_VERSION that the linked library was built with. A program that loads the shared
/// library compares it with its own PARTYWALL_VERSION to see whether headers and library agree.
PARTYWALL_API std::uint32_t linked_version() noexcept;

} // namespace partywall::inline v0
