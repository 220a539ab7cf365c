// SPDX-License-Identifier: BSL-1.0
#include <partywall/os/futex.hpp>

#include <partywall/os/clock.hpp>
#include <partywall/os/unique_fd.hpp>

#include "support/role.hpp"
#include "support/sandbox.hpp"
#include "support/scratch_root.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace partywall::os {
namespace {

constexpr std::uint64_t for_ever = UINT64_MAX;
constexpr std::uint64_t ms = 1'000'000;

std::atomic_ref<std::uint32_t> atomic(std::uint32_t& word) {
    return std::atomic_ref<std::uint32_t>(word);
}

/// A page of a file, as two processes map it.
class shared_page {
  public:
    explicit shared_page(std::string const& path, int protection = PROT_READ | PROT_WRITE)
        : fd_(open(path.c_str(), O_CREAT | O_RDWR, 0600)) {
        if (::ftruncate(fd_.get(), 4096) == 0) {
            page_ = ::mmap(nullptr, 4096, protection, MAP_SHARED, fd_.get(), 0);
        }
    }
    ~shared_page() { ::munmap(page_, 4096); }
    shared_page(shared_page const&) = delete;
    shared_page& operator=(shared_page const&) = delete;
    std::uint32_t& word() const { return *static_cast<std::uint32_t*>(page_); }

  private:
    unique_fd fd_;
    void* page_ = MAP_FAILED;
};

TEST(Futex, DoesNotSleepOnAWordThatHasChanged) {
    std::uint32_t word = 2;
    EXPECT_EQ(futex_wait({&word, 1, false}, for_ever), futex_result::changed);
    EXPECT_EQ(futex_wait({&word, 1, true}, for_ever), futex_result::changed);
}

TEST(Futex, SleepsUntilItsDeadlineAndNoShorter) {
    std::uint32_t word = 1;
    for (bool const shared : {false, true}) {
        std::uint64_t const until = monotonic_ns() + 3 * ms;
        EXPECT_EQ(futex_wait({&word, 1, shared}, until), futex_result::timed_out);
        EXPECT_GE(monotonic_ns(), until);
    }
}

TEST(Futex, ADeadlineInThePastIsOver) {
    std::uint32_t word = 1;
    EXPECT_EQ(futex_wait({&word, 1, false}, 0), futex_result::timed_out);
    EXPECT_EQ(futex_wait({&word, 1, false}, 1), futex_result::timed_out);
}

TEST(Futex, KeepsErrno) {
    std::uint32_t word = 1;
    futex_word const words[] = {{&word, 1, false}, {&word, 1, false}};
    errno = 4711;
    futex_wait({&word, 0, false}, for_ever);
    futex_wait({&word, 1, false}, 0);
    futex_wait_any(words, 0);
    futex_wait_any({}, 0);
    futex_wake(word, 1, false);
    have_futex_waitv();
    EXPECT_EQ(errno, 4711);
}

TEST(Futex, AnAddressThatIsNoneDoesNotSleepForEver) {
    auto const* const nowhere = reinterpret_cast<std::uint32_t const*>(std::uintptr_t{16});
    EXPECT_EQ(futex_wait({nowhere, 0, true}, for_ever), futex_result::changed);
}

PARTYWALL_ROLE(sleeps_on_a_read_only_word) {
    shared_page const page(context.arg(0), PROT_READ);
    context.send("going");
    futex_result const result = futex_wait({&page.word(), 7, true}, for_ever);
    context.send(result == futex_result::woken ? "woken" : "not woken");
    return 0;
}

TEST(Futex, WakesAnotherProcessThatMapsTheWordReadOnly) {
    test::scratch_root root;
    shared_page const page(root.path() + "/page");
    atomic(page.word()).store(7);
    test::child sleeper = test::spawn("sleeps_on_a_read_only_word", {root.path() + "/page"});
    sleeper.expect("going");
    // The word never changes, so only a wake can end the sleep.
    std::atomic<bool> done{false};
    std::thread waker([&] {
        while (!done.load()) {
            futex_wake(page.word(), INT_MAX, true);
            std::this_thread::yield();
        }
    });
    std::string const answer = sleeper.receive();
    done.store(true);
    waker.join();
    EXPECT_EQ(answer, "woken");
}

TEST(Futex, APrivateWakeDoesNotReachASharedSleeper) {
    test::scratch_root root;
    shared_page const page(root.path() + "/page");
    std::atomic<int> tid{0};
    std::thread sleeper([&] {
        tid.store(::gettid());
        EXPECT_EQ(futex_wait({&page.word(), 0, true}, for_ever), futex_result::woken);
    });
    test::eventually([&] { return tid.load() != 0 && test::is_asleep(tid.load()); });
    futex_wake(page.word(), INT_MAX, false);
    EXPECT_TRUE(test::is_asleep(tid.load()));
    futex_wake(page.word(), INT_MAX, true);
    sleeper.join();
}

void do_nothing(int) {}

TEST(Futex, ASignalHandlerEndsTheSleep) {
    struct sigaction action {};
    action.sa_handler = do_nothing;
    struct sigaction old {};
    ASSERT_EQ(::sigaction(SIGUSR1, &action, &old), 0);
    std::uint32_t word = 1;
    std::uint32_t other = 1;
    futex_word const words[] = {{&word, 1, false}, {&other, 1, false}};
    for (int kind = 0; kind < 4; ++kind) {
        for_test::disable_futex_waitv(kind == 3);
        std::atomic<bool> done{false};
        std::thread sleeper([&] {
            futex_result result{};
            switch (kind) {
            case 0: result = futex_wait(words[0], for_ever); break;
            case 1: result = futex_wait_any({}, for_ever); break;
            // With slices as long as the wait: what ends it is the signal, not the slice.
            default: result = futex_wait_any(words, for_ever, for_ever); break;
            }
            EXPECT_EQ(result, futex_result::signalled) << kind;
            done.store(true);
        });
        while (!done.load()) {
            ::pthread_kill(sleeper.native_handle(), SIGUSR1);
            std::this_thread::yield();
        }
        sleeper.join();
    }
    for_test::disable_futex_waitv(false);
    ::sigaction(SIGUSR1, &old, nullptr);
}

/// With the kernel's wait on many words, and without it.
class FutexAny : public testing::TestWithParam<bool> {
  protected:
    void SetUp() override {
        if (GetParam() && !have_futex_waitv()) {
            GTEST_SKIP() << "no futex_waitv: Linux < 5.16, or a sandbox";
        }
        for_test::disable_futex_waitv(!GetParam());
        EXPECT_EQ(have_futex_waitv(), GetParam());
    }
    void TearDown() override { for_test::disable_futex_waitv(false); }

    static std::vector<futex_word> words_of(std::vector<std::uint32_t>& memory) {
        std::vector<futex_word> words;
        for (std::size_t i = 0; i < memory.size(); ++i) {
            words.push_back({&memory[i], 0, i % 2 == 0}); // both kinds in one wait
        }
        return words;
    }
};

TEST_P(FutexAny, DoesNotSleepWhenAnyWordHasChanged) {
    for (std::size_t const count : {1U, 2U, 128U, 129U, 300U}) {
        for (std::size_t const changed : {std::size_t{0}, count / 2, count - 1}) {
            std::vector<std::uint32_t> memory(count, 0);
            memory[changed] = 1;
            EXPECT_EQ(futex_wait_any(words_of(memory), for_ever), futex_result::changed)
                << count << ' ' << changed;
        }
    }
}

TEST_P(FutexAny, SleepsUntilItsDeadlineAndNoShorter) {
    for (std::size_t const count : {0U, 1U, 2U, 128U, 200U}) {
        std::vector<std::uint32_t> memory(count, 0);
        std::uint64_t const until = monotonic_ns() + 3 * ms;
        EXPECT_EQ(futex_wait_any(words_of(memory), until), futex_result::timed_out) << count;
        EXPECT_GE(monotonic_ns(), until);
    }
}

TEST_P(FutexAny, ADeadlineInThePastIsOver) {
    std::vector<std::uint32_t> memory(3, 0);
    EXPECT_EQ(futex_wait_any(words_of(memory), 0), futex_result::timed_out);
    EXPECT_EQ(futex_wait_any({}, 0), futex_result::timed_out);
}

TEST_P(FutexAny, AChangeOfAnyWordEndsTheSleep) {
    for (std::size_t const count : {2U, 128U, 200U}) {
        for (std::size_t const changed : {std::size_t{0}, std::size_t{1}, count - 1}) {
            std::vector<std::uint32_t> memory(count, 0);
            auto const words = words_of(memory);
            std::atomic<int> tid{0};
            std::thread sleeper([&] {
                tid.store(::gettid());
                futex_result const result = futex_wait_any(words, for_ever);
                EXPECT_TRUE(result == futex_result::woken || result == futex_result::changed);
            });
            test::eventually([&] { return tid.load() != 0 && test::is_asleep(tid.load()); });
            atomic(memory[changed]).store(1);
            futex_wake(memory[changed], INT_MAX, words[changed].shared);
            sleeper.join(); // for ever, if the change went unseen
        }
    }
}

TEST_P(FutexAny, AWakeOfTheFirstWordEndsTheSleepAlthoughNothingChanged) {
    std::vector<std::uint32_t> memory(5, 0);
    auto const words = words_of(memory);
    std::atomic<bool> done{false};
    std::thread sleeper([&] {
        // No slice will end: only the wake.
        EXPECT_EQ(futex_wait_any(words, for_ever, for_ever), futex_result::woken);
        done.store(true);
    });
    while (!done.load()) {
        futex_wake(memory[0], INT_MAX, true);
        std::this_thread::yield();
    }
    sleeper.join();
}

INSTANTIATE_TEST_SUITE_P(Kernel, FutexAny, testing::Values(true, false),
                         [](auto const& with) { return with.param ? "Waitv" : "Slices"; });

constexpr long futex_waitv_number = 449;

/// Sleeps on two words until the second changes, in a process that may not call futex_waitv.
void sleep_without_waitv() {
    std::uint32_t memory[2] = {0, 0};
    futex_word const words[] = {{&memory[0], 0, false}, {&memory[1], 0, false}};
    std::thread changer([&] { atomic(memory[1]).store(1); });
    while (atomic(memory[1]).load() == 0) {
        futex_wait_any(words, monotonic_ns() + 1000 * ms);
    }
    changer.join();
    PARTYWALL_ROLE_CHECK(futex_wait_any(words, UINT64_MAX) == futex_result::changed);
    PARTYWALL_ROLE_CHECK(!have_futex_waitv());
}

PARTYWALL_ROLE(is_forbidden_waitv_from_the_start) {
    test::forbid_system_call(futex_waitv_number, static_cast<int>(context.number(0)));
    PARTYWALL_ROLE_CHECK(!have_futex_waitv());
    sleep_without_waitv();
    return 0;
}

PARTYWALL_ROLE(is_forbidden_waitv_later) {
    (void)have_futex_waitv();
    test::forbid_system_call(futex_waitv_number, static_cast<int>(context.number(0)));
    std::uint32_t memory[2] = {0, 0};
    futex_word const words[] = {{&memory[0], 0, false}, {&memory[1], 0, false}};
    // The first call finds out and sends the caller round again, the second sleeps in slices.
    futex_wait_any(words, 0);
    PARTYWALL_ROLE_CHECK(futex_wait_any(words, 0) == futex_result::timed_out);
    sleep_without_waitv();
    return 0;
}

TEST(FutexSandbox, MakesDoWithoutWaitvWhateverTheSandboxAnswers) {
    for (int const error : {EPERM, ENOSYS}) {
        for (char const* const role :
             {"is_forbidden_waitv_from_the_start", "is_forbidden_waitv_later"}) {
            EXPECT_EQ(test::spawn(role, {std::to_string(error)}).wait(), test::exited(0)) << role;
        }
    }
}

} // namespace
} // namespace partywall::os
