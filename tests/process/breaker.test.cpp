// SPDX-License-Identifier: BSL-1.0
// One breaker for a whole host: eight clients of a server that stalls, recovers and flaps, and some
// of the clients are killed, with a probe under way and without.
#include "puppet.hpp"

#include <partywall/breaker/breaker.hpp>
#include <partywall/os/clock.hpp>
#include <partywall/os/futex.hpp>
#include <support/counts.hpp>
#include <support/watchdog.hpp>

#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <vector>

namespace partywall::test {
namespace {

constexpr std::uint64_t ms = 1'000'000;
constexpr std::uint64_t clients_max = 8;
constexpr auto window = 1s;

/// What the server does with a request.
enum server : std::uint64_t {
    answers = 0,
    stalls = 1, ///< and the client's deadline, 1 ms, passes
    hangs = 2,  ///< and the client waits for as long as it does
};

namespace word {
constexpr std::size_t server_does = 0;
constexpr std::size_t stop = 1;
constexpr std::size_t too_many_probes = 2;
constexpr std::size_t answered(std::uint64_t client) { return 16 + 4 * client; }
constexpr std::size_t rejected(std::uint64_t client) { return 17 + 4 * client; }
constexpr std::size_t probes(std::uint64_t client) { return 18 + 4 * client; }
constexpr std::size_t killed(std::uint64_t client) { return 19 + 4 * client; }
} // namespace word

/// By failures of the last second, or by failures in a row, which a short stall brings.
enum class judged_by : std::uint64_t { rate, row };

breaker_options rules(judged_by how) {
    breaker_options o;
    o.scope = breaker_scope::host;
    o.window =
        how == judged_by::rate ? breaker_window::rolling(window) : breaker_window::consecutive(5);
    o.open_for = 50ms;
    o.open_for_max = 400ms;
    o.probing = breaker_probing::all_must_pass(3);
    o.half_open_max = 1h; // no permit comes back by itself
    return o;
}

/// The time passes; nobody is waited for.
void pass(std::uint64_t ns) { monotonic_clock{}.sleep_until(os::monotonic_ns() + ns); }

bool call(ledger const& shared) {
    std::uint64_t const doing = shared.get(word::server_does);
    if (doing == answers) {
        return true;
    }
    while (shared.get(word::server_does) == hangs) {
        pass(ms / 4);
    }
    if (doing == stalls) {
        pass(ms);
    }
    return false;
}

/// Exactly one at a time: of those who live nobody else has one.
void check_others(ledger const& shared, std::uint64_t id) {
    for (std::uint64_t other = 0; other < clients_max; ++other) {
        if (other != id && shared.get(word::probes(other)) != 0 &&
            shared.get(word::killed(other)) == 0) {
            shared[word::too_many_probes] += 1;
        }
    }
}

/// root, number, judged_by
PARTYWALL_ROLE(breaker_client) {
    std::uint64_t const id = context.number(1);
    ledger const shared(context.arg(0));
    participant me = joined(context.arg(0), "client");
    breaker circuit =
        me.breaker("server", rules(static_cast<judged_by>(context.number(2)))).value();
    context.send(std::to_string(me.ticket()));
    while (shared.get(word::stop) == 0) {
        auto ticket = circuit.admit();
        if (!ticket) {
            shared[word::rejected(id)] += 1;
            pass(ms / 4);
            continue;
        }
        bool const probe = ticket->is_probe();
        if (probe) {
            shared[word::probes(id)] = 1;
            check_others(shared, id);
        }
        bool const good = call(shared);
        if (probe) {
            shared[word::probes(id)] = 0;
        }
        good ? ticket->success() : ticket->timeout();
        shared[word::answered(id)] += good ? 1 : 0;
        pass(ms / 20);
    }
    return 0;
}

class HostBreaker : public testing::Test {
  protected:
    explicit HostBreaker(judged_by how = judged_by::rate)
        : shared(root.path()), me(joined(root.path(), "watcher")) {
        watchdog::extend(std::chrono::minutes(5));
        circuit = std::make_unique<breaker>(me.breaker("server", rules(how)).value());
        for (std::uint64_t id = 0; id < clients_max; ++id) {
            clients.push_back(
                spawn("breaker_client", {root.path(), std::to_string(id),
                                         std::to_string(static_cast<std::uint64_t>(how))}));
        }
        for (child& one : clients) {
            tickets.push_back(std::stoull(one.receive()));
        }
    }
    ~HostBreaker() override {
        shared[word::server_does] = answers;
        shared[word::stop] = 1;
        for (std::uint64_t id = 0; id < clients_max; ++id) {
            EXPECT_EQ(clients[id].wait(),
                      shared.get(word::killed(id)) != 0 ? killed_by(SIGKILL) : exited(0));
        }
        EXPECT_EQ(shared.get(word::too_many_probes), 0U);
    }

    /// How long until that state, in milliseconds; fails after `most`.
    double until(breaker_state wanted, std::chrono::milliseconds most) {
        std::uint64_t const begun = os::monotonic_ns();
        std::uint64_t const limit = static_cast<std::uint64_t>(scaled(most).count()) * ms;
        while (circuit->state() != wanted) {
            if (os::monotonic_ns() - begun > limit) {
                ADD_FAILURE() << "is " << to_string(circuit->state()) << " and not "
                              << to_string(wanted) << " after " << scaled(most).count() << " ms";
                break;
            }
            pass(ms / 10);
        }
        return static_cast<double>(os::monotonic_ns() - begun) / 1e6;
    }
    void kill(std::uint64_t id) {
        shared[word::killed(id)] = 1;
        clients[id].kill(SIGKILL);
    }
    void everybody_gets_answers() {
        for (std::uint64_t id = 0; id < clients_max; ++id) {
            if (shared.get(word::killed(id)) == 0) {
                std::uint64_t const before = shared.get(word::answered(id));
                eventually([&] { return shared.get(word::answered(id)) > before; });
            }
        }
    }
    /// Who has the probe, once there is one.
    std::uint64_t prober() {
        std::uint64_t found = clients_max;
        eventually([&] {
            for (std::uint64_t id = 0; id < clients_max; ++id) {
                if (shared.get(word::probes(id)) != 0 && shared.get(word::killed(id)) == 0) {
                    found = id;
                }
            }
            return found != clients_max;
        });
        return found;
    }

    scratch_root root;
    ledger shared;
    participant me;
    std::unique_ptr<breaker> circuit;
    std::vector<child> clients;
    std::vector<std::uint64_t> tickets;
};

TEST_F(HostBreaker, OpensWithinItsWindowAndClosesWhenTheServerIsWellAgain) {
    everybody_gets_answers();
    EXPECT_EQ(circuit->state(), breaker_state::closed);
    shared[word::server_does] = stalls;
    double const opened = until(breaker_state::open, window);
    pass(200 * ms); // and it stays so, whatever its probes try
    EXPECT_NE(circuit->state(), breaker_state::closed);
    std::uint64_t rejected = 0;
    for (std::uint64_t id = 0; id < clients_max; ++id) {
        rejected += shared.get(word::rejected(id));
    }
    EXPECT_GT(rejected, 0U);
    shared[word::server_does] = answers;
    double const closed = until(breaker_state::closed, 2 * window);
    std::printf("open %.1f ms after the stall began, closed %.1f ms after it ended\n", opened,
                closed);
    everybody_gets_answers();
}

class TouchyHostBreaker : public HostBreaker {
  protected:
    TouchyHostBreaker() : HostBreaker(judged_by::row) {}
};

TEST_F(TouchyHostBreaker, IsNotStuckAfterAServerThatFlapped) {
    std::uint64_t const flaps = count(10, 300); // 10 times a second
    for (std::uint64_t i = 0; i < flaps; ++i) {
        shared[word::server_does] = i % 2 == 0 ? stalls : answers;
        pass(50 * ms);
        shared[word::server_does] = i % 2 == 0 ? answers : stalls;
        pass(50 * ms);
    }
    shared[word::server_does] = answers;
    double const closed = until(breaker_state::closed, 2 * window);
    std::printf("closed %.1f ms after the last flap, opened %llu times\n", closed,
                static_cast<unsigned long long>(circuit->stats().opened_total));
    EXPECT_GT(circuit->stats().opened_total, 1U);
    everybody_gets_answers();
}

TEST_F(HostBreaker, OutlivesClientsThatAreKilledWhileItIsOpenAndWhileTheyProbe) {
    shared[word::server_does] = stalls;
    (void)until(breaker_state::open, window);
    kill(7);
    shared[word::server_does] = hangs;
    for (int i = 0; i < 3; ++i) { // one after the other, each with the only permit
        std::uint64_t const holder = prober();
        EXPECT_EQ(circuit->state(), breaker_state::half_open);
        std::uint64_t const killed_ns = os::monotonic_ns();
        kill(holder);
        std::uint64_t const next = prober();
        EXPECT_NE(next, holder);
        double const took = static_cast<double>(os::monotonic_ns() - killed_ns) / 1e6;
        std::printf("the next probe %.1f ms after its holder was killed\n", took);
        EXPECT_LT(took, static_cast<double>(scaled(1s).count()));
    }
    shared[word::server_does] = answers; // the last probe, which has waited, fails
    (void)until(breaker_state::closed, 2 * window);
    everybody_gets_answers();
}

} // namespace
} // namespace partywall::test
