// SPDX-License-Identifier: BSL-1.0
// styles_async_call serve & styles_async_call
#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;

int main(int argc, char**) {
    auto me = partywall::join("async call").value();
    if (argc > 1) {
        auto twice = me.server<int, int>("twice", [](int n) { return 2 * n; }).value();
        while (twice.executed() < 2) {
            twice.run_for(10ms);
        }
        return 0;
    }
    auto twice = me.client<int, int>("twice", {.deadline = 20s}).value();
    twice.wait_for_server(20s).value();
    auto one = twice.call_async(20);
    auto other = twice.call_async(1); // both are under way
    int const answer = *one.get().value() + *other.get().value();
    std::printf("%d\n", answer);
    return answer == 42 ? 0 : 1;
}
