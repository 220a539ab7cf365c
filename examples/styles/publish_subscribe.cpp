// SPDX-License-Identifier: BSL-1.0
// styles_publish_subscribe hear & styles_publish_subscribe hear & styles_publish_subscribe
#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;

int main(int argc, char**) {
    auto me = partywall::join("publish/subscribe").value();
    if (argc > 1) {
        auto news = me.subscriber<int>("news").value();
        if (auto one = news.receive(20s)) {
            std::printf("news: %d\n", *one);
            return 0;
        }
        return 1;
    }
    auto news = me.publisher<int>("news").value();
    news.wait_for_subscribers(2, 20s).value();
    news.send(42).value(); // once, for both
}
