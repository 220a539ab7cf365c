// SPDX-License-Identifier: BSL-1.0
// An endpoint with a label on it: metadata that everybody in the domain can see.
//
//     06_registry_watch_watcher & 06_registry_watch_service
#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;

int main() try {
    auto me = partywall::join("price service").value();

    // Metadata are small pairs of text for whoever looks the topic up: units, versions, places.
    partywall::publisher_options options;
    options.metadata = {{"unit", "EUR"}, {"tables", "loading"}};
    auto prices = me.publisher<double>("service/prices", options).value();

    // They may change at any time, always as a whole.
    prices.set_metadata({{"unit", "EUR"}, {"tables", "loaded"}}).value();

    // The watcher subscribes when it has seen that; then this service has served its purpose.
    prices.wait_for_subscribers(1, 20s).value();
    std::printf("somebody has come; the service ends\n");
    return 0;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "service: %s\n", e.what());
    return 1;
}
