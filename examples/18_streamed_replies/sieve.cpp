// SPDX-License-Identifier: BSL-1.0
// Answers one request with any number of replies: the primes of a range, one by one.
//
//     18_streamed_replies_sieve & 18_streamed_replies_reader
#include "primes.hpp"

#include <partywall/partywall.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;

static bool is_prime(std::uint64_t n) {
    for (std::uint64_t d = 2; d * d <= n; ++d) {
        if (n % d == 0) {
            return false;
        }
    }
    return n > 1;
}

int main() try {
    auto me = partywall::join("sieve").value();
    std::atomic<int> finished{0};
    std::atomic<int> abandoned{0};

    // In a thread of its own (workers), so that it can wait for its reader: no more than a window of
    // replies is ever under way. What send() says is how it learns that nobody reads on.
    auto const stream = [&](range const& asked, partywall::stream_writer<prime> out,
                            partywall::call_context&) {
        for (std::uint64_t n = asked.from; n < asked.below; ++n) {
            if (is_prime(n) && !out.send(n, 10s)) {
                abandoned += 1;
                return;
            }
        }
        out.finish();
        finished += 1;
    };
    auto primes = me.server<range, prime>(service, stream, {.workers = 2}).value();
    auto const evening = std::chrono::steady_clock::now() + 30s;
    while (finished + abandoned < 2 && std::chrono::steady_clock::now() < evening) {
        primes.run_for(10ms);
    }
    std::printf("%d finished, %d abandoned\n", finished.load(), abandoned.load());
    return primes.shutdown(20s) && finished == 1 && abandoned == 1 ? 0 : 1;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "sieve: %s\n", e.what());
    return 1;
}
