// SPDX-License-Identifier: BSL-1.0
// Sends 10,000 lines of text, none of which may get lost.
//
//     02_lossless_log_keeper & 02_lossless_log_writer
#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>
#include <string>

using namespace std::chrono_literals;

int main() try {
    auto me = partywall::join("log writer").value();

    // `bytes` are messages of any content and any length up to a maximum. The ring holds 64 of
    // them, and all its memory is taken now: a message never meets a full machine.
    //
    // What happens when it is full is the topic's *policy*. `drop_oldest`, the default, overwrites.
    // `block` waits for lossless subscribers, at most `block_for`; `reject` refuses at once.
    auto log = me.publisher<partywall::bytes>("log/lines", {.overflow = partywall::overflow::block,
                                                            .depth = 64,
                                                            .payload_bytes_max = 100,
                                                            .block_for = 10s})
                   .value();
    log.wait_for_subscribers(1, 10s).value();

    for (int i = 1; i <= 10'000; ++i) {
        // A send that fails has sent nothing: it may be repeated, or the line kept elsewhere.
        if (auto sent = log.send("line " + std::to_string(i)); !sent) {
            std::fprintf(stderr, "line %d was not sent: %s\n", i, to_string(sent.error()).data());
            return 1;
        }
    }
    std::printf("sent 10000 lines\n");
    return 0;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "writer: %s\n", e.what());
    return 1;
}
