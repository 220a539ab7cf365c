// SPDX-License-Identifier: BSL-1.0
// The steps of a slot's life, on private memory.
#include <partywall/registry/registry_slots.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

namespace partywall {
namespace {

using namespace detail;
using slots = registry_slots<>;
using owners = owner_word<>;

bool copy_all(entry_slot const& slot, owner seen, raw_entry& out) {
    return slots::copy(slot, seen, out) && slots::copy_metadata(slot, seen, out.meta);
}

raw_entry pattern(std::uint8_t byte) {
    raw_entry entry;
    std::memset(&entry, byte, sizeof entry);
    return entry;
}

bool is_pattern(raw_entry const& entry, std::uint8_t byte) {
    raw_entry const expected = pattern(byte);
    return std::memcmp(&entry.record, &expected.record, sizeof entry.record) == 0 &&
           std::memcmp(&entry.meta, &expected.meta, sizeof entry.meta) == 0 &&
           entry.health == expected.health;
}

bool has_metadata(raw_entry const& entry, std::uint8_t byte) {
    raw_entry const expected = pattern(byte);
    return std::memcmp(&entry.meta, &expected.meta, sizeof entry.meta) == 0;
}

TEST(RegistrySlots, GoFromFreeThroughFillingReadyCleaningToFree) {
    auto const slot = std::make_unique<entry_slot>();
    owner seen = owners::load(slot->owner);
    ASSERT_TRUE(owners::claim(slot->owner, seen, 7));
    EXPECT_EQ(owners::load(slot->owner), owner::make(7, slot_phase::filling, 1));
    slots::fill(*slot, pattern(0x11));
    ASSERT_TRUE(slots::publish(slot->owner, seen));
    EXPECT_EQ(owners::load(slot->owner), owner::make(7, slot_phase::ready, 2));
    raw_entry read;
    ASSERT_TRUE(copy_all(*slot, seen, read));
    EXPECT_TRUE(is_pattern(read, 0x11));
    ASSERT_TRUE(slots::take(slot->owner, seen, 9));
    EXPECT_EQ(owners::load(slot->owner), owner::make(9, slot_phase::cleaning, 3));
    ASSERT_TRUE(slots::finish(*slot, seen));
    EXPECT_EQ(owners::load(slot->owner), owner::make(0, slot_phase::free, 4));
}

TEST(RegistrySlots, LeaveNothingOfAnOwnerBehind) {
    auto const slot = std::make_unique<entry_slot>();
    std::memset(static_cast<void*>(slot.get()), 0x5a, sizeof *slot);
    owner seen = owner::make(3, slot_phase::cleaning, 1);
    slot->owner = seen.word;
    ASSERT_TRUE(slots::finish(*slot, seen));
    entry_slot expected{};
    expected.owner = owner::make(0, slot_phase::free, 2).word;
    EXPECT_EQ(std::memcmp(slot.get(), &expected, sizeof expected), 0);
}

TEST(RegistrySlots, CountEveryChangeAcrossTheWrapOfTheSequence) {
    entry_slot slot{};
    owner seen = owner::make(0, slot_phase::free, owner::sequence_mask - 1);
    slot.owner = seen.word;
    ASSERT_TRUE(owners::claim(slot.owner, seen, ticket_max));
    EXPECT_EQ(seen.sequence(), owner::sequence_mask);
    slots::fill(slot, pattern(0x22));
    ASSERT_TRUE(slots::publish(slot.owner, seen));
    EXPECT_EQ(seen, owner::make(ticket_max, slot_phase::ready, 0));
    raw_entry read;
    EXPECT_TRUE(copy_all(slot, seen, read));
    EXPECT_TRUE(is_pattern(read, 0x22));
    ASSERT_TRUE(slots::take(slot.owner, seen, 1));
    ASSERT_TRUE(slots::finish(slot, seen));
    EXPECT_EQ(seen, owner::make(0, slot_phase::free, 2));
}

TEST(RegistrySlots, AreTakenByOneOfThoseWhoSawTheSameWord) {
    entry_slot slot{};
    owner const dead = owner::make(5, slot_phase::ready, 8);
    slot.owner = dead.word;
    owner first = dead;
    owner second = dead;
    EXPECT_TRUE(slots::take(slot.owner, first, 10));
    EXPECT_FALSE(slots::take(slot.owner, second, 11));
    EXPECT_EQ(second, first) << "the loser sees what stands there now";
    // The winner is killed while it cleans: the next takes over from exactly that word.
    EXPECT_TRUE(slots::take(slot.owner, second, 11));
    EXPECT_EQ(second, owner::make(11, slot_phase::cleaning, 10));
}

TEST(RegistrySlots, ThatAreFreeAreNotTaken) {
    entry_slot slot{};
    owner seen = owners::load(slot.owner);
    EXPECT_FALSE(slots::take(slot.owner, seen, 10));
    EXPECT_EQ(slot.owner, 0U);
}

TEST(RegistrySlots, KeepTheOldMetadataWholeUntilTheNewIsWhole) {
    entry_slot slot{};
    owner seen{};
    owners::claim(slot.owner, seen, 7);
    slots::fill(slot, pattern(0x11));
    slots::publish(slot.owner, seen);
    // An owner that is killed while it rewrites: the area that is not valid holds anything.
    std::memset(static_cast<void*>(&slot.meta[1]), 0x77, sizeof slot.meta[1]);
    raw_entry read;
    ASSERT_TRUE(copy_all(slot, seen, read));
    EXPECT_TRUE(is_pattern(read, 0x11));
    slots::set_metadata(slot, pattern(0x33).meta);
    ASSERT_TRUE(copy_all(slot, seen, read));
    EXPECT_TRUE(has_metadata(read, 0x33));
    slots::set_metadata(slot, pattern(0x44).meta);
    ASSERT_TRUE(copy_all(slot, seen, read));
    EXPECT_TRUE(has_metadata(read, 0x44));
}

TEST(RegistrySlots, GiveNoCopyForAWordThatIsNotThereAnyMore) {
    entry_slot slot{};
    owner seen{};
    owners::claim(slot.owner, seen, 7);
    slots::fill(slot, pattern(0x11));
    slots::publish(slot.owner, seen);
    owner const old = seen;
    slots::take(slot.owner, seen, 7);
    raw_entry read;
    EXPECT_FALSE(slots::copy(slot, old, read));
    EXPECT_FALSE(slots::copy_metadata(slot, old, read.meta));
}

// One owner that claims, rewrites metadata and frees without end, readers that copy: every copy
// that counts is whole, record and metadata each of one pattern.
TEST(RegistrySlotsThreads, AreNeverReadTorn) {
    auto const slot = std::make_unique<entry_slot>();
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> whole{0};
    auto const uniform = [](void const* memory, std::size_t bytes) {
        auto const* const first = static_cast<unsigned char const*>(memory);
        return std::memcmp(first, first + 1, bytes - 1) == 0;
    };
    std::vector<std::thread> readers;
    std::atomic<std::uint64_t> torn{0};
    for (int i = 0; i < 2; ++i) {
        readers.emplace_back([&] {
            while (!stop.load(std::memory_order_relaxed)) {
                owner const seen = owners::load(slot->owner);
                raw_entry read;
                if (seen.phase() == slot_phase::ready && copy_all(*slot, seen, read)) {
                    whole.fetch_add(1, std::memory_order_relaxed);
                    if (!uniform(&read.record, sizeof read.record) ||
                        !uniform(&read.meta, sizeof read.meta)) {
                        torn.fetch_add(1, std::memory_order_relaxed);
                    }
                }
            }
        });
    }
    std::uint8_t byte = 0;
    for (int round = 0; round < 20000 || whole.load(std::memory_order_relaxed) < 1000; ++round) {
        owner seen = owners::load(slot->owner);
        ASSERT_TRUE(owners::claim(slot->owner, seen, 7));
        slots::fill(*slot, pattern(++byte));
        ASSERT_TRUE(slots::publish(slot->owner, seen));
        for (int i = 0; i < 3; ++i) {
            slots::set_metadata(*slot, pattern(++byte).meta);
        }
        ASSERT_TRUE(slots::take(slot->owner, seen, 7));
        ASSERT_TRUE(slots::finish(*slot, seen));
    }
    stop = true;
    for (std::thread& reader : readers) {
        reader.join();
    }
    EXPECT_EQ(torn.load(), 0U);
    RecordProperty("whole_copies", std::to_string(whole.load()));
}

} // namespace
} // namespace partywall
