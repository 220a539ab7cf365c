// SPDX-License-Identifier: BSL-1.0
#include <partywall/os/fork_mark.hpp>

#include "support/role.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <functional>
#include <set>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace partywall::os {
namespace {

/// Runs `body` in a forked child and says whether it held there.
bool in_child(std::function<bool()> const& body) {
    pid_t const child = ::fork();
    if (child == 0) {
        ::_exit(body() ? 0 : 1);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    return status == 0;
}

bool forks_are_told() {
    fork_mark const mine = fork_mark::current();
    bool good = !mine.is_child();
    good = good && in_child([&] {
               bool told = mine.is_child(); // before the child ever asks for a mark of its own
               fork_mark const childs = fork_mark::current();
               told = told && mine.is_child() && !childs.is_child();
               return told && in_child([&] {
                          bool const both = mine.is_child() && childs.is_child();
                          fork_mark const grandchilds = fork_mark::current();
                          return both && mine.is_child() && childs.is_child() &&
                                 !grandchilds.is_child();
                      });
           });
    return good && !mine.is_child() && !fork_mark::current().is_child();
}

TEST(ForkMark, TellsAChildAndAGrandchildFromTheirForebears) { EXPECT_TRUE(forks_are_told()); }

TEST(ForkMark, TellsChildrenOfSiblingsTheSame) {
    fork_mark const mine = fork_mark::current();
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(in_child([&] {
            fork_mark const childs = fork_mark::current();
            return mine.is_child() && !childs.is_child();
        }));
    }
}

TEST(ForkMark, TellsAChildOfARawCloneForWhichNoHandlerRuns) {
    fork_mark const mine = fork_mark::current();
    auto const child = static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    if (child == 0) {
        ::syscall(SYS_exit_group, mine.is_child() ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_FALSE(mine.is_child());
}

PARTYWALL_ROLE(cannot_wipe_on_fork) {
    for_test::disable_wipe_on_fork();
    return forks_are_told() ? 0 : 1;
}

TEST(ForkMark, TellsForksWithoutTheKernelsHelp) {
    EXPECT_EQ(test::spawn("cannot_wipe_on_fork").wait(), test::exited(0));
}

PARTYWALL_ROLE(many_threads_take_the_first_mark) {
    // All marks of one process are marks of one generation: after a fork all or none are a
    // child's, and in the process that took them none is.
    for (int round = 0; round < 20; ++round) {
        bool const good = in_child([] {
            std::vector<fork_mark> marks(8, fork_mark::current());
            return in_child([&] {
                std::vector<std::thread> threads;
                for (fork_mark& mark : marks) {
                    threads.emplace_back([&] { mark = fork_mark::current(); });
                }
                for (std::thread& thread : threads) {
                    thread.join();
                }
                bool all = true;
                for (fork_mark const& mark : marks) {
                    all = all && !mark.is_child();
                }
                return all && in_child([&] {
                           bool none = true;
                           for (fork_mark const& mark : marks) {
                               none = none && mark.is_child();
                           }
                           return none;
                       });
            });
        });
        PARTYWALL_ROLE_CHECK(good);
    }
    return 0;
}

TEST(ForkMark, ThreadsThatAskFirstTogetherGetTheSameMark) {
    EXPECT_EQ(test::spawn("many_threads_take_the_first_mark").wait(), test::exited(0));
}

} // namespace
} // namespace partywall::os
