// SPDX-License-Identifier: BSL-1.0
// One service of the calculator:
//
//     partywall-calculator-service sum|subtract|multiply|divide|multiple-operation
//
// `multiple-operation` reads an expression and calls the others for every operator. The deadline that
// came with the expression is the deadline of all these calls together. It is not ready before the
// others are there, and shows in its metadata what became of its calls.
//
// SIGTERM ends it in good order; SIGUSR1 makes it slow, and quick again.
#include "arguments.hpp"
#include "expression.hpp"
#include "remote.hpp"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <string>

namespace calculator {
namespace {

using namespace std::chrono_literals;

std::atomic<bool> slow{false};
std::atomic<bool> stopping{false};
void toggle_slow(int) { slow = !slow; }

/// What an overworked service does to its callers.
void delay() {
    if (slow) {
        partywall::monotonic_clock const clock;
        clock.sleep_until(clock.now_ns() + 80'000'000);
    }
}

partywall::server<operands, outcome_message> make_operation(partywall::participant const& me,
                                                            operation o) {
    return me
        .server<operands, outcome_message>(service_of(o),
                                           [o](operands const& given) {
                                               delay();
                                               return as_message(compute(o, given.a, given.b));
                                           })
        .value();
}

partywall::server<partywall::bytes, outcome_message>
make_evaluator(partywall::participant const& me, remote_operations& by) {
    partywall::server_options options;
    options.starts_ready = false;
    options.request_bytes_max = 4096;
    return me
        .server<partywall::bytes, outcome_message>(
            evaluator,
            [&by](std::span<std::byte const> text, partywall::call_context& context) {
                delay();
                auto const parsed =
                    expression::parse({reinterpret_cast<char const*>(text.data()), text.size()});
                if (!parsed) {
                    return as_message(parsed.error());
                }
                deadline const until{context.deadline_ns()};
                bool const at_once = context.header()[0] != 0;
                return as_message(at_once ? evaluate_at_once(*parsed, by, until)
                                          : evaluate(*parsed, by, until));
            },
            options)
        .value();
}

/// service and what happened: few labels, however many requests there are.
partywall::metadata figures(remote_operations const& by) {
    partywall::metadata all;
    for (operation const o : all_operations) {
        call_counts const& c = by.counts(o);
        all.emplace_back(name_of(o), "calls " + std::to_string(c.calls) + " answers " +
                                         std::to_string(c.answers) + " retries " +
                                         std::to_string(c.retries) + " refused " +
                                         std::to_string(c.refused));
    }
    return all;
}

template <class Server, class EverySecond>
void run(Server& server, EverySecond every_second) {
    static Server* running = nullptr;
    running = &server;
    std::signal(SIGTERM, [](int) {
        stopping = true;
        running->stop();
    });
    std::puts("up");
    std::fflush(stdout);
    while (!stopping) {
        (void)server.run_for(1s);
        every_second();
    }
    (void)server.shutdown(1s);
}

int main_of(std::string const& name) {
    bool known = name == "multiple-operation";
    for (operation const o : all_operations) {
        known = known || name == name_of(o);
    }
    if (!known) {
        return usage("there is no service '" + name + "'",
                     "partywall-calculator-service "
                     "sum|subtract|multiply|divide|multiple-operation");
    }
    std::signal(SIGUSR1, toggle_slow);
    auto const me = partywall::join("calculator " + name).value();
    for (operation const o : all_operations) {
        if (name == name_of(o)) {
            auto server = make_operation(me, o);
            run(server, [] {});
            return 0;
        }
    }
    remote_operations others(me);
    auto server = make_evaluator(me, others);
    while (!others.ready() && !stopping) {
        (void)server.run_for(10ms); // refuses what comes: not executed
    }
    (void)server.ready();
    run(server, [&] { (void)server.set_metadata(figures(others)); });
    return 0;
}

} // namespace
} // namespace calculator

int main(int argc, char** argv) { return calculator::main_of(argc == 2 ? argv[1] : ""); }
