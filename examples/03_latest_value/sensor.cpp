// SPDX-License-Identifier: BSL-1.0
// Publishes a temperature again and again; who reads it needs only the newest.
//
//     03_latest_value_sensor & 03_latest_value_panel
#include "reading.hpp"

#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>
#include <thread>

using namespace std::chrono_literals;

int main() try {
    auto me = partywall::join("sensor").value();

    // Nothing special on this side: a publisher like any other. Four messages are plenty where
    // only the newest counts.
    auto readings = me.publisher<reading>("room/temperature", {.depth = 4}).value();

    for (int i = 1; i <= 1000; ++i) { // while nobody is there
        readings.send({.number = i, .degrees = 20 + i * 0.001}).value();
    }
    readings.wait_for_subscribers(1, 10s).value();
    for (int i = 1001; i <= last_reading; ++i) {
        readings.send({.number = i, .degrees = 20 + i * 0.001}).value();
        std::this_thread::sleep_for(100us);
    }
    return 0;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "sensor: %s\n", e.what());
    return 1;
}
