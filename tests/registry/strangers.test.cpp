// SPDX-License-Identifier: BSL-1.0
// Processes that do not see each other's pids, that have each other's pids, or that belong to
// other users. Need root; skipped without.
#include "support.hpp"

#include <partywall/os/robust_word.hpp>

#include <support/sandbox.hpp>

#include <gmock/gmock.h>

#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace partywall {
namespace {

using namespace test;

/// Ends as `process` does. Without exit handlers: a leak checker's cannot make the thread that it
/// needs in a process that has left its PID namespace.
[[noreturn]] void leave_with(pid_t process) {
    int status = 0;
    ::waitpid(process, &status, 0);
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

// The first process of a new PID namespace, so its pid is 1 whoever else has that. Joins and waits.
PARTYWALL_ROLE(registry_in_a_pid_namespace) {
    if (::unshare(CLONE_NEWPID) != 0) {
        context.send("no namespace");
        return 0;
    }
    pid_t const init = ::fork();
    if (init != 0) {
        // The child ends when the test does: then its socket says so.
        leave_with(init);
    }
    PARTYWALL_ROLE_CHECK(::getpid() == 1);
    auto const me = member(context.arg(0), "init");
    PARTYWALL_ROLE_CHECK(me->add_entry(publisher_spec("a")).has_value());
    context.send(std::to_string(me->ticket()));
    for (;;) {
        std::string const line = context.receive();
        if (line == "look") {
            // How many of the others live, as seen from here?
            std::size_t living = 0;
            for (std::uint64_t const ticket : me->tickets()) {
                living += me->proven_dead(ticket) ? 0 : 1;
            }
            context.send(std::to_string(living));
        } else if (line == "recover") {
            context.send(std::to_string(me->recover().participants));
        } else if (line == "die") {
            // SIGKILL from inside does not reach the first process of a namespace; its end as
            // seen by the kernel is the same: nothing of ours runs any more.
            ::_exit(0);
        }
    }
}

TEST(Strangers, InDifferentPidNamespacesWithTheSamePidSeeEachOthersLifeAndDeath) {
    scratch_root const root;
    auto const me = member(root.path());
    std::vector<child> inits;
    std::vector<std::uint64_t> tickets;
    for (int i = 0; i < 2; ++i) {
        inits.push_back(spawn("registry_in_a_pid_namespace", {root.path()}));
        std::string const line = inits.back().receive();
        if (line == "no namespace") {
            GTEST_SKIP() << "cannot make a PID namespace here";
        }
        tickets.push_back(std::stoull(line));
    }
    domain_snapshot const all = me->snapshot();
    ASSERT_EQ(all.participants.size(), 3U);
    for (participant_info const& one : all.participants) {
        EXPECT_TRUE(one.alive);
        EXPECT_EQ(one.ticket == me->ticket(), one.pid != 1);
    }
    for (child& one : inits) {
        one.send("look");
        one.expect("2");
        one.send("recover");
        one.expect("0");
    }
    EXPECT_TRUE(me->recover().nothing());
    EXPECT_TRUE(os::robust_is_held(os::robust_value(me->life_of(tickets[0]).word)));
    EXPECT_EQ(me->life_of(tickets[0]).pid, 0) << "its pid is no pid of ours";
    EXPECT_EQ(me->life_of(me->ticket()).pid, ::getpid());

    inits[0].send("die");
    wait_for_proof(*me, tickets[0]);
    EXPECT_TRUE(os::robust_owner_died(os::robust_value(me->life_of(tickets[0]).word)))
        << "marked by the kernel, whatever the namespace";
    inits[1].send("look");
    inits[1].expect("1");
    inits[1].send("recover");
    inits[1].expect("1");
    EXPECT_FALSE(me->proven_dead(tickets[1])) << "the innocent with the same pid lives";
    EXPECT_EQ(me->entries(entry_kind::topic_publisher, "a").size(), 1U);
    inits[1].send("die");
    wait_for_proof(*me, tickets[1]);
    for (child& one : inits) {
        EXPECT_EQ(one.wait(), exited(0));
    }
}

/// Forks a process whose pid is `wanted` in this PID namespace; runs `body` there.
template <class Body>
pid_t fork_with_pid(pid_t wanted, Body body) {
    std::ofstream last("/proc/sys/kernel/ns_last_pid");
    last << wanted - 1 << std::flush;
    if (!last) {
        return -1;
    }
    pid_t const pid = ::fork();
    if (pid == 0) {
        body();
        ::_exit(0);
    }
    return pid;
}

// In a PID namespace of its own: a participant is killed, then an unrelated process gets its pid.
PARTYWALL_ROLE(registry_reuses_a_pid) {
    if (::unshare(CLONE_NEWPID) != 0) {
        context.send("no namespace");
        return 0;
    }
    pid_t const init = ::fork();
    if (init != 0) {
        leave_with(init);
    }
    constexpr pid_t shared_pid = 4711;
    pid_t const victim = fork_with_pid(shared_pid, [&] {
        auto const me = member(context.arg(0), "victim");
        PARTYWALL_ROLE_CHECK(::getpid() == shared_pid);
        PARTYWALL_ROLE_CHECK(me->add_entry(publisher_spec("a")).has_value());
        context.send(std::to_string(me->ticket()));
        for (;;) {
            ::pause(); // killed by its parent, below
        }
    });
    if (victim < 0) {
        context.send("no namespace");
        return 0;
    }
    context.expect("reuse");
    PARTYWALL_ROLE_CHECK(::kill(victim, SIGKILL) == 0);
    PARTYWALL_ROLE_CHECK(::waitpid(victim, nullptr, 0) == victim);
    pid_t const bystander = fork_with_pid(shared_pid, [&] {
        PARTYWALL_ROLE_CHECK(::getpid() == shared_pid);
        context.send("reused");
        context.expect("join");
        auto const me = member(context.arg(0), "successor");
        context.send(std::to_string(me->ticket()));
        context.expect("end");
    });
    PARTYWALL_ROLE_CHECK(bystander == shared_pid);
    leave_with(bystander);
}

TEST(Strangers, WithThePidOfADeadParticipantNeitherKeepItAliveNorDieForIt) {
    scratch_root const root;
    auto const me = member(root.path());
    child host = spawn("registry_reuses_a_pid", {root.path()});
    std::string const line = host.receive();
    if (line == "no namespace") {
        GTEST_SKIP() << "cannot choose pids here";
    }
    std::uint64_t const dead = std::stoull(line);
    host.send("reuse");
    host.expect("reused");
    wait_for_proof(*me, dead);
    EXPECT_EQ(me->recover().participants, 1U);
    host.send("join");
    std::uint64_t const successor = std::stoull(host.receive());
    EXPECT_NE(successor, dead);
    EXPECT_TRUE(me->proven_dead(dead));
    EXPECT_FALSE(me->proven_dead(successor));
    EXPECT_TRUE(me->recover().nothing());
    domain_snapshot const all = me->snapshot();
    ASSERT_EQ(all.participants.size(), 2U);
    EXPECT_EQ(all.participants[1].pid, 4711U);
    host.send("end");
    EXPECT_EQ(host.wait(), exited(0));
}

// ---- other users --------------------------------------------------------------------------------

PARTYWALL_ROLE(registry_joins_as_a_user) {
    if (!become(static_cast<uid_t>(context.number(1)), static_cast<gid_t>(context.number(2)))) {
        context.send("not root");
        return 0;
    }
    ::umask(077);
    join_options options = place(context.arg(0));
    options.share = context.arg(3) == "group" ? sharing::group : sharing::owner_only;
    auto const joined = participant_core::join("user", options);
    if (!joined) {
        context.send("refused " + std::string(to_string(joined.error().code)));
        return 0;
    }
    participant_core& me = **joined;
    PARTYWALL_ROLE_CHECK(make_ring_file(me, 1));
    PARTYWALL_ROLE_CHECK(me.add_entry(publisher_spec("a", 1)).has_value());
    context.send("joined");
    for (;;) {
        std::string const line = context.receive();
        if (line == "recover") {
            recovery_report const report = me.recover();
            context.send(std::to_string(report.participants) + " " + std::to_string(report.files));
        } else {
            return 0;
        }
    }
}

// Its mappings have another file below them than its descriptors, and locks go with these.
PARTYWALL_ROLE(registry_joins_on_an_overlay) {
    std::string const& root = context.arg(0);
    if (!test::enter_namespaces(CLONE_NEWNS) || !test::mount_overlay(root + "/place", root)) {
        context.send("no mount");
        return 0;
    }
    join_options options;
    options.root = root + "/place";
    auto const me = detail::participant_core::join("me", options, {});
    context.send(me ? "joined"
                    : std::string(to_string(me.error().code)) + ": " + me.error().message);
    return 0;
}

TEST(Strangers, CannotMeetWhereTheFileSystemKeepsNoLockWithAMapping) {
    scratch_root const root;
    ASSERT_EQ(::mkdir((root.path() + "/place").c_str(), 0700), 0);
    child user = spawn("registry_joins_on_an_overlay", {root.path()});
    std::string const said = user.receive();
    if (said == "no mount") {
        GTEST_SKIP() << "no right to mount";
    }
    EXPECT_THAT(said, testing::StartsWith("bad root: "));
    EXPECT_THAT(said, testing::HasSubstr("overlayfs"));
}

TEST(Strangers, OfAnotherUserAreRefused) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "needs root, to become two users";
    }
    scratch_root const root;
    // The users can reach the root's parent, as they can reach /dev/shm.
    std::filesystem::permissions(root.path(), std::filesystem::perms{0755});
    std::string const place = root.path() + "/of-1001";
    ASSERT_EQ(::mkdir(place.c_str(), 0700), 0);
    ASSERT_EQ(::chown(place.c_str(), 1001, 1001), 0);
    child first = spawn("registry_joins_as_a_user", {place, "1001", "1001", "own"});
    first.expect("joined");
    child second = spawn("registry_joins_as_a_user", {place, "1002", "1001", "own"});
    second.expect("refused permission denied");
    EXPECT_EQ(second.wait(), exited(0));
    // Not even root takes part in a domain that is not its own.
    child third = spawn("registry_joins_as_a_user", {place, "0", "0", "own"});
    third.expect("refused permission denied");
    first.send("leave");
    EXPECT_EQ(first.wait(), exited(0));
}

TEST(Strangers, OfOneGroupShareADomainAndRecoverEachOther) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "needs root, to become two users";
    }
    scratch_root const root;
    std::filesystem::permissions(root.path(), std::filesystem::perms{0755});
    std::string const place = root.path() + "/shared";
    ASSERT_EQ(::mkdir(place.c_str(), 0700), 0);
    ASSERT_EQ(::chown(place.c_str(), 1001, 2000), 0);
    ASSERT_EQ(::chmod(place.c_str(), 02770), 0);
    child first = spawn("registry_joins_as_a_user", {place, "1001", "2000", "group"});
    first.expect("joined");
    child second = spawn("registry_joins_as_a_user", {place, "1002", "2000", "group"});
    second.expect("joined");
    child stranger = spawn("registry_joins_as_a_user", {place, "1003", "3000", "group"});
    stranger.expect("refused permission denied");
    first.kill();
    first.wait();
    second.send("recover");
    second.expect("1 2");
    second.send("leave");
    EXPECT_EQ(second.wait(), exited(0));
    std::vector<std::string> const expected{"shared/", "shared/d/", "shared/d/registry"};
    EXPECT_EQ(root.leftovers(), expected);
}

} // namespace
} // namespace partywall
