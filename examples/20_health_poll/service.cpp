// SPDX-License-Identifier: BSL-1.0
// A service that says how it is, from the very thread that works: who does not answer, does not work.
//
//     20_health_poll_service add & 20_health_poll_service multiply & 20_health_poll_poll 2; kill %1 %2
#include <partywall/partywall.hpp>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>

using namespace std::chrono_literals;
using partywall::bytes;

static partywall::wait_set* waiting = nullptr;

int main(int argc, char** argv) try {
    if (argc != 2) {
        std::fprintf(stderr, "usage: service NAME\n");
        return 2;
    }
    std::string const name = argv[1];
    auto me = partywall::join(name).value();

    // What it is there for. Every service has a name of its own.
    auto work = me.server<std::uint64_t, std::uint64_t>("service/" + name, [](std::uint64_t n) {
                      return n + n;
                  }).value();
    // All services of the domain answer to this one.
    auto health = me.respondent<bytes, bytes>("health", [&](std::span<std::byte const>) {
                        return name + " has done " + std::to_string(work.executed()) + " things";
                    }).value();

    auto set = me.wait_set();
    set.add(work, 1).value();
    set.add(health, 2).value();
    waiting = &set;
    std::signal(SIGTERM, [](int) { waiting->interrupt(); });
    std::printf("serving\n");
    std::fflush(stdout);
    for (;;) {
        auto const events = set.wait(1h);
        if (!events) {
            break; // interrupted
        }
        for (auto const& event : *events) {
            if (event.key == 1) {
                work.poll();
            } else {
                health.poll();
            }
        }
    }
    std::signal(SIGTERM, SIG_DFL); // before the set goes
    return 0;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "service: %s\n", e.what());
    return 1;
}
