// SPDX-License-Identifier: BSL-1.0
// Publishes 100 headlines while nobody listens, and stays until somebody has come.
//
//     04_history_station & sleep 1; 04_history_latecomer
#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>
#include <string>

using namespace std::chrono_literals;

int main() try {
    auto me = partywall::join("station").value();

    // What a ring holds is the topic's history: here the last 64 headlines.
    auto news = me.publisher<partywall::bytes>("news", {.depth = 64}).value();
    for (int i = 1; i <= 100; ++i) {
        news.send("headline " + std::to_string(i)).value();
    }
    std::printf("100 headlines are out\n");
    std::fflush(stdout);

    // History leaves together with its publisher.
    news.wait_for_subscribers(1, 20s).value();
    return 0;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "station: %s\n", e.what());
    return 1;
}
