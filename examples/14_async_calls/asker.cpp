// SPDX-License-Identifier: BSL-1.0
// Has hundreds of calls under way at a time, in one thread. See worker.cpp.
#include "square.hpp"

#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>
#include <vector>

using namespace std::chrono_literals;

int main() try {
    auto me = partywall::join("asker").value();
    auto square =
        me.client<number, number>("square", {.deadline = 20s, .calls_max = numbers}).value();
    square.wait_for_server(20s).value();

    // Ask for all of them, and for the results later, in whatever order.
    std::vector<partywall::pending_call<number>> asked;
    for (number n = 0; n < numbers; ++n) {
        asked.push_back(square.call_async(n));
    }
    number right = 0;
    for (number n = numbers; n-- > 0;) {
        right += *asked[n].get().value() == n * n ? 1 : 0;
    }
    std::printf("%llu replies fetched\n", static_cast<unsigned long long>(right));

    // Or say what is to be done with each. That happens inside poll(), in this thread.
    number done = 0;
    for (number n = 0; n < numbers; ++n) {
        bool const begun = square.call_async(n).then([&, n](partywall::call_outcome<number> r) {
            done += 1;
            right += r && **r == n * n ? 1 : 0;
        });
        if (!begun) {
            return 1; // out of memory
        }
    }
    while (done < numbers) {
        square.poll(1s).value();
    }
    std::printf("%llu replies delivered\n", static_cast<unsigned long long>(done));
    return right == 2 * numbers ? 0 : 1;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "asker: %s\n", e.what());
    return 1;
}
