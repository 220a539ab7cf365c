// SPDX-License-Identifier: BSL-1.0
// styles_one_way hear & styles_one_way
#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;

int main(int argc, char**) {
    auto me = partywall::join("one way").value();
    if (argc > 1) {
        auto orders = me.receiver<int>("orders").value();
        if (auto order = orders.receive(20s)) {
            std::printf("order %d\n", *order);
            return 0;
        }
        return 1;
    }
    auto orders = me.sender<int>("orders").value();
    orders.wait_for_receiver(20s).value();
    orders.send(42).value();
}
