// SPDX-License-Identifier: BSL-1.0
// The same without a loop of another library: a wait_set says which handles are ready. A timer is a
// member too, and other descriptors could be.
//
//     12_event_loop_wait_set & 12_event_loop_market
#include "trade.hpp"

#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;

int main() try {
    auto me = partywall::join("wait_set").value();
    partywall::subscriber_options all;
    all.delivery = partywall::delivery::lossless;
    auto tape = me.subscriber<trade>("tape", all).value();
    auto desk = me.receiver<order>("desk").value();

    enum : std::uint64_t { trade_came, order_came, too_long };
    auto set = me.wait_set();
    set.add(tape, trade_came).value();
    set.add(desk, order_came).value();
    set.add_timer(std::chrono::steady_clock::now() + 30s, 0s, too_long).value();

    std::uint64_t traded = 0;
    std::uint64_t ordered = 0;
    bool patient = true;
    while (patient && (traded < trades || ordered < orders)) {
        for (auto const& event : set.wait(1h).value()) {
            switch (event.key) {
            case trade_came:
                while (auto t = tape.try_receive()) {
                    traded += t->number == traded ? 1 : 0;
                }
                break;
            case order_came:
                // One at a time will do as well: what is left is ready again.
                if (auto o = desk.try_receive()) {
                    ordered += o->number == ordered ? 1 : 0;
                }
                break;
            default: patient = false;
            }
        }
    }
    std::printf("%llu trades, %llu orders\n", static_cast<unsigned long long>(traded),
                static_cast<unsigned long long>(ordered));
    return traded == trades && ordered == orders ? 0 : 1;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "wait_set: %s\n", e.what());
    return 1;
}
