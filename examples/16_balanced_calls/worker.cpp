// SPDX-License-Identifier: BSL-1.0
// One of several servers of a name. Each answers with a number of its own.
//
//     16_balanced_calls_worker & 16_balanced_calls_worker & 16_balanced_calls_worker &
//     16_balanced_calls_asker & sleep 1; kill -9 %1; wait %4
#include <partywall/partywall.hpp>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <unistd.h>

static partywall::server<std::uint64_t, std::uint64_t>* serving = nullptr;

int main() try {
    auto me = partywall::join("worker").value();
    auto const number = static_cast<std::uint64_t>(::getpid());
    auto who = me.server<std::uint64_t, std::uint64_t>("who", [number](std::uint64_t) {
                     return number;
                 }).value();

    serving = &who;
    std::signal(SIGTERM, [](int) { serving->stop(); });
    std::printf("serving\n");
    std::fflush(stdout);
    who.run();
    std::signal(SIGTERM, SIG_DFL); // before the handle goes
    std::printf("answered %llu times\n", static_cast<unsigned long long>(who.executed()));
    return who.executed() != 0 ? 0 : 1;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "worker: %s\n", e.what());
    return 1;
}
