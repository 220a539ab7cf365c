// SPDX-License-Identifier: BSL-1.0
// Many processes that start, stop, recover and are killed at the same time. Counts are in the
// tests' properties; PARTYWALL_TEST_FULL=1 takes the long ones.
#include "support.hpp"

#include <support/counts.hpp>
#include <support/watchdog.hpp>

#include <partywall/os/clock.hpp>

#include <filesystem>
#include <random>
#include <sched.h>
#include <set>
#include <sstream>
#include <sys/mount.h>
#include <sys/stat.h>
#include <thread>

namespace partywall {
namespace {

using namespace test;

std::mt19937 seeded() {
    std::uint32_t const seed = std::random_device{}();
    testing::Test::RecordProperty("seed", std::to_string(seed));
    return std::mt19937(seed);
}

std::string inode_of(std::string const& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 ? std::to_string(status.st_ino) : "none";
}

/// Spins for a time that is no synchronisation: it only spreads kills over what victims do.
void spread(std::mt19937& random, std::uint64_t ns_max) {
    std::uint64_t const until =
        os::monotonic_ns() + std::uniform_int_distribution<std::uint64_t>(0, ns_max)(random);
    while (os::monotonic_ns() < until) {
        ::sched_yield();
    }
}

// ---- everybody starts at once -------------------------------------------------------------------

// Says its ticket and the registry that it joined, or why it did not.
PARTYWALL_ROLE(registry_starter) {
    context.send("waiting");
    context.expect("go");
    auto const joined = participant_core::join("starter", place(context.arg(0)));
    if (!joined) {
        context.send("failed " + joined.error().message);
        return 1;
    }
    participant_core& me = **joined;
    std::uint64_t const number = me.next_number();
    if (!make_ring_file(me, number) || !me.add_entry(publisher_spec("a", number))) {
        context.send("failed to add an entry");
        return 1;
    }
    context.send("joined " + std::to_string(me.ticket()) + " " +
                 inode_of(context.arg(0) + "/d/registry"));
    context.expect("leave");
    return 0;
}

struct storm_result {
    std::vector<std::string> problems;
    std::size_t joined = 0;
    std::size_t killed = 0;
};

/// One round: `starters` processes join the same domain, new or with leftovers, at once; `kills`
/// of them are killed somewhere in it; whoever was not must have joined, all the same registry.
storm_result storm(std::string const& root, std::size_t starters, std::size_t kills,
                   std::mt19937& random) {
    storm_result result;
    std::vector<child> all;
    for (std::size_t i = 0; i < starters; ++i) {
        all.push_back(spawn("registry_starter", {root}));
    }
    for (child& one : all) {
        one.expect("waiting");
    }
    for (child& one : all) {
        one.send("go");
    }
    std::vector<std::size_t> order(starters);
    for (std::size_t i = 0; i < starters; ++i) {
        order[i] = i;
    }
    std::shuffle(order.begin(), order.end(), random);
    for (std::size_t i = 0; i < kills; ++i) {
        spread(random, 3'000'000);
        all[order[i]].kill();
        ++result.killed;
    }
    std::set<std::string> tickets;
    std::set<std::string> registries;
    for (std::size_t i = kills; i < starters; ++i) {
        std::istringstream line(all[order[i]].receive());
        std::string what;
        std::string ticket;
        std::string registry;
        line >> what >> ticket >> registry;
        if (what != "joined") {
            result.problems.push_back(line.str());
            continue;
        }
        ++result.joined;
        if (!tickets.insert(ticket).second) {
            result.problems.push_back("ticket " + ticket + " twice");
        }
        registries.insert(registry);
    }
    if (registries.size() > 1 ||
        (registries.size() == 1 && *registries.begin() != inode_of(root + "/d/registry"))) {
        result.problems.push_back(std::to_string(registries.size()) + " registries");
    }
    for (std::size_t i = kills; i < starters; ++i) {
        all[order[i]].send("leave");
    }
    for (child& one : all) {
        exit_status const status = one.wait();
        if (status != exited(0) && status != killed_by(SIGKILL)) {
            std::ostringstream text;
            text << "a starter ended with " << status;
            result.problems.push_back(text.str());
        }
    }
    return result;
}

TEST(RegistryStorm, OfStartersWithKillsHasOneRegistryAndFailsNobody) {
    watchdog::extend(std::chrono::minutes(3));
    std::mt19937 random = seeded();
    std::uint64_t const rounds = count(3, 30);
    std::size_t joined = 0;
    std::size_t killed = 0;
    for (std::uint64_t round = 0; round < rounds; ++round) {
        scratch_root const root;
        for (int generation = 0; generation < 2; ++generation) { // new, then with leftovers
            storm_result const result = storm(root.path(), 64, 8, random);
            EXPECT_TRUE(result.problems.empty())
                << result.problems.size() << " problems, the first: " << result.problems[0];
            joined += result.joined;
            killed += result.killed;
        }
        auto const survivor = member(root.path());
        survivor->recover();
        EXPECT_EQ(root.leftovers(), files_of({}, {survivor->ticket()}));
        EXPECT_EQ(slots_in_use(*registry_bytes(survivor->dir())), 1U);
    }
    RecordProperty("joined", std::to_string(joined));
    RecordProperty("killed", std::to_string(killed));
}

// The storm where only two registries at a time fit into the file system. In a mount namespace of
// its own.
PARTYWALL_ROLE(registry_storm_in_a_small_file_system) {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
        context.send("no mount namespace");
        return 0;
    }
    std::mt19937 random(static_cast<std::uint32_t>(context.number(1)));
    for (std::uint64_t round = 0; round < context.number(2); ++round) {
        if (::mount("tmpfs", context.arg(0).c_str(), "tmpfs", 0, "size=3400k,mode=0700") != 0) {
            context.send("no mount");
            return 0;
        }
        storm_result const result = storm(context.arg(0), 32, 4, random);
        if (!result.problems.empty()) {
            context.send(result.problems[0]);
            return 1;
        }
        PARTYWALL_ROLE_CHECK(::umount2(context.arg(0).c_str(), MNT_DETACH) == 0);
    }
    context.send("done");
    return 0;
}

TEST(RegistryStorm, SucceedsWhereOnlyTwoRegistriesFitIntoTheFileSystem) {
    watchdog::extend(std::chrono::minutes(3));
    scratch_root const root;
    std::mt19937 random = seeded();
    child host = spawn("registry_storm_in_a_small_file_system",
                       {root.path(), std::to_string(random()), std::to_string(count(3, 30))});
    std::string const line = host.receive();
    if (line.starts_with("no mount")) {
        GTEST_SKIP() << "cannot mount a file system here: " << line;
    }
    EXPECT_EQ(line, "done");
    EXPECT_EQ(host.wait(), exited(0));
}

TEST(RegistryStorm, InAFullFileSystemIsToldSoAndLeavesNothing) {
    scratch_root const root;
    child host = spawn("registry_joins_a_full_file_system", {root.path()});
    std::string const line = host.receive();
    if (line.starts_with("no mount")) {
        GTEST_SKIP() << "cannot mount a file system here: " << line;
    }
    EXPECT_EQ(line, "done");
}

PARTYWALL_ROLE(registry_joins_a_full_file_system) {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", context.arg(0).c_str(), "tmpfs", 0, "size=1000k,mode=0700") != 0) {
        context.send("no mount namespace");
        return 0;
    }
    auto const refused = participant_core::join("a", place(context.arg(0)));
    PARTYWALL_ROLE_CHECK(!refused);
    PARTYWALL_ROLE_CHECK(refused.error() == join_errc::no_space);
    PARTYWALL_ROLE_CHECK(std::filesystem::is_empty(context.arg(0) + "/d"));
    // Enough for the registry, but not for the life segment as well.
    std::string const exactly =
        "size=" + std::to_string(sizeof(registry_layout) / 4096 * 4 + 4) + "k,mode=0700";
    PARTYWALL_ROLE_CHECK(::mount("tmpfs", context.arg(0).c_str(), "tmpfs", 0, exactly.c_str()) ==
                         0);
    auto const late = participant_core::join("a", place(context.arg(0)));
    PARTYWALL_ROLE_CHECK(!late);
    PARTYWALL_ROLE_CHECK(late.error() == join_errc::no_space);
    PARTYWALL_ROLE_CHECK(!std::filesystem::exists(context.arg(0) + "/d/life.1"));
    context.send("done");
    return 0;
}

// ---- cleaners against starters ------------------------------------------------------------------

// Joins, looks again and again whether everything of its own is still there, leaves; many times.
PARTYWALL_ROLE(registry_starts_and_stops) {
    std::mt19937 random(static_cast<std::uint32_t>(context.number(1)));
    for (std::uint64_t round = 0; round < context.number(2); ++round) {
        auto const me = member(context.arg(0), "short");
        std::uint64_t const number = me->next_number();
        PARTYWALL_ROLE_CHECK(make_ring_file(*me, number));
        entry_info entry = me->add_entry(publisher_spec("a", number)).value();
        std::string const file =
            context.arg(0) + "/d/" + file_name({segment_kind::ring, me->ticket(), number});
        for (int look = 0; look < 3; ++look) {
            PARTYWALL_ROLE_CHECK(me->entry_is_there(entry));
            PARTYWALL_ROLE_CHECK(std::filesystem::exists(file));
            domain_snapshot const all = me->snapshot();
            PARTYWALL_ROLE_CHECK(std::any_of(
                all.participants.begin(), all.participants.end(),
                [&](participant_info const& one) { return one.ticket == me->ticket(); }));
            PARTYWALL_ROLE_CHECK(me->set_health(entry, health::ready).has_value());
            spread(random, 300'000);
        }
        if (round % 2 == 0) {
            PARTYWALL_ROLE_CHECK(me->remove_entry(entry).has_value());
            PARTYWALL_ROLE_CHECK(!std::filesystem::exists(file));
        }
    }
    context.send("done");
    return 0;
}

// Recovers without end until told to stop; says how much it found. "kept" instead of "recovered"
// lines never occur: there are no hooks.
PARTYWALL_ROLE(registry_recovers_without_end) {
    auto const me = member(context.arg(0), "recoverer");
    std::atomic<bool> stop{false};
    context.send("ready");
    std::thread listener([&] {
        context.expect("stop");
        stop = true;
    });
    std::uint64_t found = 0;
    std::uint64_t recoveries = 0;
    while (!stop) {
        recovery_report const one = me->recover();
        found += one.participants + one.entries + one.files;
        ++recoveries;
    }
    listener.join();
    context.send(std::to_string(found) + " " + std::to_string(recoveries));
    return 0;
}

TEST(RegistryStorm, OfCleanersNeverTouchesTheLivingTheStartingOrTheLeaving) {
    watchdog::extend(std::chrono::minutes(5));
    scratch_root const root;
    std::mt19937 random = seeded();
    auto const me = member(root.path());
    std::vector<child> cleaners;
    for (int i = 0; i < 4; ++i) {
        cleaners.push_back(spawn("registry_recovers_without_end", {root.path()}));
        cleaners.back().expect("ready");
    }
    std::vector<child> members;
    for (int i = 0; i < 32; ++i) {
        members.push_back(spawn("registry_starts_and_stops", {root.path(), std::to_string(random()),
                                                              std::to_string(count(10, 300))}));
    }
    for (child& one : members) {
        one.expect("done");
        EXPECT_EQ(one.wait(), exited(0));
    }
    std::uint64_t recoveries = 0;
    for (child& one : cleaners) {
        one.send("stop");
        std::istringstream line(one.receive());
        std::uint64_t found = 0;
        std::uint64_t times = 0;
        line >> found >> times;
        EXPECT_EQ(found, 0U) << "nobody was killed, so there was nothing to recover";
        recoveries += times;
        EXPECT_EQ(one.wait(), exited(0));
    }
    EXPECT_GT(recoveries, 0U);
    RecordProperty("recoveries", std::to_string(recoveries));
    EXPECT_EQ(root.leftovers(), files_of({}, {me->ticket()}));
    EXPECT_EQ(slots_in_use(*registry_bytes(me->dir())), 1U);
}

// ---- kills anywhere -----------------------------------------------------------------------------

// Joins, works, recovers, leaves without end.
PARTYWALL_ROLE(registry_works_without_end) {
    context.send("ready");
    for (;;) {
        auto const me = member(context.arg(0), "worker");
        for (int i = 0; i < 3; ++i) {
            std::uint64_t const number = me->next_number();
            PARTYWALL_ROLE_CHECK(make_ring_file(*me, number));
            entry_info entry = me->add_entry(publisher_spec("a", number)).value();
            PARTYWALL_ROLE_CHECK(me->set_metadata(entry, {{"k", "v"}}).has_value());
            PARTYWALL_ROLE_CHECK(me->set_health(entry, health::closed).has_value());
            me->recover();
            PARTYWALL_ROLE_CHECK(!me->entry_is_there(entry)); // closed, and no hook keeps it
        }
    }
}

TEST(RegistryStorm, OfKillsAnywhereLeavesExactlyWhatTheLivingHave) {
    watchdog::extend(std::chrono::minutes(10));
    scratch_root const root;
    std::mt19937 random = seeded();
    auto const me = member(root.path());
    resident witness(root.path(), "witness");
    std::uint64_t const kills = count(80, 10000);
    std::vector<child> workers;
    for (int i = 0; i < 4; ++i) {
        workers.push_back(spawn("registry_works_without_end", {root.path()}));
        workers.back().expect("ready");
    }
    for (std::uint64_t i = 0; i < kills; ++i) {
        spread(random, 2'000'000);
        child& victim = workers[i % workers.size()];
        victim.kill();
        ASSERT_EQ(victim.wait(), killed_by(SIGKILL)) << "after " << i << " kills";
        victim = spawn("registry_works_without_end", {root.path()});
        victim.expect("ready");
    }
    for (child& victim : workers) {
        victim.kill();
        ASSERT_EQ(victim.wait(), killed_by(SIGKILL));
    }
    EXPECT_TRUE(me->recover().complete);
    EXPECT_EQ(root.leftovers(), files_of({witness.ticket}, {me->ticket()}));
    EXPECT_EQ(slots_in_use(*registry_bytes(me->dir())), 3U);
    EXPECT_EQ(me->entries(entry_kind::topic_publisher, "witness").size(), 1U);
    EXPECT_TRUE(me->recover().nothing());
    RecordProperty("kills", std::to_string(kills + workers.size()));
    witness.leave();
}

TEST(RegistryStorm, ThatNobodySurvivesIsCleanedUpByTheNextStart) {
    watchdog::extend(std::chrono::minutes(10));
    scratch_root const root;
    std::mt19937 random = seeded();
    std::uint64_t const rounds = count(10, 500);
    for (std::uint64_t round = 0; round < rounds; ++round) {
        std::vector<child> all;
        for (int i = 0; i < 8; ++i) {
            all.push_back(spawn("registry_works_without_end", {root.path()}));
        }
        all.back().expect("ready");
        spread(random, 20'000'000);
        for (child& one : all) {
            one.kill();
        }
        for (child& one : all) {
            ASSERT_EQ(one.wait(), killed_by(SIGKILL));
        }
        auto const next = member(root.path(), "next");
        ASSERT_EQ(root.leftovers(), files_of({}, {next->ticket()})) << "round " << round;
        ASSERT_EQ(slots_in_use(*registry_bytes(next->dir())), 1U);
        ASSERT_TRUE(next->snapshot().entries.empty());
    }
    RecordProperty("rounds", std::to_string(rounds));
}

// ---- full ---------------------------------------------------------------------------------------

// Takes what it is told to take and waits to be killed.
PARTYWALL_ROLE(registry_hog) {
    std::vector<std::shared_ptr<participant_core>> members;
    for (std::uint64_t i = 0; i < context.number(1); ++i) {
        members.push_back(member(context.arg(0), "hog"));
    }
    for (std::uint64_t i = 0; i < context.number(2); ++i) {
        PARTYWALL_ROLE_CHECK(members[0]->add_entry(publisher_spec("hog")).has_value());
    }
    context.send("full");
    context.hang();
}

TEST(RegistryStorm, OfEntriesEndsInAClearErrorAndKillsGiveTheCapacityBack) {
    scratch_root const root;
    auto const me = member(root.path());
    child hog = spawn("registry_hog", {root.path(), "1", std::to_string(entries_max)});
    hog.expect("full");
    std::uint64_t const ticket = me->tickets().at(0);
    auto const refused = me->add_entry(publisher_spec("a"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), registry_errc::too_many_entries);
    EXPECT_NE(refused.error().message.find("1024"), std::string::npos);
    hog.kill();
    hog.wait();
    wait_for_proof(*me, ticket);
    EXPECT_TRUE(me->add_entry(publisher_spec("a"))) << "the dead go before full is reported";
    EXPECT_EQ(slots_in_use(*registry_bytes(me->dir())), 2U);
}

TEST(RegistryStorm, OfParticipantsEndsInAClearErrorAndKillsGiveTheCapacityBack) {
    scratch_root const root;
    child hog = spawn("registry_hog", {root.path(), std::to_string(participants_max), "0"});
    hog.expect("full");
    auto const refused = participant_core::join("a", place(root.path()));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), join_errc::too_many_participants);
    EXPECT_NE(refused.error().message.find("512"), std::string::npos);
    EXPECT_EQ(root.leftovers().size(), 2U + participants_max) << "who was refused left nothing";
    hog.kill();
    hog.wait();
    auto const me = member(root.path());
    EXPECT_EQ(root.leftovers(), files_of({}, {me->ticket()}));
}

} // namespace
} // namespace partywall
