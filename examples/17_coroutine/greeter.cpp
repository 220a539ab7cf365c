// SPDX-License-Identifier: BSL-1.0
// Two servers in one thread: who somebody is, and how to greet whom.
//
//     17_coroutine_greeter & 17_coroutine_visitor
#include <partywall/partywall.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>

using namespace std::chrono_literals;
using partywall::bytes;

int main() try {
    auto me = partywall::join("greeter").value();
    auto name = me.server<std::uint64_t, bytes>("name", [](std::uint64_t number) {
                      return "visitor " + std::to_string(number);
                  }).value();
    auto greet = me.server<bytes, bytes>("greet", [](std::span<std::byte const> whom) {
                       std::string text = "hello, ";
                       text.append(reinterpret_cast<char const*>(whom.data()), whom.size());
                       return text;
                   }).value();

    // A wait_set waits for both.
    auto set = me.wait_set();
    set.add(name, 1).value();
    set.add(greet, 2).value();
    auto const evening = std::chrono::steady_clock::now() + 30s;
    set.add_timer(evening, 0s, 3).value();
    while (greet.executed() < 10 && std::chrono::steady_clock::now() < evening) {
        for (auto const& event : set.wait(1h).value()) {
            if (event.key == 1) {
                name.poll();
            } else if (event.key == 2) {
                greet.poll();
            }
        }
    }
    return greet.executed() == 10 ? 0 : 1;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "greeter: %s\n", e.what());
    return 1;
}
