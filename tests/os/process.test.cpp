// SPDX-License-Identifier: BSL-1.0
#include <partywall/os/process.hpp>

#include <support/role.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <poll.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace partywall::os {
namespace {

using namespace test;

PARTYWALL_ROLE(names_its_pid_namespace) {
    context.send(std::to_string(pid_namespace()));
    context.hang();
}

TEST(Process, IsReadableFromItsEndOn) {
    child one = spawn("names_its_pid_namespace");
    (void)one.receive();
    unique_fd const fd = open_process(one.pid());
    ASSERT_TRUE(fd);
    pollfd poll_one{fd.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&poll_one, 1, 0), 0) << "it lives";
    one.kill(SIGKILL);
    EXPECT_EQ(::poll(&poll_one, 1, -1), 1);
    EXPECT_EQ(one.wait(), killed_by(SIGKILL));
    EXPECT_EQ(::poll(&poll_one, 1, 0), 1) << "for good";
}

TEST(Process, ThatDoesNotExistHasNoDescriptor) {
    EXPECT_FALSE(open_process(0x7fff'ffff));
    EXPECT_EQ(errno, ESRCH);
    EXPECT_FALSE(open_process(0));
}

TEST(Process, HasTheMemoryThatItHasWrittenTo) {
    constexpr std::uint64_t unknown = ~std::uint64_t{0};
    std::uint64_t const before = resident_bytes(::getpid());
    ASSERT_NE(before, unknown);
    std::vector<std::byte> const much(std::size_t{32} << 20, std::byte{1});
    EXPECT_GE(resident_bytes(::getpid()), before + (much.size() - (much.size() >> 3)));
    EXPECT_EQ(resident_bytes(0x7fff'ffff), unknown);
}

TEST(PidNamespace, IsThatOfTheChildrenToo) {
    struct stat status {};
    if (::stat("/proc/self/ns/pid", &status) != 0) {
        EXPECT_EQ(pid_namespace(), 0U);
        return;
    }
    EXPECT_NE(pid_namespace(), 0U);
    child one = spawn("names_its_pid_namespace");
    EXPECT_EQ(one.receive(), std::to_string(pid_namespace()));
    one.kill(SIGKILL);
    EXPECT_EQ(one.wait(), killed_by(SIGKILL));
}

} // namespace
} // namespace partywall::os
