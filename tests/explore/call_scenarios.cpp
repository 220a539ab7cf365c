// SPDX-License-Identifier: BSL-1.0
// Calls that are given up while their server begins with them, or dies: *no* is never said of what
// was, or will be, executed.
#include "scenarios.hpp"

#include <partywall/calls/taking.hpp>

namespace partywall::test::explore {
namespace {

using taking = detail::taking<explored_atomics>;

constexpr std::uint64_t calls = 2;
constexpr unsigned server = 0;

struct call_words {
    std::uint64_t taken;                     ///< of the lane
    std::array<std::uint32_t, calls> cancel; ///< of each request
    std::array<std::uint64_t, calls> executed;
    std::array<bool, calls> said_no;
};

/// The client's half of the pair, which is no part of the template: client_core::give_up().
void fence_of_the_client(machine& run, fence_pair pair) {
    if (pair == fence_pair::sleeper) {
        run.heavy_fence({"client_core.cpp", "give_up", 1});
    } else {
        explored_atomics::fence(std::memory_order_seq_cst, {"client_core.cpp", "give_up", 2});
    }
}

void serve(call_words& shared, fence_pair pair) {
    for (std::uint64_t i = 0; i < calls; ++i) {
        taking::begin(shared.taken, i, pair);
        if (!taking::is_given_up(shared.cancel[i])) {
            shared.executed[i] += 1;
        }
    }
}

void give_up(machine& run, call_words& shared, std::uint64_t call, fence_pair pair) {
    taking::give_up(shared.cancel[call]);
    fence_of_the_client(run, pair);
    if (!taking::is_reached(shared.taken, call)) {
        shared.said_no[call] = true;
    }
}

/// Both requests are in the lane. The client gives up the second one, or both.
scenario given_up(machine& run, call_words& shared, fence_pair pair, bool both, unsigned mortals) {
    shared = {};
    scenario s;
    s.threads = {[&shared, pair] { serve(shared, pair); },
                 [&run, &shared, pair, both] {
                     if (both) {
                         give_up(run, shared, 0, pair);
                     }
                     give_up(run, shared, 1, pair);
                 }};
    s.mortals = mortals;
    s.deaths_max = 1;
    s.ghost = [&shared] {
        std::uint64_t all = 0;
        for (std::uint64_t i = 0; i < calls; ++i) {
            all = all * 8 + shared.executed[i] * 2 + (shared.said_no[i] ? 1 : 0);
        }
        return all;
    };
    s.at_end = [&shared](bool) -> std::string {
        for (std::uint64_t i = 0; i < calls; ++i) {
            if (shared.executed[i] > 1) {
                return "executed twice";
            }
            if (shared.said_no[i] && shared.executed[i] != 0) {
                return "executed, and the answer was no";
            }
        }
        return "";
    };
    return s;
}

} // namespace

scenarios call_scenarios(bool large) {
    scenarios list;
    auto const add = [&](char const* name, fence_pair pair, unsigned mortals) {
        list.push_back(name_scenario<call_words>(
            name, [pair, mortals, large](machine& run, call_words& shared) {
                return given_up(run, shared, pair, large, mortals);
            }));
    };
    add("CallGivenUpLightAndHeavy", fence_pair::sleeper, 0);
    add("CallGivenUpFences", fence_pair::publisher, 0);
    add("CallGivenUpOfAServerThatDies", fence_pair::sleeper, 1U << server);
    add("CallGivenUpByAClientThatDies", fence_pair::publisher, 2);
    return list;
}

} // namespace partywall::test::explore
