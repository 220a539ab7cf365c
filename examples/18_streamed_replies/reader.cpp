// SPDX-License-Identifier: BSL-1.0
// Reads a stream of replies to its end, and another one only as far as it likes. See sieve.cpp.
#include "primes.hpp"

#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;

int main() try {
    auto me = partywall::join("reader").value();
    auto primes = me.client<range, prime>(service, {.deadline = 30s}).value();
    primes.wait_for_server(20s).value();

    std::uint64_t count = 0;
    std::uint64_t last = 0;
    auto all = primes.stream({.from = 0, .below = 10'000}, {.window = 32});
    while (auto const next = all.next()) { // each where the server wrote it
        count += 1;
        last = **next;
    }
    if (all.error() != partywall::call_errc::end_of_stream) { // not all of them came
        std::fprintf(stderr, "reader: %s\n", to_string(all.error().reason).data());
        return 1;
    }
    std::printf("%llu primes, the last is %llu\n", static_cast<unsigned long long>(count),
                static_cast<unsigned long long>(last));

    // There are too many of these. Whoever lets go of a stream has said that nobody reads on.
    auto some = primes.stream({.from = 1'000'000, .below = ~std::uint64_t{0}});
    auto const first = some.next().value();
    std::printf("the next is %llu\n", static_cast<unsigned long long>(*first));
    return count == 1229 && last == 9973 && *first == 1'000'003 ? 0 : 1;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "reader: %s\n", e.what());
    return 1;
}
