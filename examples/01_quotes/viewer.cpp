// SPDX-License-Identifier: BSL-1.0
// The subscriber of the pair: prints the quotes until their publisher closes.
#include "quote.hpp"

#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;

int main() try {
    auto me = partywall::join("viewer").value();

    // The order of starting does not matter: publishers that come later are found by themselves.
    // By default a subscriber just goes on with the next publisher when one has closed; this one
    // wants to be told, so that it knows when to end.
    auto quotes = me.subscriber<quote>("market/eurusd", {.report_close = true}).value();

    // receive() waits: for a message, for an event like "closed", or until the time is over. What
    // it returns is either a message (then it is true) or says why there is none.
    int last = 0;
    auto q = quotes.receive(10s);
    for (; q; q = quotes.receive(10s)) {
        std::printf("%2d: bid %.3f, ask %.3f\n", q->number, q->bid, q->ask);
        last = q->number;
    }
    bool const closed = q.error() == partywall::receive_errc::publisher_closed;
    std::printf("the publisher %s\n", closed ? "closed" : "did not come, or fell silent");

    // Slow subscribers lose messages (02_lossless_log shows those that don't), but never silently.
    std::printf("received %llu, missed %llu\n", static_cast<unsigned long long>(quotes.received()),
                static_cast<unsigned long long>(quotes.missed()));
    return closed && last == 10 && quotes.received() + quotes.missed() == 10 ? 0 : 1;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "viewer: %s\n", e.what());
    return 1;
}
