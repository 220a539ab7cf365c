// SPDX-License-Identifier: BSL-1.0
// Lives through the death of its publisher, and goes on with the next.
#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;
using partywall::receive_errc;

int main() try {
    auto me = partywall::join("listener").value();
    auto numbers = me.subscriber<int>("numbers", {.delivery = partywall::delivery::lossless,
                                                  .report_close = true})
                       .value();
    int lives = 0;
    int deaths = 0;
    int last = 0;
    std::uint64_t from = 0; // tells publishers apart, also one from its own predecessor
    for (;;) {
        auto n = numbers.receive(20s);
        if (n) {
            if (n.publisher() != from) {
                from = n.publisher();
                lives += 1;
                last = 0;
            }
            if (*n != last + 1) {
                std::fprintf(stderr, "%d came after %d\n", *n, last);
                return 1;
            }
            last = *n;
        } else if (n.error() == receive_errc::peer_died) {
            // Reported once, after the last message that was sent. The subscription is as good as
            // before: the next publisher of the topic will be found, so just go on.
            std::printf("the feed died after number %d; waiting for the next\n", last);
            deaths += 1;
        } else {
            std::printf("the end: %s, after number %d\n", to_string(n.error()).data(), last);
            bool const closed = n.error() == receive_errc::publisher_closed;
            return closed && lives == 2 && deaths == 1 && last == 500 ? 0 : 1;
        }
    }
} catch (partywall::error const& e) {
    std::fprintf(stderr, "listener: %s\n", e.what());
    return 1;
}
