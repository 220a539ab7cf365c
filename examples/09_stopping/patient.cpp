// SPDX-License-Identifier: BSL-1.0
// Waits for an hour, unless somebody presses Ctrl-C: how to end a call that blocks.
//
//     09_stopping_patient & sleep 1; kill -INT $!; wait $!
#include <partywall/partywall.hpp>

#include <chrono>
#include <csignal>
#include <cstdio>

using namespace std::chrono_literals;

static partywall::subscriber<int>* waiting = nullptr;

int main() try {
    auto me = partywall::join("patient").value();
    auto numbers = me.subscriber<int>("never/published").value();

    // interrupt() ends the call that blocks in this handle now, or the next one that would block.
    // It is the one member that any thread may call, and a signal handler too.
    waiting = &numbers;
    std::signal(SIGINT, [](int) { waiting->interrupt(); });
    std::signal(SIGTERM, [](int) { waiting->interrupt(); });

    std::printf("waiting\n");
    std::fflush(stdout);
    auto const n = numbers.receive(1h);
    std::signal(SIGINT, SIG_DFL); // before the handle goes
    std::signal(SIGTERM, SIG_DFL);

    std::printf("ended: %s\n", to_string(n.error()).data());
    return n.error() == partywall::receive_errc::interrupted ? 0 : 1;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "patient: %s\n", e.what());
    return 1;
}
