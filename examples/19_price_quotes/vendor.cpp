// SPDX-License-Identifier: BSL-1.0
// One of several vendors that quote the same prices, until it is told to stop.
//
//     19_price_quotes_vendor 1.0801 & 19_price_quotes_vendor 1.0803 &
//     19_price_quotes_vendor 1.0799 slow & 19_price_quotes_shop; kill %1 %2 %3
#include "quote.hpp"

#include <partywall/partywall.hpp>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <thread>

using namespace std::chrono_literals;

static partywall::respondent<pair, quote>* responding = nullptr;

int main(int argc, char** argv) try {
    if (argc < 2) {
        std::fprintf(stderr, "usage: vendor PRICE [slow]\n");
        return 2;
    }
    double const price = std::strtod(argv[1], nullptr);
    bool const slow = argc > 2;
    auto me = partywall::join(slow ? "slow vendor" : "vendor").value();

    // Who returns nothing has nothing to say to this question, and is not waited for.
    auto quotes =
        me.respondent<pair, quote>("quotes", [=](pair const& what) -> std::optional<quote> {
              if (std::strcmp(what.name, "EURUSD") != 0) {
                  return std::nullopt;
              }
              if (slow) {
                  std::this_thread::sleep_for(1s); // asks somebody else first
              }
              return quote{.bid = price - 0.0001, .ask = price};
          }).value();

    responding = &quotes;
    std::signal(SIGTERM, [](int) { responding->stop(); });
    std::printf("quoting\n");
    std::fflush(stdout);
    quotes.run();
    std::signal(SIGTERM, SIG_DFL); // before the handle goes
    return 0;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "vendor: %s\n", e.what());
    return 1;
}
