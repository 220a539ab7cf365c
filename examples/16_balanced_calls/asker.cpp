// SPDX-License-Identifier: BSL-1.0
// Calls three servers of one name in turn, and two when one of them is killed. See worker.cpp.
#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>

using namespace std::chrono_literals;
using partywall::call_errc;
using partywall::executed;
using clock_type = std::chrono::steady_clock;

int main() try {
    auto me = partywall::join("asker").value();
    auto who = me.client<std::uint64_t, std::uint64_t>("who", {.deadline = 20s}).value();
    auto const patience = clock_type::now() + 40s;
    while (who.servers() < 3 && clock_type::now() < patience) {
        who.wait_for_server(20s).value();
    }

    std::map<std::uint64_t, int> answers; // by server
    for (int i = 0; i < 300; ++i) {
        answers[*who.call(0).value()] += 1;
    }
    bool const in_turn = answers.size() == 3;
    std::printf("all three answer\n");
    std::fflush(stdout);

    // A call that was under way to the one that is killed fails, within a millisecond or so. If it
    // was certainly not executed it may be made again; otherwise that depends on what it does.
    int failed = 0;
    while (failed == 0 && who.servers() == 3 && clock_type::now() < patience) {
        auto const answer = who.call(0);
        if (!answer && answer.error() == call_errc::peer_died) {
            std::printf("one died; executed: %s\n",
                        answer.error().executed == executed::no ? "no" : "maybe");
            failed += 1;
        } else if (!answer) {
            std::fprintf(stderr, "asker: %s\n", to_string(answer.error().reason).data());
            return 1;
        }
    }
    answers.clear();
    for (int i = 0; i < 300; ++i) {
        answers[*who.call(0).value()] += 1; // throws if it fails: none does
    }
    std::printf("%zu servers go on\n", answers.size());
    return in_turn && answers.size() == 2 ? 0 : 1;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "asker: %s\n", e.what());
    return 1;
}
