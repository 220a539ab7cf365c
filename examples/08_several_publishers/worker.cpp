// SPDX-License-Identifier: BSL-1.0
// One of several publishers of a topic. Its argument is its number.
//
//     08_several_publishers_collector &
//     for i in 1 2 3; do 08_several_publishers_worker $i & done; wait
#include "answer.hpp"

#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>

using namespace std::chrono_literals;

int main(int argc, char** argv) try {
    int const worker = argc == 2 ? std::atoi(argv[1]) : 1;
    auto me = partywall::join("worker").value();

    // Each publisher has a ring of its own: they share nothing and never wait for each other. All
    // must agree on type, policy and sizes; who differs is refused, with an error that says how.
    auto answers =
        me.publisher<answer>("answers", {.overflow = partywall::overflow::block, .block_for = 10s})
            .value();
    answers.wait_for_subscribers(1, 20s).value();
    for (int i = 1; i <= answers_each; ++i) {
        answers.send({.worker = worker, .number = i}).value();
    }
    return 0;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "worker: %s\n", e.what());
    return 1;
}
