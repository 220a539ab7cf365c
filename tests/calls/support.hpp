// SPDX-License-Identifier: BSL-1.0
// What the tests of this room share: a request that says what is to be done with it, and a reply that
// says what it answers.
#pragma once

#include <partywall/participant.hpp>

#include <oneway/support.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

namespace partywall::test {

struct ask {
    std::uint64_t number;
    std::uint64_t check;
    static constexpr ask of(std::uint64_t n) noexcept { return {n, tick::mix(n, 1)}; }
    constexpr bool whole() const noexcept { return check == tick::mix(number, 1); }
};
struct told {
    std::uint64_t number;
    std::uint64_t check;
    static constexpr told of(std::uint64_t n) noexcept { return {n, tick::mix(n, 2)}; }
    constexpr bool answers(std::uint64_t n) const noexcept {
        return number == n && check == tick::mix(n, 2);
    }
};

struct page {
    std::array<std::uint64_t, 512> words;
};

// Wherever positions wrap, nothing happens: so they do, early in every test that uses these.
inline server_options serving(std::uint64_t depth = 64) {
    server_options options;
    options.depth = depth;
    options.start_position = std::uint64_t{0} - 6;
    return options;
}
inline client_options calling(std::chrono::nanoseconds deadline = 1h) {
    client_options options;
    options.deadline = deadline;
    options.start_position = std::uint64_t{0} - 5;
    return options;
}

/// A server of `ask` that runs in a thread until the object goes.
template <class Server>
class running {
  public:
    explicit running(Server& server)
        : server_(server), thread_([this] { ended_ = server_.run(); }) {}
    ~running() { stop(); }
    wait_errc stop() {
        if (thread_.joinable()) {
            server_.stop();
            thread_.join();
        }
        return ended_;
    }

  private:
    Server& server_;
    wait_errc ended_{};
    std::thread thread_;
};
template <class Server>
running(Server&) -> running<Server>;

} // namespace partywall::test
