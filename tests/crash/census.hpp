// SPDX-License-Identifier: BSL-1.0
// What is there: files, slots, descriptors, mappings. One line for each thing, so that two can be
// compared and the difference read.
#pragma once

#include "survivor.hpp"

#include <oneway/support.hpp>
#include <registry/support.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace partywall::test {

/// Sees everything in a domain. Maps the registry once: mapping it anew for each look would be most
/// of what a round costs.
class observer {
  public:
    explicit observer(participant& me)
        : me_(&me), registry_(std::make_unique<registry_bytes>(me.core()->dir())) {}

    registry_layout const& registry() const { return **registry_; }
    participant& me() const { return *me_; }
    /// Receivers and servers that are not proven dead.
    std::vector<entry_info> receivers() const;
    /// Every owner word of the registry, of the rings of living publishers and of the inboxes of
    /// living receivers, by place: "registry+0x180".
    std::map<std::string, owner> owner_words() const;

  private:
    participant* me_;
    std::unique_ptr<registry_bytes> registry_;
};

std::string place_of(std::string const& segment, std::uint64_t offset);

class census {
  public:
    /// Tickets of survivors are replaced by their names, so that domains can be compared.
    census(scratch_root const& root, observer const& seen,
           std::map<std::uint64_t, std::string> const& names);
    void add(std::string line) { lines_.push_back(std::move(line)); }

    friend bool operator==(census const& a, census const& b) { return a.lines_ == b.lines_; }
    /// What only one of them has.
    static std::string difference(census const& before, census const& after);

  private:
    std::vector<std::string> lines_;
};

/// Words whose sequence went back, which it never does; empty if none did.
std::string went_back(std::map<std::string, owner> const& before,
                      std::map<std::string, owner> const& after);

} // namespace partywall::test
