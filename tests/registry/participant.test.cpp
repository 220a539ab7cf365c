// SPDX-License-Identifier: BSL-1.0
// Joining and leaving a domain, and everything that keeps a process out of it.
#include "support.hpp"

#include <partywall/os/clock.hpp>

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

namespace partywall {
namespace {

using namespace test;

PARTYWALL_ROLE(registry_resident) {
    auto const me = member(context.arg(0), "resident");
    std::uint64_t const number = me->next_number();
    PARTYWALL_ROLE_CHECK(make_ring_file(*me, number));
    PARTYWALL_ROLE_CHECK(me->add_entry(publisher_spec(context.arg(1), number)).has_value());
    context.send(std::to_string(me->ticket()));
    context.expect("leave");
    return 0;
}

TEST(Participant, JoinsAnEmptyRootAndLeavesNothingButTheRegistry) {
    scratch_root const root;
    {
        auto const me = member(root.path());
        EXPECT_EQ(me->ticket(), 1U);
        EXPECT_EQ(me->domain(), "d");
        EXPECT_EQ(me->name(), "test");
        EXPECT_FALSE(me->forked());
        EXPECT_FALSE(me->domain_gone());
        EXPECT_EQ(root.leftovers(), files_of({}, {1}));
        domain_snapshot const all = me->snapshot();
        ASSERT_EQ(all.participants.size(), 1U);
        EXPECT_EQ(all.participants[0].ticket, 1U);
        EXPECT_EQ(all.participants[0].name, "test");
        EXPECT_EQ(all.participants[0].pid, static_cast<std::uint32_t>(::getpid()));
        EXPECT_TRUE(all.participants[0].alive);
    }
    EXPECT_EQ(root.leftovers(), files_of({}));
    auto const next = member(root.path());
    EXPECT_EQ(next->ticket(), 2U) << "tickets are never used again";
    EXPECT_EQ(slots_in_use(*registry_bytes(next->dir())), 1U);
}

TEST(Participant, OfOneProcessIsAsGoodAsOfSeveral) {
    scratch_root const root;
    auto const first = member(root.path(), "first");
    auto second = member(root.path(), "second");
    std::uint64_t const ticket = second->ticket();
    EXPECT_FALSE(first->proven_dead(ticket));
    EXPECT_FALSE(second->proven_dead(first->ticket()));
    EXPECT_TRUE(first->recover().nothing());
    second.reset();
    EXPECT_TRUE(first->proven_dead(ticket)) << "who left holds no lock";
    EXPECT_EQ(first->snapshot().participants.size(), 1U);
}

TEST(Participant, NumbersItsSegmentsFromOneAndNeverTwice) {
    scratch_root const root;
    auto const me = member(root.path());
    EXPECT_EQ(me->next_number(), 1U);
    EXPECT_EQ(me->next_number(), 2U);
}

TEST(Participant, TakesDomainAndRootFromTheEnvironmentUnlessTold) {
    scratch_root const root;
    ::setenv("PARTYWALL_ROOT", root.path().c_str(), 1);
    {
        auto const me = participant_core::join("a", {}).value();
        EXPECT_EQ(me->domain(), "default");
    }
    ::setenv("PARTYWALL_DOMAIN", "from/environment", 1);
    {
        auto const me = participant_core::join("a", {}).value();
        EXPECT_EQ(me->domain(), "from/environment");
        EXPECT_EQ(me->dir().path(), root.path() + "/from%2Fenvironment");
        auto const told = participant_core::join("a", place(root.path(), "told")).value();
        EXPECT_EQ(told->domain(), "told");
    }
    ::unsetenv("PARTYWALL_ROOT");
    ::unsetenv("PARTYWALL_DOMAIN");
}

TEST(Participant, TakesARelativeRootFromWhereItIsNow) {
    scratch_root const root;
    std::string const before = std::filesystem::current_path();
    std::filesystem::current_path(root.path());
    auto const me = member("here");
    std::filesystem::current_path(before);
    EXPECT_EQ(me->dir().path(), root.path() + "/here/d");
    EXPECT_TRUE(me->add_entry(publisher_spec("a")));
}

TEST(Participant, IsRefusedABadNameOrDomainWithASentence) {
    scratch_root const root;
    for (std::string const& name :
         {std::string(), std::string("a\0b", 3), std::string(participant_name_bytes_max + 1, 'a'),
          std::string("\xff"), std::string("a\nb")}) {
        auto const refused = participant_core::join(name, place(root.path()));
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error(), join_errc::bad_name);
        EXPECT_FALSE(refused.error().message.empty());
    }
    EXPECT_TRUE(
        participant_core::join(std::string(participant_name_bytes_max, 'a'), place(root.path())));
    for (std::string const& domain :
         {std::string("a\0b", 3), std::string(domain_bytes_max + 1, 'a'), std::string("\x80")}) {
        auto const refused = participant_core::join("a", place(root.path(), domain));
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error(), join_errc::bad_domain);
    }
}

TEST(Participant, StaysInsideTheRootWhateverTheDomainIsCalled) {
    scratch_root const root;
    std::filesystem::create_directory(root.path() + "/root");
    std::filesystem::permissions(root.path() + "/root", std::filesystem::perms::owner_all);
    for (std::string const domain :
         {"..", ".", "/", "../../x", ".hidden", "*", "a b", "ü", "%2E"}) {
        auto const me = participant_core::join("a", place(root.path() + "/root", domain));
        ASSERT_TRUE(me) << domain << ": " << me.error().message;
        EXPECT_EQ((*me)->domain(), domain);
        EXPECT_EQ(std::filesystem::path((*me)->dir().path()).parent_path(), root.path() + "/root");
    }
    std::set<std::string> names;
    for (auto const& one : std::filesystem::directory_iterator(root.path() + "/root")) {
        names.insert(one.path().filename());
    }
    EXPECT_EQ(names.size(), 9U) << "nine domains, nine directories";
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(root.path()), {}), 1);
}

TEST(Participant, IsToldThatTheRootCannotBeOne) {
    scratch_root const root;
    auto const missing = participant_core::join("a", place(root.path() + "/no/such"));
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error(), join_errc::bad_root);
    std::ofstream(root.path() + "/file") << "x";
    auto const file = participant_core::join("a", place(root.path() + "/file"));
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error(), join_errc::bad_root);
}

TEST(Participant, IsRefusedADirectoryThatOthersMayEnter) {
    scratch_root const root;
    member(root.path()).reset();
    std::filesystem::permissions(root.path() + "/d", std::filesystem::perms{0755});
    auto const refused = participant_core::join("a", place(root.path()));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), join_errc::permission);
    EXPECT_NE(refused.error().message.find("/d"), std::string::npos) << refused.error().message;
}

TEST(Participant, IsRefusedARegistryThatIsNotOne) {
    struct damage {
        std::size_t offset;
        char byte;
    };
    // magic, version, kind, fingerprint, size, ticket
    for (damage const d : {damage{0, 'X'}, {8, 9}, {12, 2}, {16, 1}, {24, 1}, {32, 1}}) {
        scratch_root const root;
        member(root.path()).reset();
        std::fstream file(root.path() + "/d/registry",
                          std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(static_cast<std::streamoff>(d.offset));
        file.put(d.byte);
        file.close();
        auto const refused = participant_core::join("a", place(root.path()));
        ASSERT_FALSE(refused) << d.offset;
        EXPECT_EQ(refused.error(), join_errc::incompatible) << refused.error().message;
        EXPECT_NE(refused.error().message.find("registry"), std::string::npos);
    }
}

TEST(Participant, IsRefusedWhenTheTicketsAreUsedUp) {
    scratch_root const root;
    auto const first = member(root.path());
    registry_bytes const registry(first->dir());
    registry->next_ticket = ticket_max;
    auto const last = member(root.path());
    EXPECT_EQ(last->ticket(), ticket_max);
    EXPECT_TRUE(last->add_entry(publisher_spec("a")));
    EXPECT_FALSE(first->proven_dead(ticket_max));
    auto const refused = participant_core::join("late", place(root.path()));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), join_errc::out_of_tickets);
    registry->next_ticket = ~std::uint64_t{0} - 1; // and when the counter is nonsense
    EXPECT_EQ(participant_core::join("late", place(root.path())).error(),
              join_errc::out_of_tickets);
}

TEST(Participant, LivesAndDiesAcrossTheEdgesOfTickets) {
    for (std::uint64_t const edge : {std::uint64_t{1} << 31, std::uint64_t{1} << 32, ticket_max}) {
        scratch_root const root;
        auto const me = member(root.path());
        registry_bytes(me->dir())->next_ticket = edge - 1;
        resident before(root.path());
        resident after(root.path());
        EXPECT_EQ(before.ticket, edge - 1);
        EXPECT_EQ(after.ticket, edge);
        EXPECT_TRUE(me->recover().nothing());
        EXPECT_EQ(root.leftovers(), files_of({before.ticket, after.ticket}, {me->ticket()}));
        after.kill();
        wait_for_proof(*me, after.ticket);
        EXPECT_EQ(me->recover().participants, 1U);
        EXPECT_FALSE(me->proven_dead(before.ticket));
        EXPECT_EQ(me->entries(entry_kind::topic_publisher, "").size(), 1U);
        before.leave();
    }
}

TEST(Participant, SkipsTicketsThatTheLivingHold) {
    scratch_root const root;
    auto const first = member(root.path());
    auto const second = member(root.path());
    registry_bytes(first->dir())->next_ticket = 1; // somebody tampered with the counter
    auto const third = member(root.path());
    EXPECT_EQ(third->ticket(), 3U);
    EXPECT_FALSE(first->proven_dead(second->ticket()));
}

TEST(Participant, RemovesFilesUnderItsOwnTicketThatAnotherRegistryLeft) {
    scratch_root const root;
    {
        auto const old = member(root.path());
        ASSERT_TRUE(make_ring_file(*old, 1));
        std::filesystem::remove(root.path() + "/d/registry");
        auto const fresh = member(root.path());
        ASSERT_EQ(fresh->ticket(), old->ticket());
        EXPECT_TRUE(make_ring_file(*fresh, 1)) << "the name is free";
        EXPECT_TRUE(old->domain_gone());
    }
    EXPECT_EQ(root.leftovers(), files_of({}));
}

TEST(Participant, LearnsThatItsDomainIsGone) {
    scratch_root const root;
    auto const me = member(root.path());
    auto const other = member(root.path());
    EXPECT_FALSE(me->domain_gone());
    std::filesystem::remove(root.path() + "/d/registry");
    EXPECT_TRUE(me->domain_gone());
    auto const refused = me->add_entry(publisher_spec("a"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), registry_errc::domain_gone);
    EXPECT_FALSE(me->proven_dead(other->ticket())) << "there is nothing to prove it with";
    EXPECT_FALSE(me->recover().complete);
    // The newcomers' domain is another one, and the old ones neither see nor disturb it.
    auto const fresh = member(root.path(), "fresh");
    EXPECT_TRUE(me->domain_gone());
    EXPECT_EQ(fresh->snapshot().participants.size(), 1U);
    EXPECT_FALSE(me->proven_dead(other->ticket()));
}

TEST(Participant, FilesHaveExactPermissionsWhateverTheUmask) {
    for (mode_t const mask : {mode_t{0}, mode_t{022}, mode_t{077}, mode_t{0777}}) {
        scratch_root const root;
        mode_t const before = ::umask(mask);
        auto me = participant_core::join("a", place(root.path()));
        ::umask(before);
        ASSERT_TRUE(me) << me.error().message;
        for (char const* const name : {"/d/registry", "/d/life.1"}) {
            struct stat status {};
            ASSERT_EQ(::stat((root.path() + name).c_str(), &status), 0);
            EXPECT_EQ(status.st_mode & 07777, mode_t{0600}) << name << " under umask " << mask;
        }
    }
}

TEST(Participant, KeepsItsLockWhenTheApplicationClosesEveryDescriptor) {
    scratch_root const root;
    child process = spawn("registry_closes_descriptors", {root.path()});
    std::uint64_t const ticket = std::stoull(process.receive());
    auto const me = member(root.path());
    EXPECT_FALSE(me->proven_dead(ticket));
    EXPECT_TRUE(me->recover().nothing());
    process.kill();
    process.wait();
    wait_for_proof(*me, ticket);
}

PARTYWALL_ROLE(registry_closes_descriptors) {
    auto const me = member(context.arg(0));
    for (int fd = 3; fd < 1024; ++fd) {
        if (fd != context.descriptor()) {
            ::close(fd);
        }
    }
    // And classic locks on the same file, closed again, drop nothing either.
    int const fd = ::open((context.arg(0) + "/d/registry").c_str(), O_RDWR | O_CLOEXEC);
    ::close(fd);
    PARTYWALL_ROLE_CHECK(me->add_entry(publisher_spec("still/here")).has_value());
    context.send(std::to_string(me->ticket()));
    context.hang();
}

} // namespace
} // namespace partywall
