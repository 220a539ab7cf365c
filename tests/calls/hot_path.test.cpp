// SPDX-License-Identifier: BSL-1.0
// A call makes no system call on either side while both spin: two processes that have warmed up
// forbid themselves all of them, and go on.
#include "support.hpp"

#include <support/counts.hpp>
#include <support/role.hpp>
#include <support/sandbox.hpp>

#include <sys/syscall.h>
#include <unistd.h>

namespace partywall::test {
namespace {

constexpr std::uint64_t forbid = 1'000'000'000;
constexpr std::uint64_t end = 2'000'000'000;

PARTYWALL_ROLE(serves_without_system_calls) {
    participant me = joined(context.arg(0), "server");
    bool const makes_one = context.number(1) != 0;
    server_options o = serving();
    o.waiting = waiting::spin;
    auto s = me.server<ask, told>(
                   "s",
                   [&](ask const& a) {
                       if (a.number == forbid) {
                           forbid_system_calls();
                       }
                       if (a.number == end) {
                           ::syscall(SYS_exit_group, makes_one ? ::getppid() : 0);
                       }
                       return told::of(a.number);
                   },
                   o)
                 .value();
    context.send("serving");
    (void)s.run();
    return 1;
}

PARTYWALL_ROLE(calls_without_system_calls) {
    participant me = joined(context.arg(0), "client");
    std::uint64_t const calls = context.number(1);
    client_options o = calling();
    o.waiting = waiting::spin;
    auto c = me.client<ask, told>("s", o).value();
    std::uint64_t wrong = 0;
    auto const call = [&](std::uint64_t n) {
        auto const r = c.call(ask::of(n));
        wrong += r && (*r)->answers(n) ? 0 : 1;
    };
    for (std::uint64_t i = 0; i < 20; ++i) {
        call(i);
    }
    call(forbid);
    forbid_system_calls();
    for (std::uint64_t i = 0; i < calls; ++i) {
        call(i);
    }
    (void)c.post(ask::of(end));
    ::syscall(SYS_exit_group, wrong == 0 ? 0 : 1);
    return 1;
}

TEST(CallHotPath, MakesNoSystemCallOnEitherSide) {
    scratch_root root;
    child server = spawn("serves_without_system_calls", {root.path(), "0"});
    server.expect("serving");
    child client =
        spawn("calls_without_system_calls", {root.path(), std::to_string(count(50, 1'000'000))});
    EXPECT_EQ(client.wait(), exited(0));
    EXPECT_EQ(server.wait(), exited(0));
}

TEST(CallHotPath, IsSeenMakingOne) { // or the test above could not fail
    scratch_root root;
    child server = spawn("serves_without_system_calls", {root.path(), "1"});
    server.expect("serving");
    child client = spawn("calls_without_system_calls", {root.path(), "1"});
    EXPECT_EQ(client.wait(), exited(0));
    EXPECT_EQ(server.wait(), killed_by(SIGSYS));
}

} // namespace
} // namespace partywall::test
