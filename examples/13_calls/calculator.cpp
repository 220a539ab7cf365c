// SPDX-License-Identifier: BSL-1.0
// Divides for others: a server.
//
//     13_calls_calculator & 13_calls_shop
#include "operands.hpp"

#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;
using partywall::call_failure;

int main() try {
    auto me = partywall::join("calculator").value();

    // A handler that never fails just returns the result. This one may refuse.
    auto divide = me.server<operands, double>(
                        "calc/divide",
                        [](operands const& o) -> partywall::result<double, call_failure> {
                            if (o.b == 0) {
                                return call_failure(division_by_zero, "divided by zero");
                            }
                            return o.a / o.b;
                        })
                      .value();

    // run() would do this until stop(), which signal handlers may call. We go home earlier.
    auto const evening = std::chrono::steady_clock::now() + 30s;
    while (divide.executed() < questions && std::chrono::steady_clock::now() < evening) {
        divide.run_for(10ms);
    }
    std::printf("answered %llu questions\n", static_cast<unsigned long long>(divide.executed()));
    return divide.executed() == questions ? 0 : 1;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "calculator: %s\n", e.what());
    return 1;
}
