// SPDX-License-Identifier: BSL-1.0
// styles_latest_value measure & styles_latest_value; kill %1
#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>
#include <thread>

using namespace std::chrono_literals;

int main(int argc, char**) {
    auto me = partywall::join("latest value").value();
    if (argc > 1) {
        auto degrees = me.publisher<int>("degrees").value();
        for (int n = 1;; ++n) {
            degrees.send(n).value();
            std::this_thread::sleep_for(1ms);
        }
    }
    auto degrees = me.latest<int>("degrees").value();
    if (auto now = degrees.wait(20s)) { // the newest; those before it are not asked for
        std::printf("%d degrees\n", *now);
        return 0;
    }
    return 1;
}
