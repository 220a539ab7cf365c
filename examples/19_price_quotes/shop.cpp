// SPDX-License-Identifier: BSL-1.0
// Asks three vendors at once, takes the better of the first two quotes, and waits for nobody else. See
// vendor.cpp.
#include "quote.hpp"

#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;
using partywall::respondent_status;
using partywall::survey_ending;

int main() try {
    auto me = partywall::join("shop").value();
    auto quotes = me.surveyor<pair, quote>("quotes").value();
    quotes.wait_for_respondents(3, 20s).value(); // they may be started after us

    // Two quotes are enough, and 5 ms are all the time there is. On a machine that has other things
    // to do that may be too little: then we ask again.
    double best = 0;
    bool enough = false;
    auto const evening = std::chrono::steady_clock::now() + 30s;
    while (!enough && std::chrono::steady_clock::now() < evening) {
        auto survey = quotes.ask({"EURUSD"}, {.deadline = 5ms, .at_least = 2}).value();
        for (auto const& answer : survey) { // as they come
            std::printf("vendor %llu: %.4f\n", static_cast<unsigned long long>(answer.ticket()),
                        answer->ask);
            best = best == 0 || answer->ask < best ? answer->ask : best;
        }
        enough = survey.ending() == survey_ending::enough;
        for (auto const& one : survey.statuses()) {
            if (one.status == respondent_status::silent) {
                std::printf("not waited for: vendor %llu\n",
                            static_cast<unsigned long long>(one.ticket));
            }
        }
    }
    std::printf("we buy at %.4f\n", best);

    // Nobody trades these. All three say so, which is known as soon as the last one has.
    auto survey = quotes.ask({"XAUXAG"}, {.deadline = 20s}).value();
    auto const result = survey.result();
    std::printf("%u of %u declined\n", result.declined, result.expected);
    return enough && result.answered == 0 && result.declined == 3 ? 0 : 1;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "shop: %s\n", e.what());
    return 1;
}
