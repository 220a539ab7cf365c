// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/segment/segment.hpp>

#include <string>

namespace partywall::inline v0 {

/// Which domain. The defaults are what a user of one machine wants.
struct join_options {
    /// Empty: $PARTYWALL_DOMAIN, or "default".
    std::string domain = {};
    /// Directory of all domains. Empty: $PARTYWALL_ROOT, or /dev/shm/partywall-<effective uid>.
    std::string root = {};
    /// owner_only: directories 0700, files 0600. group: 02770 and 0660, with a root of its own.
    sharing share = sharing::owner_only;
};

} // namespace partywall::inline v0
