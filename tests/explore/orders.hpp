// SPDX-License-Identifier: BSL-1.0
// Every memory order, one at a time: where it stands, what it can be weakened to, and the scenario
// that fails without it.
#pragma once

#include "scenarios.hpp"

#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace partywall::test::explore {

/// An access as it stands in the source, of whichever threads and words.
struct order_site {
    std::string file;     ///< without folders
    std::string function; ///< without template arguments
    unsigned line = 0;
    access_kind kind = access_kind::load;
    std::memory_order order = std::memory_order_relaxed;

    auto key() const { return std::tie(file, function, line, kind, order); }
    friend bool operator<(order_site const& a, order_site const& b) { return a.key() < b.key(); }
    bool is_at(access const& a) const;
};

/// Something done to every access of one site.
struct change {
    enum kind { weaker, dropped, not_atomic, later } what = weaker;
    std::memory_order to = std::memory_order_relaxed;
};

/// Everything that can be done to an access of this kind.
std::vector<change> changes_of(order_site const& where);
machine::mutation mutation_of(order_site const& where, change const& what);

/// Which sites of the library a scenario comes by.
using coverage = std::map<order_site, std::vector<std::string>>; // site -> names of scenarios
coverage cover(scenarios const& all);

/// One line of the table.
struct finding {
    std::string file;
    std::string place;   ///< function and access, numbered where a function has several
    std::string changed; ///< to what
    std::string fails;   ///< "scenario: what broke"; empty: nothing did
};
/// Every change at every site, in the order of the source.
std::vector<finding> weaken_everything(scenarios const& all, std::string const& file);
/// The files that have sites.
std::vector<std::string> files_of(coverage const& covered);

} // namespace partywall::test::explore
