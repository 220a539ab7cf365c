// SPDX-License-Identifier: BSL-1.0
// What is explored, by name: each of the library's structures in use, and what must hold. The same
// list is proven as it is (scenarios.test.cpp) and with every order weakened (orders.test.cpp).
#pragma once

#include "machine.hpp"

#include <memory>
#include <ostream>
#include <string>
#include <vector>

namespace partywall::test::explore {

/// How a scenario is run.
struct way {
    machine::mutation mutate;
    bounds limits;
    std::uint64_t random = 0; ///< so many random executions instead of all
    std::uint64_t seed = 0;
};

struct named_scenario {
    std::string name;
    std::function<outcome(way const&)> run;
    friend void PrintTo(named_scenario const& self, std::ostream* out) { *out << self.name; }
};

/// `make` gets a machine and a Memory, whose words it sets to their first values.
template <class Memory, class Make>
named_scenario name_scenario(std::string name, Make make) {
    return {std::move(name), [make](way const& how) {
                machine run;
                auto const shared = std::make_unique<Memory>();
                auto const again = [&] { return make(run, *shared); };
                return how.random == 0
                           ? run.explore(again, how.mutate, how.limits)
                           : run.sample(again, how.seed, how.random, how.mutate, how.limits);
            }};
}

using scenarios = std::vector<named_scenario>;

// `large`: with the bounds of a long test run.
scenarios ring_scenarios(bool large);
scenarios gate_scenarios(bool large);
scenarios bell_scenarios(bool large);
scenarios lane_scenarios(bool large);
scenarios slot_scenarios(bool large);
scenarios pool_scenarios(bool large);
scenarios call_scenarios(bool large);
scenarios all_scenarios(bool large);

} // namespace partywall::test::explore
