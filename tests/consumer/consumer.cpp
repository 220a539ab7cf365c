// SPDX-License-Identifier: BSL-1.0
// What somebody else's program does first: the two halves of the README's example in one process,
// after a look at whether headers and library agree. Compiled with and without exceptions.
#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdio>

struct quote {
    double bid, ask;
};

static int fail(char const* what, std::string_view why) {
    std::fprintf(stderr, "%s: %.*s\n", what, static_cast<int>(why.size()), why.data());
    return 1;
}

int main() {
    using namespace std::chrono_literals;
    if (partywall::linked_version() != PARTYWALL_VERSION) {
        return fail("version", "the headers are not those of the library");
    }
    auto me = partywall::join("consumer", {.domain = "consumer"});
    if (!me) {
        return fail("join", me.error().message);
    }
    auto viewer = me->subscriber<quote>("market/eurusd");
    if (!viewer) {
        return fail("subscriber", viewer.error().message);
    }
    auto pricer = me->publisher<quote>("market/eurusd");
    if (!pricer) {
        return fail("publisher", pricer.error().message);
    }
    if (auto there = pricer->wait_for_subscribers(1, 0s);
        !there && there.error() != partywall::send_errc::timed_out) {
        return fail("wait_for_subscribers", to_string(there.error()));
    }
    // The subscriber looks for publishers when it receives, so it comes to meet this one here.
    (void)viewer->try_receive();
    if (auto sent = pricer->send({.bid = 1.07, .ask = 1.08}); !sent) {
        return fail("send", to_string(sent.error()));
    }
    auto q = viewer->receive(10s);
    if (!q) {
        return fail("receive", to_string(q.error()));
    }
    return q->bid == 1.07 && q->ask == 1.08 ? 0 : fail("receive", "not what was sent");
}
