// SPDX-License-Identifier: BSL-1.0
// Every memory order earns its place: weakened, dropped, split or moved, one at a time, it must
// break a scenario. What is found stands in docs/memory_orders.md, line by line; there the orders
// that no scenario needs have their reasons.
#include "orders.hpp"

#include "support/watchdog.hpp"

#include <gtest/gtest.h>

#include <iostream>

namespace partywall::test::explore {
namespace {

TEST(Try, Prints) {
    watchdog::extend(std::chrono::minutes(20));
    auto const all = all_scenarios(false);
    for (auto const& file : files_of(cover(all))) {
        for (finding const& f : weaken_everything(all, file)) {
            std::cout << "| `" << f.file << "` | " << f.place << " | " << f.changed << " | "
                      << f.fails << " |" << std::endl;
        }
    }
}

} // namespace
} // namespace partywall::test::explore
