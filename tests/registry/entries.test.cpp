// SPDX-License-Identifier: BSL-1.0
// Entries: what one participant writes and the others read.
#include "support.hpp"

#include <partywall/registry/registry_slots.hpp>

#include <atomic>
#include <cstring>
#include <random>
#include <thread>

namespace partywall {
namespace {

using namespace test;

entry_spec full_spec() {
    entry_spec spec;
    spec.kind = entry_kind::topic_subscription;
    spec.name = "market/eurusd";
    spec.type = {0x1122334455667788, 16, 8, "quote"};
    spec.number = 42;
    spec.policy = 2;
    spec.flags = 5;
    spec.depth = 256;
    spec.payload_bytes_max = 4096;
    spec.initial = health::starting;
    spec.meta = {{"unit", "EUR"}, {"host", "box"}};
    return spec;
}

TEST(Entries, AreReadAsTheyWereWritten) {
    scratch_root const root;
    auto const writer = member(root.path());
    auto const reader = member(root.path());
    entry_spec const spec = full_spec();
    entry_info const added = writer->add_entry(spec).value();
    auto const found = reader->entries(entry_kind::topic_subscription, "market/eurusd");
    ASSERT_EQ(found.size(), 1U);
    entry_info const& one = found[0];
    EXPECT_EQ(one.kind, spec.kind);
    EXPECT_EQ(one.name, spec.name);
    EXPECT_EQ(one.type, spec.type);
    EXPECT_EQ(one.number, spec.number);
    EXPECT_EQ(one.policy, spec.policy);
    EXPECT_EQ(one.flags, spec.flags);
    EXPECT_EQ(one.depth, spec.depth);
    EXPECT_EQ(one.payload_bytes_max, spec.payload_bytes_max);
    EXPECT_EQ(one.state, health::starting);
    EXPECT_EQ(one.meta, spec.meta);
    EXPECT_EQ(one.owner_ticket, writer->ticket());
    EXPECT_EQ(one.incarnation, incarnation_of(writer->ticket(), 42));
    EXPECT_EQ(one.index, added.index);
    EXPECT_EQ(one.owner, added.owner);
    EXPECT_EQ(one.incarnation, added.incarnation);
    EXPECT_TRUE(reader->entry_is_there(one));
}

TEST(Entries, AreFoundByKindAndName) {
    scratch_root const root;
    auto const me = member(root.path());
    auto const add = [&](entry_kind kind, char const* name) {
        entry_spec spec = publisher_spec(name);
        spec.kind = kind;
        ASSERT_TRUE(me->add_entry(spec));
    };
    add(entry_kind::topic_publisher, "a");
    add(entry_kind::topic_publisher, "a");
    add(entry_kind::topic_publisher, "a/b");
    add(entry_kind::topic_subscription, "a");
    EXPECT_EQ(me->entries(entry_kind::topic_publisher, "a").size(), 2U);
    EXPECT_EQ(me->entries(entry_kind::topic_publisher, "a/b").size(), 1U);
    EXPECT_EQ(me->entries(entry_kind::topic_publisher, "b").size(), 0U);
    EXPECT_EQ(me->entries(entry_kind::topic_publisher, "").size(), 3U);
    EXPECT_EQ(me->entries(entry_kind::topic_subscription, "").size(), 1U);
    EXPECT_EQ(me->snapshot().entries.size(), 4U);
}

TEST(Entries, HaveIncarnationsThatNoOtherEndpointHasOrHad) {
    scratch_root const root;
    auto me = member(root.path());
    std::uint64_t const first = me->add_entry(publisher_spec("a"))->incarnation;
    std::uint64_t const second = me->add_entry(publisher_spec("a"))->incarnation;
    EXPECT_NE(first, second);
    me.reset();
    me = member(root.path());
    EXPECT_GT(me->add_entry(publisher_spec("a"))->incarnation, second);
}

TEST(Entries, ChangeHealthAndMetadataWhereEverybodySeesIt) {
    scratch_root const root;
    auto const writer = member(root.path());
    auto const reader = member(root.path());
    entry_info entry = writer->add_entry(full_spec()).value();
    std::uint32_t const epoch = reader->snapshot().sequence;
    ASSERT_TRUE(writer->set_health(entry, health::ready));
    EXPECT_EQ(entry.state, health::ready);
    EXPECT_NE(reader->snapshot().sequence, epoch);
    EXPECT_EQ(reader->snapshot().entries.at(0).state, health::ready);
    for (int i = 0; i < 5; ++i) {
        metadata const meta{{"round", std::to_string(i)}};
        ASSERT_TRUE(writer->set_metadata(entry, meta));
        EXPECT_EQ(entry.meta, meta);
        EXPECT_EQ(reader->snapshot().entries.at(0).meta, meta);
    }
    EXPECT_TRUE(reader->entry_is_there(entry)) << "neither is a change of hands";
    auto const bad = writer->set_metadata(entry, {{"", ""}});
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error(), registry_errc::bad_metadata);
    EXPECT_EQ(reader->snapshot().entries.at(0).meta, (metadata{{"round", "4"}}));
}

TEST(Entries, GoWithTheirFilesAndOnlyOnce) {
    scratch_root const root;
    auto const me = member(root.path());
    ASSERT_TRUE(make_ring_file(*me, 1));
    entry_info const entry = me->add_entry(publisher_spec("a", 1)).value();
    EXPECT_EQ(root.leftovers(), files_of({1}));
    ASSERT_TRUE(me->remove_entry(entry));
    EXPECT_EQ(root.leftovers(), files_of({}, {1}));
    EXPECT_FALSE(me->entry_is_there(entry));
    EXPECT_EQ(me->remove_entry(entry).error(), registry_errc::not_found);
    entry_info again = entry;
    EXPECT_EQ(me->set_health(again, health::ready).error(), registry_errc::not_found);
    EXPECT_EQ(me->set_metadata(again, {}).error(), registry_errc::not_found);
    // The slot's next life is not the old entry.
    entry_info const next = me->add_entry(publisher_spec("b")).value();
    EXPECT_EQ(next.index, entry.index);
    EXPECT_EQ(me->remove_entry(entry).error(), registry_errc::not_found);
    EXPECT_TRUE(me->entry_is_there(next));
}

TEST(Entries, OfOthersCannotBeChanged) {
    scratch_root const root;
    auto const writer = member(root.path());
    auto const other = member(root.path());
    entry_info entry = writer->add_entry(publisher_spec("a")).value();
    EXPECT_EQ(other->remove_entry(entry).error(), registry_errc::not_found);
    EXPECT_EQ(other->set_health(entry, health::closed).error(), registry_errc::not_found);
    EXPECT_EQ(other->set_metadata(entry, {}).error(), registry_errc::not_found);
    EXPECT_FALSE(other->remove_dead_entry(entry)) << "its owner lives";
    EXPECT_FALSE(writer->remove_dead_entry(entry));
    EXPECT_TRUE(other->entry_is_there(entry));
    entry.index = entries_max;
    EXPECT_EQ(writer->remove_entry(entry).error(), registry_errc::not_found);
}

TEST(Entries, AreRefusedBadNamesKindsAndMetadata) {
    scratch_root const root;
    auto const me = member(root.path());
    for (std::string const& name :
         {std::string(), std::string("/a"), std::string("a/"), std::string("a//b"),
          std::string("a/../b"), std::string("."), std::string("a\0b", 3), std::string("\xc3"),
          std::string(name_bytes_max + 1, 'a')}) {
        auto const refused = me->add_entry(publisher_spec(name));
        ASSERT_FALSE(refused) << name;
        EXPECT_EQ(refused.error(), registry_errc::bad_name);
        EXPECT_FALSE(refused.error().message.empty());
    }
    EXPECT_TRUE(me->add_entry(publisher_spec(std::string(name_bytes_max, 'a'))));
    EXPECT_TRUE(me->add_entry(publisher_spec("*?[x]/ü/.hidden/%2F")));
    entry_spec spec = publisher_spec("a");
    spec.meta = {{"k", std::string(metadata_bytes_max, 'v')}};
    EXPECT_EQ(me->add_entry(spec).error(), registry_errc::bad_metadata);
    spec = publisher_spec("a");
    spec.kind = static_cast<entry_kind>(77);
    EXPECT_EQ(me->add_entry(spec).error(), registry_errc::system);
    spec = publisher_spec("a");
    spec.initial = static_cast<health>(0);
    EXPECT_EQ(me->add_entry(spec).error(), registry_errc::system);
    entry_info entry = me->add_entry(publisher_spec("a")).value();
    EXPECT_EQ(me->set_health(entry, static_cast<health>(5)).error(), registry_errc::system);
    EXPECT_EQ(me->snapshot().entries.size(), 3U);
}

TEST(Entries, ShowLongTypeNamesCut) {
    scratch_root const root;
    auto const me = member(root.path());
    entry_spec spec = publisher_spec("a");
    spec.type.name = std::string(type_name_bytes_max + 50, 't');
    EXPECT_EQ(me->add_entry(spec)->type.name, std::string(type_name_bytes_max, 't'));
    EXPECT_EQ(me->snapshot().entries.at(0).type.name, std::string(type_name_bytes_max, 't'));
}

TEST(Entries, SurviveTheWrapOfSequencesAndEpoch) {
    scratch_root const root;
    auto const me = member(root.path());
    registry_bytes const registry(me->dir());
    for (auto& slot : registry->entries) {
        slot.owner = owner::make(0, slot_phase::free, owner::sequence_mask - 3).word;
    }
    registry->epoch = 0xffff'fffe;
    for (int round = 0; round < 8; ++round) {
        std::uint32_t const before = me->snapshot().sequence;
        entry_info const entry = me->add_entry(publisher_spec("a")).value();
        EXPECT_NE(me->snapshot().sequence, before);
        EXPECT_EQ(me->entries(entry_kind::topic_publisher, "a").size(), 1U);
        ASSERT_TRUE(me->remove_entry(entry));
        EXPECT_TRUE(me->entries(entry_kind::topic_publisher, "a").empty());
    }
    EXPECT_EQ(slots_in_use(*registry), 1U);
}

TEST(Entries, ThatCannotBeEntriesAreLeftOut) {
    scratch_root const root;
    auto const me = member(root.path());
    entry_info const good = me->add_entry(publisher_spec("good")).value();
    entry_info const bad = me->add_entry(publisher_spec("bad")).value();
    registry_bytes const registry(me->dir());
    entry_slot& slot = registry->entries[bad.index];
    entry_slot const whole = slot;
    auto const expect_left_out = [&](char const* what) {
        EXPECT_EQ(me->snapshot().entries.size(), 1U) << what;
        EXPECT_EQ(me->entries(entry_kind::topic_publisher, "").size(), 1U) << what;
        slot = whole;
        EXPECT_EQ(me->snapshot().entries.size(), 2U) << what;
    };
    slot.record.kind = 0;
    expect_left_out("kind 0");
    slot.record.kind = 0xffff'ffff;
    expect_left_out("a kind that does not exist");
    slot.health = 0;
    expect_left_out("health 0");
    slot.health = 5;
    expect_left_out("a health that does not exist");
    slot.record.name_bytes = 0;
    expect_left_out("no name");
    slot.record.name_bytes = name_bytes_max + 1;
    expect_left_out("a name that is too long");
    slot.record.name_bytes = 0xffff'ffff;
    expect_left_out("a name that is much too long");
    slot.record.name[0] = '/';
    expect_left_out("a name that is none");
    slot.record.type_name_bytes = type_name_bytes_max + 1;
    expect_left_out("a type name that is too long");
    slot.meta[0].bytes = metadata_bytes_max + 1;
    expect_left_out("metadata that is too long");
    slot.meta[0].bytes = ~std::uint64_t{0};
    expect_left_out("metadata that is much too long");
    slot.meta[0].bytes = 3;
    expect_left_out("metadata that is cut off");
    slot.owner = owner::make(0, slot_phase::ready, 1).word;
    expect_left_out("an entry of nobody");
    slot.metadata_version = ~std::uint64_t{0};
    EXPECT_EQ(me->snapshot().entries.size(), 2U) << "any version number is a version number";
}

// A participant that writes anything anywhere: nobody else reads or writes out of bounds, hangs
// or dies. (The sanitizers look on in CI.)
TEST(Entries, AnyBytesInTheRegistryHarmNobody) {
    std::mt19937_64 random(7);
    for (int round = 0; round < 30; ++round) {
        scratch_root const root;
        auto const me = member(root.path());
        auto const other = member(root.path());
        registry_bytes const registry(me->dir());
        auto* const words = reinterpret_cast<std::uint64_t*>(&*registry);
        std::size_t const first = sizeof(segment_header) / 8;
        std::size_t const all = sizeof(registry_layout) / 8;
        for (std::size_t i = first; i < all; ++i) {
            // All of it, or every other word, or now and then one.
            if (round % 3 == 0 || random() % (round % 3 == 1 ? 2 : 64) == 0) {
                words[i] = round % 2 == 0 ? random() : random() % 4096;
            }
        }
        me->snapshot();
        me->entries(entry_kind::topic_publisher, "");
        me->tickets();
        me->recover();
        if (auto entry = me->add_entry(publisher_spec("a"))) {
            (void)me->set_health(*entry, health::closed);
            (void)me->set_metadata(*entry, {{"a", "b"}});
            (void)me->remove_entry(*entry);
        }
        (void)participant_core::join("newcomer", place(root.path()));
    }
}

TEST(Entries, FillTheRegistryAndAreThenRefused) {
    scratch_root const root;
    auto const me = member(root.path());
    entry_info last;
    for (std::uint32_t i = 0; i < entries_max; ++i) {
        auto added = me->add_entry(publisher_spec("a"));
        ASSERT_TRUE(added) << i;
        last = std::move(*added);
    }
    auto const refused = me->add_entry(publisher_spec("a"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), registry_errc::too_many_entries);
    ASSERT_TRUE(me->remove_entry(last));
    EXPECT_TRUE(me->add_entry(publisher_spec("a")));
}

TEST(EntriesThreads, OfOneParticipantDoNotDisturbEachOther) {
    scratch_root const root;
    auto const me = member(root.path());
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            std::string const name = "thread/" + std::to_string(t);
            for (int round = 0; round < 200; ++round) {
                entry_info entry = me->add_entry(publisher_spec(name)).value();
                EXPECT_TRUE(me->set_health(entry, health::ready));
                EXPECT_TRUE(me->set_metadata(entry, {{"round", std::to_string(round)}}));
                auto const found = me->entries(entry_kind::topic_publisher, name);
                ASSERT_EQ(found.size(), 1U);
                EXPECT_EQ(found[0].meta, entry.meta);
                EXPECT_EQ(found[0].state, health::ready);
                EXPECT_TRUE(me->remove_entry(entry));
                if (round % 50 == 0) {
                    EXPECT_TRUE(me->recover().nothing());
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(slots_in_use(*registry_bytes(me->dir())), 1U);
}

// Whether an entry is there decides about other people's messages; so it may not depend on how
// often its owner replaces the metadata.
TEST(EntriesThreads, AreAlwaysFoundWhileTheirOwnerRewritesTheMetadataWithoutPause) {
    scratch_root const root;
    auto const writer = member(root.path());
    auto const reader = member(root.path());
    entry_info entry = writer->add_entry(publisher_spec("a")).value();
    std::atomic<bool> stop{false};
    std::thread rewriting([&] {
        for (int round = 0; !stop; ++round) {
            std::string const value(static_cast<std::size_t>(round % 300), 'v');
            EXPECT_TRUE(writer->set_metadata(entry, {{"a", value}, {"b", value.substr(0, 50)}}));
        }
    });
    int found = 0;
    for (int i = 0; i < 3000; ++i) {
        auto const all = reader->entries(entry_kind::topic_publisher, "a");
        found += all.size() == 1 ? 1 : 0;
        if (all.size() == 1 && !all[0].meta.empty()) {
            EXPECT_EQ(all[0].meta.at(0).second.substr(0, 50), all[0].meta.at(1).second);
        }
    }
    stop = true;
    rewriting.join();
    EXPECT_EQ(found, 3000);
}

// What the hook says about closed entries.
bool may_go = false;

TEST(Entries, ThatAreClosedStayUntilTheHookLetsThemGo) {
    scratch_root const root;
    recovery_hooks hooks;
    hooks.entry_may_go = [](participant_core&, entry_info const& entry) {
        EXPECT_TRUE(entry.name != "a" || entry.state == health::closed);
        return may_go;
    };
    may_go = false;
    auto const me = member(root.path(), "me", hooks);
    ASSERT_TRUE(make_ring_file(*me, 1));
    entry_info entry = me->add_entry(publisher_spec("a", 1)).value();
    ASSERT_TRUE(me->set_health(entry, health::closed));
    me->recover();
    ASSERT_TRUE(me->add_entry(publisher_spec("b")));
    EXPECT_TRUE(me->entry_is_there(entry));
    EXPECT_EQ(root.leftovers(), files_of({1}));
    may_go = true;
    ASSERT_TRUE(me->add_entry(publisher_spec("c"))) << "the next registry operation";
    EXPECT_FALSE(me->entry_is_there(entry));
    EXPECT_EQ(root.leftovers(), files_of({}, {1}));
}

TEST(Entries, ThatTheHookKeepsOutliveTheirParticipantUntilTheHookLetsThemGo) {
    scratch_root const root;
    recovery_hooks hooks;
    hooks.entry_may_go = [](participant_core&, entry_info const&) { return may_go; };
    may_go = false;
    auto writer = member(root.path(), "writer", hooks);
    ASSERT_TRUE(make_ring_file(*writer, 1));
    entry_info entry = writer->add_entry(publisher_spec("a", 1)).value();
    ASSERT_TRUE(writer->set_health(entry, health::closed));
    writer.reset();
    auto const me = member(root.path(), "me", hooks);
    EXPECT_TRUE(me->entry_is_there(entry));
    EXPECT_TRUE(me->proven_dead(entry.owner_ticket));
    recovery_report const first = me->recover();
    EXPECT_EQ(first.entries_kept, 1U);
    EXPECT_TRUE(first.nothing());
    std::vector<std::string> expected = files_of({}, {3});
    expected.push_back("d/ring.1.1");
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(root.leftovers(), expected);
    may_go = true;
    recovery_report const second = me->recover();
    EXPECT_EQ(second.entries, 1U);
    EXPECT_EQ(second.files, 1U);
    EXPECT_EQ(second.entries_kept, 0U);
    EXPECT_EQ(root.leftovers(), files_of({}, {3}));
}

// How often the hook below was asked; it says yes from the second time on.
int times_asked = 0;

// As if the last reader of what was kept ended just after the leaving participant had asked, while
// its lock still said that it lives: the reader left the entry to it.
TEST(Entries, ThatNobodyNeedsAnyMoreWhenTheirParticipantHasLeftGoWithIt) {
    scratch_root const root;
    recovery_hooks hooks;
    hooks.entry_may_go = [](participant_core&, entry_info const&) { return ++times_asked > 1; };
    times_asked = 0;
    auto writer = member(root.path(), "writer", hooks);
    ASSERT_TRUE(make_ring_file(*writer, 1));
    ASSERT_TRUE(writer->add_entry(publisher_spec("a", 1)));
    writer.reset();
    EXPECT_EQ(times_asked, 2);
    EXPECT_EQ(root.leftovers(), files_of({}));
}

} // namespace
} // namespace partywall
