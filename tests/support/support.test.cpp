// SPDX-License-Identifier: BSL-1.0
// The support of the other tests: scratch roots, watchdog, counts.
#include "counts.hpp"
#include "role.hpp"
#include "scratch_root.hpp"
#include "watchdog.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace partywall::test {
namespace {

namespace fs = std::filesystem;

/// Sets an environment variable for one scope.
class with_env {
  public:
    with_env(char const* name, char const* value) : name_(name) {
        if (char const* const old = std::getenv(name)) {
            old_ = old;
        }
        ::setenv(name, value, 1);
    }
    ~with_env() { old_ ? ::setenv(name_, old_->c_str(), 1) : ::unsetenv(name_); }
    with_env(with_env const&) = delete;
    with_env& operator=(with_env const&) = delete;

  private:
    char const* name_;
    std::optional<std::string> old_;
};

TEST(ScratchRoot, IsPrivateEmptyAndGoneAtTheEnd) {
    std::string path;
    {
        scratch_root root;
        path = root.path();
        struct stat status {};
        ASSERT_EQ(::lstat(path.c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 07777u, 0700u);
        EXPECT_TRUE(root.leftovers().empty());
        std::ofstream(path + "/a file") << "x";
    }
    EXPECT_FALSE(fs::exists(path));
}

TEST(ScratchRoot, OfEveryObjectIsAnother) {
    scratch_root one;
    scratch_root two;
    EXPECT_NE(one.path(), two.path());
}

TEST(ScratchRoot, ListsWhatIsLeftInItSorted) {
    scratch_root root;
    fs::create_directories(root.path() + "/b/c");
    std::ofstream(root.path() + "/b/c/file");
    fs::create_symlink("nowhere", root.path() + "/a");
    EXPECT_EQ(root.leftovers(), (std::vector<std::string>{"a", "b/", "b/c/", "b/c/file"}));
}

TEST(ScratchRoot, IsRemovedEvenIfATestTookPermissionsAway) {
    std::string path;
    {
        scratch_root root;
        path = root.path();
        fs::create_directories(path + "/a/b");
        std::ofstream(path + "/a/b/file");
        ::chmod((path + "/a/b").c_str(), 0);
        ::chmod((path + "/a").c_str(), 0500);
    }
    EXPECT_FALSE(fs::exists(path));
}

TEST(ScratchRoot, LivesWhereTheEnvironmentSays) {
    scratch_root outer;
    with_env shm("PARTYWALL_TEST_SHM", outer.path().c_str());
    scratch_root inner;
    EXPECT_EQ(fs::path(inner.path()).parent_path(), outer.path());
    EXPECT_EQ(outer.leftovers().size(), 1u);
}

PARTYWALL_ROLE(ends_at_once) { return 0; }

TEST(ScratchRoot, OfAKilledRunIsSweptOnceItIsOldButNoOther) {
    scratch_root outer;
    with_env shm("PARTYWALL_TEST_SHM", outer.path().c_str());
    child dead = spawn("ends_at_once");
    ASSERT_EQ(dead.wait(), exited(0));
    std::string const base = outer.path() + "/partywall-test-";
    std::string const old_and_dead = base + std::to_string(dead.pid()) + "-0";
    std::string const new_and_dead = base + std::to_string(dead.pid()) + "-1";
    std::string const old_and_alive = base + std::to_string(::getpid()) + "-0";
    std::string const not_ours = outer.path() + "/something-else-1-0";
    for (std::string const& path : {old_and_dead, new_and_dead, old_and_alive, not_ours}) {
        fs::create_directory(path);
        std::ofstream(path + "/file");
    }
    for (std::string const& path : {old_and_dead, old_and_alive, not_ours}) {
        fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(2));
    }
    EXPECT_EQ(sweep_scratch_roots(), 1);
    EXPECT_FALSE(fs::exists(old_and_dead));
    EXPECT_TRUE(fs::exists(new_and_dead + "/file"));
    EXPECT_TRUE(fs::exists(old_and_alive + "/file"));
    EXPECT_TRUE(fs::exists(not_ours + "/file"));
}

/// Argument: a file for the standard error.
PARTYWALL_ROLE(runs_into_the_watchdog) {
    rlimit const no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    int const log = ::open(context.arg(0).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ::dup2(log, STDERR_FILENO);
    watchdog::arm("Some.TestThatHangs", std::chrono::milliseconds(1));
    context.hang();
}

PARTYWALL_ROLE(disarms_the_watchdog) {
    watchdog::arm("Some.Test", std::chrono::hours(1));
    watchdog::disarm();
    watchdog::arm("Some.OtherTest", std::chrono::hours(1));
    return 0;
}

TEST(Watchdog, EndsAProcessThatHangsAndSaysWhichTestItWas) {
    scratch_root root;
    child role = spawn("runs_into_the_watchdog", {root.path() + "/log"});
    EXPECT_EQ(role.wait(), killed_by(SIGABRT));
    std::ostringstream log;
    log << std::ifstream(root.path() + "/log").rdbuf();
    EXPECT_NE(log.str().find("watchdog: Some.TestThatHangs did not end"), std::string::npos)
        << log.str();
}

TEST(Watchdog, LeavesAProcessAloneWhenDisarmedOrArmedAnew) {
    EXPECT_EQ(spawn("disarms_the_watchdog").wait(), exited(0));
    watchdog::extend(std::chrono::minutes(2));
}

TEST(Counts, AreQuickUnlessTheEnvironmentAsksForAll) {
    {
        with_env full("PARTYWALL_TEST_FULL", "1");
        EXPECT_EQ(count(10, 1000), 1000u);
    }
    with_env quick("PARTYWALL_TEST_FULL", "");
    EXPECT_EQ(count(10, 1000), 10u);
}

TEST(Counts, LimitsAreStretchedByTheEnvironmentAndNonsenseIsIgnored) {
    using std::chrono::milliseconds;
    {
        with_env scale("PARTYWALL_TEST_TIMEOUT_SCALE", "2.5");
        EXPECT_EQ(scaled(milliseconds(100)), milliseconds(250));
    }
    for (char const* nonsense : {"", "0", "-1", "nan", "inf", "1e9", "ten"}) {
        with_env scale("PARTYWALL_TEST_TIMEOUT_SCALE", nonsense);
        EXPECT_EQ(scaled(milliseconds(100)), milliseconds(100)) << nonsense;
    }
}

} // namespace
} // namespace partywall::test
