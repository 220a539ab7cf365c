// SPDX-License-Identifier: BSL-1.0
// What the dead leave, and who is never taken for dead.
#include "support.hpp"

#include <atomic>
#include <filesystem>
#include <sstream>

namespace partywall {
namespace {

using namespace test;

TEST(Recovery, RemovesWhatAKilledParticipantLeft) {
    scratch_root const root;
    auto const me = member(root.path());
    resident victim(root.path());
    EXPECT_EQ(root.leftovers(), files_of({victim.ticket}, {me->ticket()}));
    EXPECT_EQ(me->entries(entry_kind::topic_publisher, "a/b").size(), 1U);
    victim.kill();
    wait_for_proof(*me, victim.ticket);
    recovery_report const report = me->recover();
    EXPECT_EQ(report.participants, 1U);
    EXPECT_EQ(report.entries, 1U);
    EXPECT_EQ(report.files, 2U);
    EXPECT_TRUE(report.complete);
    EXPECT_EQ(root.leftovers(), files_of({}, {me->ticket()}));
    EXPECT_TRUE(me->entries(entry_kind::topic_publisher, "").empty());
    EXPECT_EQ(slots_in_use(*registry_bytes(me->dir())), 1U);
    EXPECT_TRUE(me->recover().nothing()) << "once is enough";
}

TEST(Recovery, IsDoneByTheNextWhoJoins) {
    scratch_root const root;
    std::vector<std::unique_ptr<resident>> victims;
    for (int i = 0; i < 4; ++i) {
        victims.push_back(std::make_unique<resident>(root.path()));
    }
    for (auto const& victim : victims) {
        victim->kill();
    }
    auto const me = member(root.path());
    EXPECT_EQ(root.leftovers(), files_of({}, {me->ticket()}));
    EXPECT_EQ(slots_in_use(*registry_bytes(me->dir())), 1U);
    EXPECT_EQ(me->snapshot().participants.size(), 1U);
}

TEST(Recovery, LeavesTheLivingAndTheStoppedAlone) {
    scratch_root const root;
    auto const me = member(root.path());
    resident living(root.path());
    resident stopped(root.path());
    stopped.process.stop();
    for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(me->recover().nothing());
    }
    EXPECT_FALSE(me->proven_dead(stopped.ticket));
    EXPECT_EQ(me->entries(entry_kind::topic_publisher, "a/b").size(), 2U);
    EXPECT_EQ(root.leftovers(), files_of({living.ticket, stopped.ticket}, {me->ticket()}));
    stopped.process.resume();
    stopped.leave();
    living.leave();
    EXPECT_EQ(root.leftovers(), files_of({}, {me->ticket()}));
}

TEST(Recovery, OfOneEntryIsForThoseWithProof) {
    scratch_root const root;
    auto const me = member(root.path());
    resident victim(root.path());
    entry_info const entry = me->entries(entry_kind::topic_publisher, "a/b").at(0);
    EXPECT_FALSE(me->remove_dead_entry(entry));
    victim.kill();
    wait_for_proof(*me, victim.ticket);
    EXPECT_TRUE(me->remove_dead_entry(entry));
    EXPECT_FALSE(me->remove_dead_entry(entry));
    EXPECT_FALSE(
        std::filesystem::exists(root.path() + "/d/ring." + std::to_string(victim.ticket) + ".1"));
}

TEST(Recovery, FreesSlotsInEveryPhaseOfADeadOwner) {
    scratch_root const root;
    auto const me = member(root.path());
    resident victim(root.path());
    resident witness(root.path());
    victim.kill();
    wait_for_proof(*me, victim.ticket);
    registry_bytes const registry(me->dir());
    for (slot_phase const phase : {slot_phase::filling, slot_phase::ready, slot_phase::cleaning}) {
        for (std::uint32_t const i : {10U, entries_max - 1}) {
            registry->entries[i].owner = owner::make(victim.ticket, phase, 5).word;
            registry->entries[i].record.name_bytes = 0x7777'7777; // whatever it had written by then
        }
        registry->participants[participants_max - 1].owner =
            owner::make(victim.ticket, phase, 5).word;
        recovery_report const report = me->recover();
        EXPECT_GE(report.entries, 2U);
        EXPECT_GE(report.participants, 1U);
        EXPECT_EQ(slots_in_use(*registry), 3U) << "me, the witness, and its entry";
        EXPECT_EQ(registry->entries[10].owner, owner::make(0, slot_phase::free, 7).word);
        EXPECT_EQ(registry->entries[10].record.name_bytes, 0U);
    }
}

TEST(Recovery, DoesNotTouchSlotsOfNobodyOrOfTheLivingInAnyPhase) {
    scratch_root const root;
    auto const me = member(root.path());
    resident living(root.path());
    registry_bytes const registry(me->dir());
    std::uint32_t index = 100;
    std::vector<std::uint64_t> words;
    for (std::uint64_t const ticket : {std::uint64_t{0}, me->ticket(), living.ticket}) {
        for (slot_phase const phase :
             {slot_phase::filling, slot_phase::ready, slot_phase::cleaning}) {
            words.push_back(owner::make(ticket, phase, 9).word);
            registry->entries[index].owner = words.back();
            registry->participants[index].owner = words.back();
            ++index;
        }
    }
    EXPECT_TRUE(me->recover().nothing());
    for (std::uint32_t i = 0; i < words.size(); ++i) {
        EXPECT_EQ(registry->entries[100 + i].owner, words[i]);
        EXPECT_EQ(registry->participants[100 + i].owner, words[i]);
        registry->entries[100 + i].owner = 0;
        registry->participants[100 + i].owner = 0;
    }
}

TEST(Recovery, SweepsFilesOfTheDeadThatNoEntryNames) {
    scratch_root const root;
    auto const me = member(root.path());
    auto gone = member(root.path());
    std::uint64_t const ticket = gone->ticket();
    gone.reset();
    // What a creator leaves that is killed before its entry is there, and what nobody can have made.
    auto const plant = [&](std::uint64_t of, std::uint64_t number) {
        segment_id const ids[] = {{segment_kind::ring, of, number},
                                  {segment_kind::readers, of, number}};
        for (segment_id const& id : ids) {
            ASSERT_TRUE(create_segment(me->dir(), {id, 1, 1, 4096, 0}, nullptr, nullptr));
        }
    };
    plant(ticket, 1);
    plant(ticket, 77);
    plant(ticket_max, 1);
    ASSERT_TRUE(create_segment(me->dir(), {{segment_kind::life, ticket, 0}, 1, 1, 256, 0}, nullptr,
                               nullptr));
    ASSERT_TRUE(make_ring_file(*me, 5)); // ours, not yet in an entry
    EXPECT_EQ(me->recover().files, 7U);
    std::vector<std::string> expected = files_of({}, {me->ticket()});
    expected.push_back("d/ring.1.5");
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(root.leftovers(), expected);
}

TEST(Recovery, LeavesForeignFilesAlone) {
    scratch_root const root;
    auto const me = member(root.path());
    std::filesystem::create_directory(root.path() + "/d/ring.9.9.x");
    std::filesystem::create_symlink("/etc/passwd", root.path() + "/d/notes");
    me->recover();
    EXPECT_TRUE(std::filesystem::exists(root.path() + "/d/ring.9.9.x"));
    EXPECT_TRUE(std::filesystem::exists(root.path() + "/d/notes"));
}

// What the hooks below were asked, in this process.
std::atomic<bool> dead_may_go{true};
std::atomic<int> asked_about_dead{0};
std::atomic<int> cleaned_inside{0};
std::atomic<bool> can_clean{true};

recovery_hooks counting_hooks() {
    recovery_hooks hooks;
    hooks.entry_may_go = [](participant_core& core, entry_info const& entry) {
        if (entry.owner_ticket != core.ticket()) {
            EXPECT_TRUE(core.proven_dead(entry.owner_ticket));
            ++asked_about_dead;
        }
        return dead_may_go.load();
    };
    hooks.clean_inside = [](participant_core&, entry_info const&) {
        ++cleaned_inside;
        return can_clean.load();
    };
    dead_may_go = true;
    asked_about_dead = 0;
    cleaned_inside = 0;
    can_clean = true;
    return hooks;
}

TEST(Recovery, KeepsEntriesAndFilesThatTheHookKeepsButFreesTheParticipant) {
    scratch_root const root;
    auto const me = member(root.path(), "me", counting_hooks());
    resident victim(root.path());
    resident living(root.path());
    victim.kill();
    wait_for_proof(*me, victim.ticket);
    dead_may_go = false;
    recovery_report report = me->recover();
    EXPECT_EQ(report.participants, 1U);
    EXPECT_EQ(report.entries, 0U);
    EXPECT_EQ(report.entries_kept, 1U);
    EXPECT_EQ(asked_about_dead, 1);
    EXPECT_EQ(cleaned_inside, 2) << "the kept entry and that of the living";
    std::string const ring = root.path() + "/d/ring." + std::to_string(victim.ticket) + ".1";
    EXPECT_TRUE(std::filesystem::exists(ring));
    EXPECT_EQ(me->entries(entry_kind::topic_publisher, "a/b").size(), 2U);
    dead_may_go = true;
    report = me->recover();
    EXPECT_EQ(report.entries, 1U);
    EXPECT_FALSE(std::filesystem::exists(ring));
    EXPECT_EQ(root.leftovers(), files_of({living.ticket}, {me->ticket()}));
}

TEST(Recovery, ThatCouldNotLookInsideLeavesTheMarksOfTheDeadToTheNextOne) {
    scratch_root const root;
    auto const me = member(root.path(), "me", counting_hooks());
    resident victim(root.path());
    resident living(root.path());
    victim.kill();
    wait_for_proof(*me, victim.ticket);
    can_clean = false;
    recovery_report report = me->recover();
    EXPECT_EQ(report.participants, 0U);
    EXPECT_FALSE(report.complete);
    can_clean = true;
    cleaned_inside = 0;
    auto const joiner =
        member(root.path(), "joiner", {.entry_may_go = nullptr, .clean_inside = [](auto&, auto&) {
                                           ++cleaned_inside;
                                           return true;
                                       }});
    EXPECT_EQ(cleaned_inside, 1) << "of the living";
    EXPECT_EQ(root.leftovers(), files_of({living.ticket}, {me->ticket(), joiner->ticket()}));
}

TEST(Recovery, CleansInsideTheSegmentsOfTheLivingEvenIfNobodyIsFoundDead) {
    scratch_root const root;
    auto const me = member(root.path(), "me", counting_hooks());
    resident living(root.path());
    EXPECT_TRUE(me->recover().nothing());
    EXPECT_EQ(cleaned_inside, 1);
}

TEST(Recovery, OfAKilledRecovererIsDoneByTheNext) {
    scratch_root const root;
    auto const me = member(root.path());
    // The victim dies; the recoverer takes its slots and dies before it has cleaned them; the file
    // of a recoverer's recoverer is there too.
    resident victim(root.path());
    resident recoverer(root.path());
    registry_bytes const registry(me->dir());
    for (std::uint32_t i = 0; i < entries_max; ++i) {
        owner seen = owner_word<>::load(registry->entries[i].owner);
        if (seen.ticket() == victim.ticket) {
            ASSERT_TRUE(owner_word<>::exchange(registry->entries[i].owner, seen, recoverer.ticket,
                                               slot_phase::cleaning));
        }
    }
    victim.kill();
    recoverer.kill();
    wait_for_proof(*me, victim.ticket);
    wait_for_proof(*me, recoverer.ticket);
    recovery_report const report = me->recover();
    EXPECT_EQ(report.participants, 2U);
    EXPECT_EQ(report.entries, 2U);
    EXPECT_EQ(report.files, 4U);
    EXPECT_EQ(root.leftovers(), files_of({}, {me->ticket()}));
    EXPECT_EQ(slots_in_use(*registry), 1U);
}

PARTYWALL_ROLE(registry_recoverer) {
    auto const me = member(context.arg(0), "recoverer");
    context.send("ready");
    recovery_report all;
    while (context.receive() == "recover") {
        recovery_report one = me->recover();
        all.participants += one.participants;
        all.entries += one.entries;
        all.files += one.files;
        context.send("done");
    }
    context.send(std::to_string(all.participants) + " " + std::to_string(all.entries) + " " +
                 std::to_string(all.files));
    return 0;
}

// Four processes recover the same dead at the same time: everything goes, each thing once.
TEST(Recovery, ByFourAtOnceFreesEachThingOnce) {
    scratch_root const root;
    auto const me = member(root.path());
    std::vector<child> recoverers;
    std::vector<std::uint64_t> tickets{me->ticket()};
    for (int i = 0; i < 4; ++i) {
        recoverers.push_back(spawn("registry_recoverer", {root.path()}));
        recoverers.back().expect("ready");
        tickets.push_back(tickets.back() + 1);
    }
    std::size_t const rounds = 10;
    std::size_t const victims_per_round = 4;
    for (std::size_t round = 0; round < rounds; ++round) {
        {
            std::vector<std::unique_ptr<resident>> victims;
            for (std::size_t i = 0; i < victims_per_round; ++i) {
                victims.push_back(std::make_unique<resident>(root.path()));
            }
            for (auto const& victim : victims) {
                victim->kill();
                wait_for_proof(*me, victim->ticket);
            }
        }
        for (child& one : recoverers) {
            one.send("recover");
        }
        for (child& one : recoverers) {
            one.expect("done");
        }
        EXPECT_EQ(root.leftovers(), files_of({}, tickets));
    }
    std::size_t participants = 0;
    std::size_t entries = 0;
    std::size_t files = 0;
    for (child& one : recoverers) {
        one.send("stop");
        std::istringstream counts(one.receive());
        std::size_t p = 0;
        std::size_t e = 0;
        std::size_t f = 0;
        counts >> p >> e >> f;
        participants += p;
        entries += e;
        files += f;
        EXPECT_EQ(one.wait(), exited(0));
    }
    // A victim that joins recovers those before it, if any were left; none were.
    EXPECT_EQ(participants, rounds * victims_per_round);
    EXPECT_EQ(entries, rounds * victims_per_round);
    EXPECT_EQ(files, 2 * rounds * victims_per_round);
    EXPECT_EQ(slots_in_use(*registry_bytes(me->dir())), 1U);
}

} // namespace
} // namespace partywall
