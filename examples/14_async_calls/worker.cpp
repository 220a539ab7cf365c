// SPDX-License-Identifier: BSL-1.0
// Squares numbers for others.
//
//     14_async_calls_worker & 14_async_calls_asker
#include "square.hpp"

#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;

int main() try {
    auto me = partywall::join("worker").value();
    // Requests wait in memory of ours: a lane for each client, as deep as we say.
    auto square =
        me.server<number, number>("square", [](number n) { return n * n; }, {.depth = numbers})
            .value();
    auto const evening = std::chrono::steady_clock::now() + 30s;
    while (square.executed() < 2 * numbers && std::chrono::steady_clock::now() < evening) {
        square.run_for(10ms);
    }
    return square.executed() == 2 * numbers ? 0 : 1;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "worker: %s\n", e.what());
    return 1;
}
