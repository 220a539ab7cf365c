// SPDX-License-Identifier: BSL-1.0
#include <partywall/os/unique_fd.hpp>

#include <partywall/os/file_identity.hpp>

#include "support/role.hpp"
#include "support/scratch_root.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace partywall::os {
namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(UniqueFd, ClosesWhatItHoldsOnceAndKeepsErrno) {
    unique_fd first = open("/dev/null", O_RDONLY);
    ASSERT_TRUE(first);
    int const number = first.get();
    unique_fd second = std::move(first);
    EXPECT_FALSE(first); // NOLINT(bugprone-use-after-move): empty is what is promised
    EXPECT_TRUE(is_open(number));
    errno = 4711;
    second.reset();
    EXPECT_EQ(errno, 4711);
    EXPECT_FALSE(is_open(number));
}

TEST(UniqueFd, MoveAssignmentClosesTheOldDescriptor) {
    unique_fd first = open("/dev/null", O_RDONLY);
    unique_fd second = open("/dev/null", O_RDONLY);
    int const old = first.get();
    int const taken = second.get();
    first = std::move(second);
    EXPECT_FALSE(is_open(old));
    EXPECT_EQ(first.get(), taken);
    EXPECT_TRUE(is_open(taken));
}

TEST(UniqueFd, OpensForThisProgramOnly) {
    unique_fd const fd = open("/dev/null", O_RDONLY);
    EXPECT_NE(::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(UniqueFd, SaysWhyNothingCouldBeOpened) {
    errno = 0;
    EXPECT_FALSE(open("/nowhere/at/all", O_RDONLY));
    EXPECT_EQ(errno, ENOENT);
}

PARTYWALL_ROLE(opens_without_standard_descriptors) {
    ::close(STDIN_FILENO);
    ::close(STDOUT_FILENO);
    unique_fd const fd = open("/dev/null", O_RDWR);
    PARTYWALL_ROLE_CHECK(fd.get() > STDERR_FILENO);
    PARTYWALL_ROLE_CHECK((::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
    PARTYWALL_ROLE_CHECK(!is_open(STDIN_FILENO) && !is_open(STDOUT_FILENO));
    return 0;
}

TEST(UniqueFd, NeverAnswersTheNumberOfAStandardDescriptor) {
    EXPECT_EQ(test::spawn("opens_without_standard_descriptors").wait(), test::exited(0));
}

TEST(FileIdentity, IsOfTheFileAndNotOfItsName) {
    test::scratch_root root;
    std::string const one = root.path() + "/one";
    std::string const link = root.path() + "/link";
    unique_fd const fd = open(one.c_str(), O_CREAT | O_RDWR, 0600);
    ASSERT_TRUE(fd);
    auto const identity = identity_of(fd.get());
    EXPECT_EQ(identity, identity_of(one.c_str()));

    ASSERT_EQ(::symlink(one.c_str(), link.c_str()), 0);
    EXPECT_NE(identity_of(link.c_str()), identity) << "links are not followed";

    ASSERT_EQ(::unlink(one.c_str()), 0);
    unique_fd const next = open(one.c_str(), O_CREAT | O_RDWR, 0600);
    EXPECT_NE(identity_of(one.c_str()), identity);
    ASSERT_EQ(::unlink(one.c_str()), 0);
    EXPECT_EQ(identity_of(one.c_str()), std::nullopt);
    EXPECT_EQ(identity_of(-1), std::nullopt);
}

} // namespace
} // namespace partywall::os
