// SPDX-License-Identifier: BSL-1.0
// One log for many programs:  ./10_one_log_keeper LOG 3  and then three times
//                             ./10_one_log_worker /var/log/dpkg.log
// Each line of LOG is the number of the program that it came from, and what it said.
#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>

using namespace std::chrono_literals;
using partywall::receive_errc;

int main(int argc, char** argv) try {
    if (argc != 3) {
        std::fprintf(stderr, "usage: keeper LOG PROGRAMS\n");
        return 2;
    }
    std::FILE* const log = std::fopen(argv[1], "w");
    int const programs = std::atoi(argv[2]);
    if (log == nullptr || programs < 1) {
        std::perror(argv[1]);
        return 1;
    }
    auto me = partywall::join("log keeper").value();

    // The memory is ours, a lane for each program that may send at a time: none of them waits for
    // another, however slow or dead that one is.
    auto lines = me.receiver<partywall::bytes>(
                       "one log", {.depth = 64, .senders_max = 16, .report_close = true})
                     .value();
    std::printf("keeping\n");
    std::fflush(stdout);

    std::map<std::uint64_t, int> number_of; // of a program, by what tells it from all others
    int ended = 0;
    while (ended < programs) {
        auto line = lines.receive(20s);
        if (line) {
            int const who =
                number_of.try_emplace(line.sender(), static_cast<int>(number_of.size()) + 1)
                    .first->second;
            std::fprintf(log, "%d %.*s\n", who, static_cast<int>(line.text().size()),
                         line.text().data());
        } else if (line.error() == receive_errc::publisher_closed) {
            ended += 1;
        } else if (line.error() == receive_errc::peer_died) {
            // Everything that it had sent was received before. Nothing else is lost.
            std::printf("one was killed\n");
            ended += 1;
        } else {
            std::fprintf(stderr, "keeper: %s\n", to_string(line.error()).data());
            return 1;
        }
    }
    std::printf("kept %llu lines of %zu programs\n",
                static_cast<unsigned long long>(lines.received()), number_of.size());
    return std::fclose(log) == 0 ? 0 : 1;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "keeper: %s\n", e.what());
    return 1;
}
