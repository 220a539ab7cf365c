// SPDX-License-Identifier: BSL-1.0
// From options to a mapped registry.
#pragma once

#include <partywall/registry/join_errc.hpp>
#include <partywall/registry/join_options.hpp>
#include <partywall/registry/registry_layout.hpp>
#include <partywall/result.hpp>
#include <partywall/segment/segment.hpp>

#include <cstdint>
#include <string>

namespace partywall::inline v0::detail {

using join_failure = failure<join_errc>;

/// The error of a join for the error of a segment.
join_failure join_failure_of(segment_failure const& cause);

struct domain_place {
    std::string domain;
    directory where;
};
/// Resolves defaults and environment, checks the domain's name, opens its directory; with
/// `create`, makes it.
result<domain_place, join_failure> open_domain(join_options const& options, bool create);

/// Attaches the registry. A domain without one is `not_found`.
result<mapping, join_failure> attach_registry(directory const& where, access how);

/// Attaches the registry or creates it. Of any number of processes that start at once one creates
/// it and all others attach that one. `not_found`: the directory is gone; open it again.
result<mapping, join_failure> attach_or_create_registry(directory const& where);

/// Space that is missing for a moment only: while many processes start at once, each may hold a
/// registry that it is about to throw away. Calls wait() until it says that it was long enough.
class space_patience {
  public:
    /// Sleeps a little longer each time; false when there is no point in going on (256 ms in all).
    bool wait() noexcept;

  private:
    unsigned waits_ = 0;
};

inline registry_layout& registry_in(mapping const& map) noexcept {
    return *reinterpret_cast<registry_layout*>(map.data());
}

} // namespace partywall::inline v0::detail
