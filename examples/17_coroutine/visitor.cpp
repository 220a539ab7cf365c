// SPDX-License-Identifier: BSL-1.0
// Ten visits at a time, each a call that needs the reply to another, written one after the other. See
// greeter.cpp.
#include <partywall/calls/co_call.hpp> // co_await for calls; nothing else includes it
#include <partywall/partywall.hpp>

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>

using namespace std::chrono_literals;
using partywall::bytes;

/// The least that a coroutine can be: begins at once, and goes when it is over. Any library's task
/// type does as well.
struct visit {
    struct promise_type {
        visit get_return_object() noexcept { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() noexcept {}
        void unhandled_exception() noexcept { std::terminate(); }
    };
};

struct counts {
    int greeted = 0;
    int failed = 0;
    int over() const noexcept { return greeted + failed; }
};

static visit greet(std::uint64_t number, partywall::client<std::uint64_t, bytes>& name,
                   partywall::client<bytes, bytes>& greeting, counts& so_far) {
    auto who = co_await name.call_async(number);
    if (!who) {
        so_far.failed += 1;
        co_return;
    }
    auto said = co_await greeting.call_async(**who);
    if (said && said->text() == "hello, visitor " + std::to_string(number)) {
        so_far.greeted += 1;
    } else {
        so_far.failed += 1;
    }
}

int main() try {
    auto me = partywall::join("visitor").value();
    // Each visit holds the first reply, where it lies, until it is over.
    auto name =
        me.client<std::uint64_t, bytes>("name", {.deadline = 20s, .replies_held_max = 10}).value();
    auto greeting = me.client<bytes, bytes>("greet", {.deadline = 20s}).value();
    name.wait_for_server(20s).value();
    greeting.wait_for_server(20s).value();

    counts so_far;
    for (std::uint64_t number = 0; number < 10; ++number) {
        greet(number, name, greeting, so_far); // up to its first co_await
    }
    // They go on inside poll(), in this thread. A wait_set tells which client has something to do.
    auto set = me.wait_set();
    set.add(name, 1).value();
    set.add(greeting, 2).value();
    while (so_far.over() < 10) {
        for (auto const& event : set.wait(1h).value()) {
            if (event.key == 1) {
                name.poll();
            } else {
                greeting.poll();
            }
        }
    }
    std::printf("%d visitors were greeted\n", so_far.greeted);
    return so_far.greeted == 10 ? 0 : 1;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "visitor: %s\n", e.what());
    return 1;
}
