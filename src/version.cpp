// SPDX-License-Identifier: BSL-1.0
#include <partywall/version.hpp>

namespace partywall::inline v0 {

std::uint32_t linked_version() noexcept { return PARTYWALL_VERSION; }

} // namespace partywall::inline v0
