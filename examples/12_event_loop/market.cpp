// SPDX-License-Identifier: BSL-1.0
// Publishes trades and sends orders, for the event loops of this folder.
//
//     12_event_loop_epoll & 12_event_loop_market        (or _asio, or _wait_set)
#include "trade.hpp"

#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;

int main() try {
    auto me = partywall::join("market").value();
    partywall::publisher_options lossless;
    lossless.overflow = partywall::overflow::block;
    auto tape = me.publisher<trade>("tape", lossless).value();
    auto desk = me.sender<order>("desk").value();
    tape.wait_for_subscribers(1, 30s).value();
    desk.wait_for_receiver(30s).value();

    for (std::uint64_t i = 0; i < trades; ++i) {
        tape.send({i, 1.07}).value();
        if (i % (trades / orders) == 0) {
            desk.send({i / (trades / orders)}).value();
        }
    }
    std::printf("sent %llu trades and %llu orders\n", static_cast<unsigned long long>(trades),
                static_cast<unsigned long long>(orders));
    return 0;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "market: %s\n", e.what());
    return 1;
}
