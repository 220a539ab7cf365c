// SPDX-License-Identifier: BSL-1.0
// Gets every line, although it is slower than the writer: the writer waits for it.
#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

using namespace std::chrono_literals;

int main() try {
    auto me = partywall::join("log keeper").value();

    // A lossless subscription holds back every publisher of the topic, also those that come later.
    // It needs a topic that blocks or rejects: on one that drops it is refused, here and now.
    auto log = me.subscriber<partywall::bytes>(
                     "log/lines", {.delivery = partywall::delivery::lossless, .report_close = true})
                   .value();

    int received = 0;
    auto line = log.receive(10s);
    for (; line; line = log.receive(10s)) {
        received += 1;
        // `line` is not a copy: it is the writer's memory itself, ours until the next round.
        if (line.text() != "line " + std::to_string(received)) {
            std::fprintf(stderr, "line %d is '%.*s'\n", received,
                         static_cast<int>(line.text().size()), line.text().data());
            return 1;
        }
        if (received % 1000 == 0) {
            std::this_thread::sleep_for(5ms); // a slow disk, say: the writer has to wait for us
        }
    }
    std::printf("kept %d lines, then: %s\n", received, to_string(line.error()).data());
    bool const closed = line.error() == partywall::receive_errc::publisher_closed;
    return closed && received == 10'000 && log.missed() == 0 ? 0 : 1;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "keeper: %s\n", e.what());
    return 1;
}
