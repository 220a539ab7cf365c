// SPDX-License-Identifier: BSL-1.0
// Sends the numbers from 1 to 500. With the argument `crash` it dies half-way, as by `kill -9`.
//
//     07_restart_listener & 07_restart_feed crash; 07_restart_feed
#include <partywall/partywall.hpp>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <string_view>

using namespace std::chrono_literals;

int main(int argc, char** argv) try {
    bool const crash = argc == 2 && std::string_view(argv[1]) == "crash";
    auto me = partywall::join("feed").value();

    // A predecessor that was killed is no obstacle, whatever it was doing: what it left is taken
    // away by whoever notices first, and there is nothing to remove by hand.
    auto numbers =
        me.publisher<int>("numbers", {.overflow = partywall::overflow::block, .block_for = 10s})
            .value();
    numbers.wait_for_subscribers(1, 20s).value();
    for (int i = 1; i <= 500; ++i) {
        numbers.send(i).value();
        if (crash && i == 250) {
            std::raise(SIGKILL); // no destructor runs, nothing is flushed, nobody is told
        }
    }
    std::printf("sent 500 numbers\n");
    return 0;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "feed: %s\n", e.what());
    return 1;
}
