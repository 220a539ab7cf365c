// SPDX-License-Identifier: BSL-1.0
// Says every line of a file, as one of many programs that write into one log. See keeper.cpp.
#include <partywall/partywall.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>

using namespace std::chrono_literals;

int main(int argc, char** argv) try {
    if (argc < 2) {
        std::fprintf(stderr, "usage: worker FILE [stay]\n");
        return 2;
    }
    auto me = partywall::join("worker").value();

    // What happens when the keeper does not keep up is our choice. Waiting up to a second is the
    // default; a program that must never wait for its log takes drop_oldest or reject.
    auto log = me.sender<partywall::bytes>("one log").value();
    log.wait_for_receiver(20s).value(); // it may be started after us

    std::ifstream file(argv[1]);
    for (std::string line; std::getline(file, line);) {
        line.resize(std::min<std::size_t>(line.size(), 1000)); // the keeper takes up to 1024 bytes
        log.send(line).value();
    }
    std::printf("said everything\n");
    std::fflush(stdout);
    if (argc > 2) {
        std::this_thread::sleep_for(1h); // until it is killed
    }
    return log.lost() == 0 ? 0 : 1;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "worker: %s\n", e.what());
    return 1;
}
