// SPDX-License-Identifier: BSL-1.0
// Comes when everything has been said, and asks for the last ten headlines.
#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>
#include <string>

using namespace std::chrono_literals;

int main() try {
    auto me = partywall::join("latecomer").value();

    // History is what the ring still has of the time before the subscription; asking for more than
    // that is no error. It may be overwritten before it is read, and that is no loss: nothing from
    // before the subscription was ever promised.
    auto news =
        me.subscriber<partywall::bytes>("news", {.history = 10, .report_close = true}).value();
    if (news.publisher_count() == 0) {
        std::printf("nobody is there; start 04_history_station first\n");
        return 1;
    }

    int received = 0;
    std::string last;
    while (auto headline = news.receive(10s)) {
        last = headline.text(); // a copy: the sample is gone in the next round
        std::printf("%s\n", last.c_str());
        received += 1;
    }
    return received == 10 && last == "headline 100" && news.missed() == 0 ? 0 : 1;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "latecomer: %s\n", e.what());
    return 1;
}
