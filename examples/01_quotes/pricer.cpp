// SPDX-License-Identifier: BSL-1.0
// The publisher of the pair: sends ten quotes to whoever is there.
//
//     01_quotes_viewer & 01_quotes_pricer
#include "quote.hpp"

#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;

int main() try {
    // A process joins once. The name is for people who look at what is going on.
    auto me = partywall::join("pricer").value();

    // Topics have names with slashes, and one type of message. Nobody has to exist beforehand.
    auto quotes = me.publisher<quote>("market/eurusd").value();

    // A publisher may send to nobody. This one has something to show and waits for a subscriber.
    quotes.wait_for_subscribers(1, 10s).value();

    for (int i = 1; i <= 10; ++i) {
        // Every call returns a value or the reason why there is none; `.value()` throws the reason.
        quotes.send({.number = i, .bid = 1.07 + i * 0.001, .ask = 1.08 + i * 0.001}).value();
    }
    std::printf("sent 10 quotes\n");
    return 0; // Closes the publisher: subscribers read what is there, and then learn that it closed.
} catch (partywall::error const& e) {
    std::fprintf(stderr, "pricer: %s\n", e.what());
    return 1;
}
