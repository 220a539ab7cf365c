// SPDX-License-Identifier: BSL-1.0
#include <partywall/os/life_lock.hpp>

#include <partywall/os/unique_fd.hpp>

#include "lock_file.hpp"
#include "support/role.hpp"
#include "support/sandbox.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace partywall::os {
namespace {

using test::lock_file;

TEST(LifeLock, IsHeldFromTakeToRelease) {
    lock_file const file;
    EXPECT_EQ(file.query(7), lock_state::not_held);
    auto lock = file.take(7);
    ASSERT_TRUE(lock) << lock.error();
    EXPECT_TRUE(*lock);
    EXPECT_EQ(file.query(7), lock_state::held) << "one sees one's own locks";
    EXPECT_EQ(file.query(6), lock_state::not_held);
    EXPECT_EQ(file.query(8), lock_state::not_held);
    lock->release();
    EXPECT_FALSE(*lock);
    EXPECT_EQ(file.query(7), lock_state::not_held);
}

TEST(LifeLock, ReachesTheLastTicketAndBeyondButNotTheLastByte) {
    lock_file const file;
    for (std::uint64_t const byte :
         {std::uint64_t{0}, (std::uint64_t{1} << 40) - 1, (std::uint64_t{1} << 63) - 2}) {
        auto const lock = file.take(byte);
        ASSERT_TRUE(lock) << byte << ' ' << lock.error();
        EXPECT_EQ(file.query(byte), lock_state::held);
    }
    for (std::uint64_t const byte : {(std::uint64_t{1} << 63) - 1, UINT64_MAX}) {
        EXPECT_EQ(file.take(byte).error(), EINVAL);
        EXPECT_EQ(file.query(byte), lock_state::unknown);
    }
}

TEST(LifeLock, MovesWithItsHandle) {
    lock_file const file;
    life_lock first = file.must_take(1);
    life_lock second = std::move(first);
    EXPECT_FALSE(first); // NOLINT(bugprone-use-after-move): empty is what is promised
    EXPECT_TRUE(second);
    EXPECT_EQ(file.query(1), lock_state::held);
    second = file.must_take(2);
    EXPECT_EQ(file.query(1), lock_state::not_held) << "assignment drops what was held";
    EXPECT_EQ(file.query(2), lock_state::held);
}

TEST(LifeLock, AByteThatIsHeldCannotBeTakenNotEvenByTheSameProcess) {
    lock_file const file;
    auto const lock = file.take(3);
    ASSERT_TRUE(lock);
    EXPECT_EQ(file.take(3).error(), EAGAIN);
    EXPECT_TRUE(file.take(4)) << "bytes are independent";
    EXPECT_EQ(file.query(3), lock_state::held);
}

TEST(LifeLock, IsNotDroppedByClosingOtherDescriptorsOfTheFile) {
    lock_file const file;
    auto const lock = file.take(3);
    ASSERT_TRUE(lock);
    for (int i = 0; i < 3; ++i) { // with the classic kind of lock the first close would do it
        unique_fd const other = open(file.path().c_str(), O_RDWR);
        ASSERT_TRUE(other);
    }
    EXPECT_EQ(file.query(3), lock_state::held);
}

TEST(LifeLock, LeavesNoDescriptorOpen) {
    lock_file const file;
    unique_fd probe = open("/dev/null", O_RDONLY);
    int const next = probe.get();
    probe.reset();
    auto const lock = file.take(3);
    ASSERT_TRUE(lock);
    EXPECT_EQ(file.query(3), lock_state::held);
    probe = open("/dev/null", O_RDONLY);
    EXPECT_EQ(probe.get(), next);
}

TEST(LifeLock, RefusesAFileThatIsNotTheOneExpected) {
    lock_file const file;
    std::string const other = file.path() + ".other";
    unique_fd const fd = open(other.c_str(), O_CREAT | O_RDWR, 0600);
    EXPECT_EQ(life_lock::take(other, 1, file.identity(), 0600).error(), ESTALE);
    EXPECT_EQ(life_lock::take(other + "s", 1, file.identity(), 0600).error(), ENOENT);
    ASSERT_EQ(::symlink(file.path().c_str(), (other + ".link").c_str()), 0);
    EXPECT_EQ(life_lock::take(other + ".link", 1, file.identity(), 0600).error(), ELOOP);
    EXPECT_EQ(file.query(1), lock_state::not_held);
}

TEST(LifeLock, RefusesAFileOfTheWrongModeOrWithASecondName) {
    lock_file const file;
    EXPECT_EQ(life_lock::take(file.path(), 1, file.identity(), 0660).error(), EPERM);
    ASSERT_EQ(::link(file.path().c_str(), (file.path() + ".link").c_str()), 0);
    EXPECT_EQ(file.take(1).error(), EPERM);
}

TEST(LifeLock, AQuestionAboutAnotherFileIsNotProofOfDeath) {
    lock_file const file;
    auto const lock = file.take(1);
    ASSERT_TRUE(lock);
    errno = 4711;
    EXPECT_EQ(query_lock(file.path() + ".none", file.identity(), 2), lock_state::unknown);
    ASSERT_EQ(::symlink(file.path().c_str(), (file.path() + ".link").c_str()), 0);
    errno = 4711;
    EXPECT_EQ(query_lock(file.path() + ".link", file.identity(), 2), lock_state::unknown);
    EXPECT_EQ(errno, 4711);
    // Somebody removes the file and puts a new one in its place, on which nobody holds a lock.
    ASSERT_EQ(::unlink(file.path().c_str()), 0);
    EXPECT_EQ(file.query(1), lock_state::unknown);
    unique_fd const fd = open(file.path().c_str(), O_CREAT | O_RDWR, 0600);
    EXPECT_EQ(file.query(1), lock_state::unknown);
    ASSERT_EQ(::unlink(file.path().c_str()), 0);
    ASSERT_EQ(::mkfifo(file.path().c_str(), 0600), 0);
    EXPECT_EQ(file.query(1), lock_state::unknown) << "and a fifo is not waited for";
}

TEST(LifeLock, OutOfDescriptorsIsNotProofOfDeath) {
    lock_file const file;
    pid_t const child = ::fork();
    if (child == 0) {
        std::vector<unique_fd> all;
        while (unique_fd fd = open("/dev/null", O_RDONLY)) {
            all.push_back(std::move(fd));
        }
        bool const good = file.query(1) == lock_state::unknown && file.take(1).error() == EMFILE;
        ::_exit(good ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(file.query(1), lock_state::not_held);
}

PARTYWALL_ROLE(holds_a_lock) {
    lock_file const file(context);
    life_lock const lock = file.must_take(context.number(3));
    context.send("held");
    for (std::string what = context.receive();; what = context.receive()) {
        if (what == "close everything") {
            auto const keep = static_cast<unsigned>(context.descriptor());
            ::close_range(0, keep - 1, 0);
            ::close_range(keep + 1, ~0U, 0);
            context.send("closed");
        } else if (what == "fork") {
            pid_t const child = ::fork();
            if (child == 0) {
                // Lives until the test closes its end of the socket.
                PARTYWALL_ROLE_CHECK(!lock);
                while (context.receive() != "end") {
                }
                ::_exit(0);
            }
            context.send(std::to_string(child));
        } else if (what == "spawn") {
            pid_t child = 0;
            char name[] = "sleep";
            char seconds[] = "100";
            char* const arguments[] = {name, seconds, nullptr};
            PARTYWALL_ROLE_CHECK(
                ::posix_spawn(&child, "/bin/sleep", nullptr, nullptr, arguments, environ) == 0);
            context.send(std::to_string(child));
        } else if (what == "exit") {
            return 0;
        }
    }
}

class LifeLockProcess : public testing::Test {
  protected:
    test::child holder(std::uint64_t byte = 5) {
        test::child started = test::spawn("holds_a_lock", file_.arguments(byte));
        started.expect("held");
        EXPECT_EQ(file_.query(byte), lock_state::held);
        return started;
    }
    void expect_freed(std::uint64_t byte = 5) {
        test::eventually([&] { return file_.query(byte) == lock_state::not_held; });
    }

    lock_file file_;
};

TEST_F(LifeLockProcess, SigkillReleasesIt) {
    test::child victim = holder();
    victim.kill(SIGKILL);
    expect_freed();
}

TEST_F(LifeLockProcess, AnEndWithoutGoodbyesReleasesIt) {
    test::child victim = holder();
    victim.send("exit");
    EXPECT_EQ(victim.wait(), test::exited(0));
    expect_freed();
}

TEST_F(LifeLockProcess, AStoppedProcessHoldsIt) {
    test::child stopped = holder();
    stopped.stop();
    EXPECT_EQ(file_.query(5), lock_state::held);
    EXPECT_EQ(file_.take(5).error(), EAGAIN);
}

TEST_F(LifeLockProcess, SurvivesClosingEveryDescriptorAndIsReleasedOnSigkillThen) {
    test::child daemon = holder();
    daemon.send("close everything");
    daemon.expect("closed");
    EXPECT_EQ(file_.query(5), lock_state::held);
    daemon.kill(SIGKILL);
    expect_freed();
}

TEST_F(LifeLockProcess, SigkillReleasesItAlthoughAForkedChildLives) {
    test::child victim = holder();
    victim.send("fork");
    pid_t const child = std::stoi(victim.receive());
    victim.kill(SIGKILL);
    expect_freed();
    EXPECT_EQ(::kill(child, 0), 0) << "the child lived all the time";
}

TEST_F(LifeLockProcess, SigkillReleasesItAlthoughASpawnedProgramLives) {
    test::child victim = holder();
    victim.send("spawn");
    pid_t const child = std::stoi(victim.receive());
    victim.kill(SIGKILL);
    expect_freed();
    EXPECT_EQ(::kill(child, SIGKILL), 0) << "the program lived all the time";
}

TEST_F(LifeLockProcess, TellsTheDeadByTheirBytes) {
    test::child one = holder(1);
    test::child two = holder(2);
    one.kill(SIGKILL);
    expect_freed(1);
    EXPECT_EQ(file_.query(2), lock_state::held);
}

TEST(LifeLockFork, AChildNeitherHoldsItNorCanDropIt) {
    lock_file const file;
    auto lock = file.take(5);
    ASSERT_TRUE(lock);
    pid_t const child = ::fork();
    if (child == 0) {
        bool good = !*lock;
        good = good && file.query(5) == lock_state::held && file.take(5).error() == EAGAIN;
        // Where the parent's page was, the child may have mapped something of its own by now:
        // dropping the inherited handle must leave every mapping alone.
        std::vector<void*> pages;
        for (int i = 0; i < 64; ++i) {
            pages.push_back(::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        }
        lock->release();
        unsigned char resident = 0;
        for (void* const page : pages) {
            good = good && ::mincore(page, 4096, &resident) == 0;
        }
        good = good && file.query(5) == lock_state::held;
        auto const own = file.take(6); // the child may have one of its own
        good = good && own && file.query(6) == lock_state::held;
        ::_exit(good ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(file.query(5), lock_state::held);
    EXPECT_EQ(file.query(6), lock_state::not_held);
}

TEST(LifeLockFork, ForksOfOtherThreadsNeverCatchItHalfTaken) {
    lock_file const file;
    constexpr std::uint64_t locks = 2000;
    std::atomic<bool> done{false};
    std::vector<pid_t> children;
    std::thread forker([&] {
        while (!done.load() && children.size() < 300) {
            pid_t const child = ::fork();
            if (child == 0) {
                ::pause();
                ::_exit(0);
            }
            if (child > 0) {
                children.push_back(child);
            }
        }
    });
    for (std::uint64_t byte = 0; byte < locks; ++byte) {
        EXPECT_TRUE(file.take(byte)); // and released at once
    }
    done.store(true);
    forker.join();
    EXPECT_FALSE(children.empty());
    std::uint64_t inherited = 0;
    for (std::uint64_t byte = 0; byte < locks; ++byte) {
        inherited += file.query(byte) == lock_state::not_held ? 0 : 1;
    }
    EXPECT_EQ(inherited, 0U) << "all children live";
    for (pid_t const child : children) {
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
    }
}

} // namespace
} // namespace partywall::os
