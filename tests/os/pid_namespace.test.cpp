// SPDX-License-Identifier: BSL-1.0
// Life and death when pids say nothing: processes of other PID namespaces, equal pids, pids that
// are used again.
#include <partywall/os/life_lock.hpp>

#include "lock_file.hpp"
#include "support/role.hpp"
#include "support/sandbox.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <linux/sched.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace partywall::os {
namespace {

using test::lock_file;

/// Becomes the first process of a new PID namespace; false where the machine does not allow it.
/// The process that was started stays outside, waits for the one inside and ends like it; if it
/// is killed, so is the one inside.
bool become_first_of_a_pid_namespace() {
    if (!test::enter_namespaces(CLONE_NEWPID)) {
        return false;
    }
    pid_t const inside = ::fork();
    if (inside != 0) {
        int status = 0;
        ::waitpid(inside, &status, 0);
        ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    return true;
}

PARTYWALL_ROLE(holds_a_lock_in_a_pid_namespace) {
    lock_file const file(context);
    if (!become_first_of_a_pid_namespace()) {
        context.send("cannot");
        return 0;
    }
    life_lock const lock = file.must_take(context.number(3));
    context.send("held by pid " + std::to_string(::getpid()));
    for (;;) { // answers questions about others
        std::uint64_t const byte = std::stoull(context.receive());
        context.send(file.query(byte) == lock_state::held ? "held" : "not held");
    }
}

TEST(PidNamespace, LivenessIsRightBothWaysAlthoughThePidsAreEqualAndUnseen) {
    lock_file const file;
    test::child one = test::spawn("holds_a_lock_in_a_pid_namespace", file.arguments(1));
    std::string const answer = one.receive();
    if (answer == "cannot") {
        GTEST_SKIP() << "no right to make a PID namespace";
    }
    EXPECT_EQ(answer, "held by pid 1");
    test::child two = test::spawn("holds_a_lock_in_a_pid_namespace", file.arguments(2));
    two.expect("held by pid 1");
    auto const outside = file.take(3);
    ASSERT_TRUE(outside);

    EXPECT_EQ(file.query(1), lock_state::held);
    EXPECT_EQ(file.query(2), lock_state::held);
    for (test::child* const inside : {&one, &two}) {
        for (char const* const byte : {"1", "2", "3"}) {
            inside->send(byte);
            inside->expect("held");
        }
        inside->send("4");
        inside->expect("not held");
    }
    one.kill(SIGKILL);
    test::eventually([&] { return file.query(1) == lock_state::not_held; });
    EXPECT_EQ(file.query(2), lock_state::held);
    two.send("1");
    two.expect("not held");
    two.send("3");
    two.expect("held");
}

/// fork() with a pid of one's choice; needs to be first of a PID namespace.
pid_t fork_as(pid_t pid) {
    clone_args arguments;
    std::memset(&arguments, 0, sizeof arguments);
    arguments.exit_signal = SIGCHLD;
    arguments.set_tid = reinterpret_cast<std::uintptr_t>(&pid);
    arguments.set_tid_size = 1;
    return static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
}

PARTYWALL_ROLE(uses_a_pid_twice) {
    lock_file const file(context);
    if (!become_first_of_a_pid_namespace()) {
        context.send("cannot");
        return 0;
    }
    constexpr pid_t pid = 77;
    int ready[2];
    PARTYWALL_ROLE_CHECK(::pipe(ready) == 0);
    pid_t const victim = fork_as(pid);
    if (victim < 0 && (errno == EPERM || errno == ENOSYS || errno == E2BIG)) {
        context.send("cannot");
        return 0;
    }
    PARTYWALL_ROLE_CHECK(victim >= 0);
    if (victim == 0) {
        auto const lock = file.take(1);
        PARTYWALL_ROLE_CHECK(lock && ::write(ready[1], "x", 1) == 1);
        context.hang();
    }
    char byte = 0;
    PARTYWALL_ROLE_CHECK(::read(ready[0], &byte, 1) == 1);
    PARTYWALL_ROLE_CHECK(victim == pid && file.query(1) == lock_state::held);
    ::kill(victim, SIGKILL);
    ::waitpid(victim, nullptr, 0);

    pid_t const innocent = fork_as(pid);
    PARTYWALL_ROLE_CHECK(innocent >= 0);
    if (innocent == 0) {
        auto const lock = file.take(2);
        PARTYWALL_ROLE_CHECK(lock && ::write(ready[1], "x", 1) == 1);
        context.hang();
    }
    PARTYWALL_ROLE_CHECK(::read(ready[0], &byte, 1) == 1);
    PARTYWALL_ROLE_CHECK(innocent == victim);
    // The dead one's pid is alive; the dead one is not.
    PARTYWALL_ROLE_CHECK(::kill(victim, 0) == 0);
    test::eventually([&] { return file.query(1) == lock_state::not_held; });
    PARTYWALL_ROLE_CHECK(file.query(2) == lock_state::held);
    context.send("told apart");
    return 0;
}

TEST(PidNamespace, APidThatIsUsedAgainIsNotTakenForItsDeadPredecessor) {
    lock_file const file;
    test::child role = test::spawn("uses_a_pid_twice", file.arguments(0));
    std::string const answer = role.receive();
    if (answer == "cannot") {
        GTEST_SKIP() << "no right to choose pids in a PID namespace";
    }
    EXPECT_EQ(answer, "told apart");
    EXPECT_EQ(role.wait(), test::exited(0));
}

} // namespace
} // namespace partywall::os
