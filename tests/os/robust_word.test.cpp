// SPDX-License-Identifier: BSL-1.0
#include <partywall/os/robust_word.hpp>

#include <partywall/os/futex.hpp>
#include <partywall/os/unique_fd.hpp>

#include "support/role.hpp"
#include "support/sandbox.hpp"
#include "support/scratch_root.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace partywall::os {
namespace {

class word_file {
  public:
    explicit word_file(std::string const& path, int protection = PROT_READ | PROT_WRITE)
        : fd_(open(path.c_str(), O_CREAT | O_RDWR, 0600)) {
        if (::ftruncate(fd_.get(), 4096) == 0) {
            page_ = ::mmap(nullptr, 4096, protection, MAP_SHARED, fd_.get(), 0);
        }
    }
    ~word_file() { ::munmap(page_, 4096); }
    word_file(word_file const&) = delete;
    word_file& operator=(word_file const&) = delete;
    void* memory() const { return page_; }

  private:
    unique_fd fd_;
    void* page_ = MAP_FAILED;
};

struct alignas(8) private_word {
    private_word() { EXPECT_TRUE(robust_init(memory)); }
    std::byte memory[robust_word_bytes]{};
};

TEST(RobustWord, IsHeldAndReleased) {
    private_word word;
    EXPECT_EQ(robust_value(word.memory), 0U);
    EXPECT_FALSE(robust_is_held(0));
    EXPECT_FALSE(robust_owner_died(0));

    ASSERT_TRUE(robust_hold(word.memory));
    std::uint32_t const held = robust_value(word.memory);
    EXPECT_TRUE(robust_is_held(held));
    EXPECT_FALSE(robust_owner_died(held));
    EXPECT_EQ(held, FUTEX_WAITERS | static_cast<std::uint32_t>(::gettid()));

    robust_release(word.memory);
    EXPECT_EQ(robust_value(word.memory), 0U) << "a release is no notice";
    EXPECT_TRUE(robust_hold(word.memory));
    robust_release(word.memory);
}

TEST(RobustWord, IsHeldByOneThreadAtATime) {
    private_word word;
    ASSERT_TRUE(robust_hold(word.memory));
    EXPECT_FALSE(robust_hold(word.memory)) << "not twice";
    std::thread([&] { EXPECT_FALSE(robust_hold(word.memory)); }).join();
    robust_release(word.memory);
    std::thread([&] {
        EXPECT_TRUE(robust_hold(word.memory));
        robust_release(word.memory);
    }).join();
}

TEST(RobustWord, AThreadThatEndsHoldingItIsMarkedAndTheWordCanBeTakenOver) {
    private_word word;
    std::thread([&] { EXPECT_TRUE(robust_hold(word.memory)); }).join();
    std::uint32_t const marked = robust_value(word.memory);
    EXPECT_TRUE(robust_owner_died(marked));
    EXPECT_FALSE(robust_is_held(marked));

    for (int i = 0; i < 2; ++i) { // made consistent: it stays usable
        ASSERT_TRUE(robust_hold(word.memory));
        EXPECT_EQ(robust_value(word.memory),
                  FUTEX_WAITERS | static_cast<std::uint32_t>(::gettid()));
        robust_release(word.memory);
        EXPECT_EQ(robust_value(word.memory), 0U);
    }
}

TEST(RobustWord, ReleasingOneOfManyLeavesTheOthersHeld) {
    private_word words[3];
    for (private_word& word : words) {
        ASSERT_TRUE(robust_hold(word.memory));
    }
    robust_release(words[1].memory);
    EXPECT_TRUE(robust_is_held(robust_value(words[0].memory)));
    EXPECT_FALSE(robust_is_held(robust_value(words[1].memory)));
    EXPECT_TRUE(robust_is_held(robust_value(words[2].memory)));
    robust_release(words[0].memory);
    robust_release(words[2].memory);
}

/// Nobody tells them of a death while nobody holds the word.
TEST(RobustWord, ReleasingItWakesEverySleeper) {
    private_word word;
    ASSERT_TRUE(robust_hold(word.memory));
    std::uint32_t const held = robust_value(word.memory);
    std::vector<std::thread> sleepers;
    for (int i = 0; i < 3; ++i) {
        sleepers.emplace_back([&] {
            futex_word const one{robust_futex(word.memory), held, true};
            while (robust_value(word.memory) == held) {
                (void)futex_wait(one, ~std::uint64_t{0} >> 1);
            }
        });
    }
    robust_release(word.memory);
    for (std::thread& one : sleepers) {
        one.join();
    }
}

/// Holds the word of the file and ends as it is told.
PARTYWALL_ROLE(holds_a_word) {
    word_file const file(context.arg(0));
    PARTYWALL_ROLE_CHECK(robust_init(file.memory()));
    PARTYWALL_ROLE_CHECK(robust_hold(file.memory()));
    context.send("held");
    std::string const what = context.receive();
    if (what == "fork") {
        pid_t const child = ::fork();
        if (child == 0) {
            ::_exit(robust_is_held(robust_value(file.memory())) ? 0 : 1);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        context.send(status == 0 ? "child gone" : "child saw no holder");
    } else if (what == "exec") {
        ::execl("/bin/true", "true", nullptr);
    } else if (what == "exit") {
        std::exit(0); // and not a return, which would unmap the word while it is held
    }
    context.hang();
}

class RobustWordProcess : public testing::Test {
  protected:
    test::scratch_root root_;
    std::string path_ = root_.path() + "/word";
};

TEST_F(RobustWordProcess, SigkillMarksItAndWakesASleeper) {
    test::child holder = test::spawn("holds_a_word", {path_});
    holder.expect("held");
    word_file const file(path_, PROT_READ); // as everybody but the holder maps it
    std::uint32_t const held = robust_value(file.memory());
    ASSERT_TRUE(robust_is_held(held));
    ASSERT_NE(held & FUTEX_WAITERS, 0U) << "else the kernel marks, but wakes nobody";
    EXPECT_EQ(held & FUTEX_TID_MASK, static_cast<std::uint32_t>(holder.pid()));

    std::atomic<int> tid{0};
    std::thread sleeper([&] {
        tid.store(::gettid());
        // Ends only by the kernel's wake.
        EXPECT_EQ(futex_wait({robust_futex(file.memory()), held, true}, UINT64_MAX),
                  futex_result::woken);
    });
    test::eventually([&] { return tid.load() != 0 && test::is_asleep(tid.load()); });
    holder.kill(SIGKILL);
    sleeper.join();
    EXPECT_TRUE(robust_owner_died(robust_value(file.memory())));
    EXPECT_FALSE(robust_is_held(robust_value(file.memory())));
}

TEST_F(RobustWordProcess, SigkillEndsAWaitOnManyWords) {
    test::child holder = test::spawn("holds_a_word", {path_});
    holder.expect("held");
    word_file const file(path_, PROT_READ);
    std::uint32_t const held = robust_value(file.memory());
    std::uint32_t bell = 0;
    std::atomic<int> tid{0};
    std::thread sleeper([&] {
        tid.store(::gettid());
        futex_word const words[] = {{&bell, 0, false}, {robust_futex(file.memory()), held, true}};
        futex_wait_any(words, UINT64_MAX);
        EXPECT_TRUE(robust_owner_died(robust_value(file.memory())));
    });
    test::eventually([&] { return tid.load() != 0 && test::is_asleep(tid.load()); });
    holder.kill(SIGKILL);
    sleeper.join();
}

TEST_F(RobustWordProcess, AStoppedHolderHoldsIt) {
    test::child holder = test::spawn("holds_a_word", {path_});
    holder.expect("held");
    word_file const file(path_, PROT_READ);
    std::uint32_t const held = robust_value(file.memory());
    holder.stop();
    EXPECT_EQ(robust_value(file.memory()), held);
}

TEST_F(RobustWordProcess, EndingWithoutReleaseMarksItToo) {
    test::child holder = test::spawn("holds_a_word", {path_});
    holder.expect("held");
    word_file const file(path_, PROT_READ);
    holder.send("exit");
    EXPECT_EQ(holder.wait(), test::exited(0));
    EXPECT_TRUE(robust_owner_died(robust_value(file.memory())));
}

TEST_F(RobustWordProcess, ExecMarksItSinceTheParticipantIsGone) {
    test::child holder = test::spawn("holds_a_word", {path_});
    holder.expect("held");
    word_file const file(path_, PROT_READ);
    holder.send("exec");
    EXPECT_EQ(holder.wait(), test::exited(0));
    EXPECT_TRUE(robust_owner_died(robust_value(file.memory())));
}

TEST_F(RobustWordProcess, AForkedChildThatEndsMarksNothing) {
    test::child holder = test::spawn("holds_a_word", {path_});
    holder.expect("held");
    word_file const file(path_, PROT_READ);
    std::uint32_t const held = robust_value(file.memory());
    holder.send("fork");
    holder.expect("child gone");
    EXPECT_EQ(robust_value(file.memory()), held);
}

TEST_F(RobustWordProcess, ANewHolderTakesOverFromADeadOne) {
    test::child holder = test::spawn("holds_a_word", {path_});
    holder.expect("held");
    holder.kill(SIGKILL);
    EXPECT_EQ(holder.wait(), test::killed_by(SIGKILL));
    word_file const file(path_);
    ASSERT_TRUE(robust_owner_died(robust_value(file.memory())));
    ASSERT_TRUE(robust_hold(file.memory()));
    EXPECT_EQ(robust_value(file.memory()), FUTEX_WAITERS | static_cast<std::uint32_t>(::gettid()));
    robust_release(file.memory());
}

} // namespace
} // namespace partywall::os
