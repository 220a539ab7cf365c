// SPDX-License-Identifier: BSL-1.0
// Memory in place of memory that others share.
#pragma once

#include <partywall/export.hpp>

#include <cstddef>

namespace partywall::inline v0::os {

/// Puts zeros that belong to this process alone where `bytes` from `address` on were mapped, a page
/// boundary; pointers into it stay good. They cost memory only once they are written. False, with
/// errno, where the kernel has no room for another mapping: then nothing has changed.
PARTYWALL_API bool replace_by_private(void* address, std::size_t bytes) noexcept;

} // namespace partywall::inline v0::os
