// SPDX-License-Identifier: BSL-1.0
// Shows the newest temperature, twenty times a second at most.
#include "reading.hpp"

#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>
#include <thread>

using namespace std::chrono_literals;

int main() try {
    auto me = partywall::join("panel").value();

    // Reads the same rings as a subscriber, but always at their end. It misses nothing, because it
    // wants nothing but the newest; and who comes late has the current value at once.
    auto temperature = me.latest<reading>("room/temperature").value();

    int shown = 0;
    int number = 0;
    while (number < last_reading) {
        // wait() returns a value that no call before returned. (get() returns the newest at once,
        // the same one again if nothing has changed.)
        auto now = temperature.wait(10s);
        if (!now) {
            std::fprintf(stderr, "no reading: %s\n", to_string(now.error()).data());
            return 1;
        }
        if (now->number <= number) {
            std::fprintf(stderr, "reading %d came after %d\n", now->number, number);
            return 1;
        }
        number = now->number;
        shown += 1;
        std::printf("reading %4d: %.3f degrees\n", now->number, now->degrees);
        std::this_thread::sleep_for(50ms);
    }

    // The value outlives its publisher.
    auto const last = temperature.get();
    std::printf("%d of %d readings were shown\n", shown, last_reading);
    return last && last->number == last_reading && shown < last_reading ? 0 : 1;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "panel: %s\n", e.what());
    return 1;
}
