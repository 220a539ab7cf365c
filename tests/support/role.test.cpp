// SPDX-License-Identifier: BSL-1.0
// The support of the other tests: roles.
#include "role.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <stdexcept>
#include <thread>
#include <unistd.h>

namespace partywall::test {
namespace {

PARTYWALL_ROLE(echo) {
    for (std::string line = context.receive(); line != "end"; line = context.receive()) {
        context.send(line);
    }
    return static_cast<int>(context.number(0));
}

PARTYWALL_ROLE(hangs) {
    context.send("up");
    context.hang();
}

PARTYWALL_ROLE(throws) { throw std::runtime_error("on purpose"); }

PARTYWALL_ROLE(checks) {
    PARTYWALL_ROLE_CHECK(1 + 1 == 2);
    PARTYWALL_ROLE_CHECK(context.args() == 17);
    return 0;
}

PARTYWALL_ROLE(counts_descriptors) {
    std::string seen;
    for (int i = 0; i < 256; ++i) {
        if (::fcntl(i, F_GETFD) >= 0 && i != context.descriptor()) {
            seen += std::to_string(i) + " ";
        }
    }
    context.send(seen);
    return 0;
}

PARTYWALL_ROLE(leaves_a_forked_child) {
    pid_t const forked = ::fork();
    if (forked == 0) {
        context.hang();
    }
    context.send(std::to_string(forked));
    context.hang();
}

PARTYWALL_ROLE(spawns_and_hangs) {
    child inner = spawn("hangs");
    inner.expect("up");
    context.send(std::to_string(inner.pid()));
    context.hang();
}

TEST(Role, SpeaksWithItsTestInLinesAndReturnsItsExitCode) {
    child role = spawn("echo", {"42", "second argument"});
    role.send("hello");
    role.expect("hello");
    std::string const odd("a\0b\nc", 5);
    role.send(odd);
    EXPECT_EQ(role.receive(), odd);
    role.send("end");
    EXPECT_EQ(role.wait(), exited(42));
    EXPECT_EQ(role.wait(), exited(42)) << "asked again";
}

TEST(Role, IsAProcessOfItsOwn) {
    child role = spawn("hangs");
    role.expect("up");
    EXPECT_NE(role.pid(), ::getpid());
    role.kill(SIGKILL);
    EXPECT_EQ(role.wait(), killed_by(SIGKILL));
}

TEST(Role, DiesWithItsChildObject) {
    pid_t pid = 0;
    {
        child role = spawn("hangs");
        role.expect("up");
        pid = role.pid();
        EXPECT_EQ(::kill(pid, 0), 0);
    }
    EXPECT_EQ(::kill(pid, 0), -1);
    EXPECT_EQ(errno, ESRCH);
}

TEST(Role, MayBeStoppedAndResumed) {
    child role = spawn("echo", {"0"});
    for (int i = 0; i < 3; ++i) {
        role.stop();
        role.send("while stopped");
        role.resume();
        role.expect("while stopped");
    }
    role.send("end");
    EXPECT_EQ(role.wait(), exited(0));
}

TEST(Role, IsKilledByTheKernelWhenTheProcessThatSpawnedItIsKilled) {
    child outer = spawn("spawns_and_hangs");
    pid_t const inner = std::stoi(outer.receive());
    outer.kill(SIGKILL);
    EXPECT_EQ(outer.wait(), killed_by(SIGKILL));
    // The inner one is reaped by init, so only its absence can be waited for.
    while (::kill(inner, 0) == 0 &&
           std::filesystem::exists("/proc/" + std::to_string(inner) + "/exe")) {
        std::this_thread::yield(); // a zombie has no exe
    }
}

TEST(Role, ThatEndedIsNoticedByTheTestThatWaitsForALine) {
    child role = spawn("echo", {"3"});
    role.send("end");
    try {
        role.expect("anything");
        FAIL() << "got a line from the dead";
    } catch (std::runtime_error const& e) {
        EXPECT_NE(std::string(e.what()).find("ended with exit code 3"), std::string::npos)
            << e.what();
    }
}

TEST(Role, ThatWasKilledIsNoticedAlthoughAForkedChildHoldsItsSocket) {
    child role = spawn("leaves_a_forked_child");
    pid_t const forked = std::stoi(role.receive());
    role.kill(SIGKILL);
    EXPECT_THROW(role.expect("anything"), std::runtime_error);
    EXPECT_EQ(::kill(forked, SIGKILL), 0) << "the forked child had lived on";
}

TEST(Role, ThatSaysSomethingElseFailsTheTest) {
    child role = spawn("echo", {"0"});
    role.send("one");
    EXPECT_THROW(role.expect("two"), std::runtime_error);
}

TEST(Role, EndsWithACodeOfItsOwnForExceptionsChecksAndUnexpectedLines) {
    EXPECT_EQ(spawn("throws").wait(), exited(98));
    EXPECT_EQ(spawn("checks").wait(), exited(99));
    EXPECT_THROW((void)spawn("no such role"), std::invalid_argument);
}

TEST(Role, InheritsNothingButTheStandardStreams) {
    int const with_cloexec = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    child first = spawn("hangs"); // its socket must not leak into the next
    child role = spawn("counts_descriptors");
    std::string const seen = role.receive();
    // A harness above us (a shell, a test runner) may have given us more than 0, 1 and 2.
    std::string ours;
    for (int i = 0; i < 256; ++i) {
        int const flags = ::fcntl(i, F_GETFD);
        if (flags >= 0 && (flags & FD_CLOEXEC) == 0) {
            ours += std::to_string(i) + " ";
        }
    }
    EXPECT_EQ(seen, ours);
    ::close(with_cloexec);
}

} // namespace
} // namespace partywall::test
