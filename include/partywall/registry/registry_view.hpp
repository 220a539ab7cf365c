// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/export.hpp>
#include <partywall/registry/domain_snapshot.hpp>
#include <partywall/registry/join_errc.hpp>
#include <partywall/registry/join_options.hpp>
#include <partywall/registry/record_info.hpp>
#include <partywall/result.hpp>
#include <partywall/segment/segment.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace partywall::inline v0 {

/// Looks at a domain without joining it: nothing is created, nothing is written, nobody notices.
///
/// Use when     a tool lists what is there, also in a domain where everybody is dead.
/// Not when     something must be recovered or waited for: join.
/// Callers      one thread at a time.
/// Progress     bounded by the size of the registry.
/// Peer dies    it reads as not alive; what it left is listed until somebody recovers it.
/// Errors       bad_domain · bad_root · permission · incompatible · not_found · system
class PARTYWALL_API registry_view {
  public:
    static result<registry_view, failure<join_errc>> open(join_options const& options);
    registry_view(registry_view&&) noexcept;
    registry_view& operator=(registry_view&&) noexcept;
    ~registry_view();

    /// May throw std::bad_alloc.
    domain_snapshot snapshot() const;
    /// What participants share by name. May throw std::bad_alloc.
    std::vector<record_info> records() const;
    /// Proof, as for a participant: only for tickets that came out of a snapshot or a file name.
    bool proven_dead(std::uint64_t ticket) const noexcept;
    bool domain_gone() const noexcept;

    std::string const& domain() const noexcept;
    directory const& dir() const noexcept;

  private:
    struct state;
    explicit registry_view(std::unique_ptr<state> s) noexcept;
    std::unique_ptr<state> state_;
};

} // namespace partywall::inline v0
