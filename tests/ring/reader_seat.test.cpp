// SPDX-License-Identifier: BSL-1.0
#include <partywall/ring/reader_seat.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstring>

namespace partywall::test {
namespace {

using detail::cursor_at;
using detail::cursor_none;
using detail::reader_role;
using detail::reader_slot;
using seat = detail::reader_seat<>;

struct room {
    detail::ring_control control{};
    std::array<reader_slot, 3> slots{};

    seat take(std::uint64_t ticket, reader_role role = reader_role::lossless) {
        owner mine;
        reader_slot* const slot =
            seat::claim(slots.data(), static_cast<std::uint32_t>(slots.size()), ticket, role, mine);
        return slot == nullptr ? seat() : seat(*slot, control, mine, fence_pair::publisher);
    }
};

TEST(ReaderSeat, ClaimsTheFirstFreeSlot) {
    room r;
    r.slots[0].owner = owner::make(5, slot_phase::ready, 1).word;
    r.slots[1].owner = owner::make(0, slot_phase::free, owner::sequence_mask).word;
    seat const mine = r.take(7, reader_role::lossy);
    ASSERT_TRUE(mine);
    EXPECT_EQ(&mine.slot(), &r.slots[1]);
    EXPECT_EQ(owner{r.slots[1].owner}, owner::make(7, slot_phase::filling, 0));
    EXPECT_EQ(r.slots[1].role, static_cast<std::uint32_t>(reader_role::lossy));
}

TEST(ReaderSeat, FindsNoneWhenEverySlotIsTaken) {
    room r;
    r.slots[0].owner = owner::make(5, slot_phase::filling, 1).word;
    r.slots[1].owner = owner::make(6, slot_phase::ready, 1).word;
    r.slots[2].owner = owner::make(8, slot_phase::cleaning, 1).word;
    EXPECT_FALSE(r.take(7));
}

TEST(ReaderSeat, ClearsACursorThatAHostileOwnerLeft) {
    room r;
    r.slots[0].cursor = cursor_at(3);
    ASSERT_TRUE(r.take(7, reader_role::lossy));
    EXPECT_EQ(r.slots[0].cursor, cursor_none);
}

TEST(ReaderSeat, JoinsAtTheWritersPosition) {
    for (std::uint64_t const position :
         {std::uint64_t{0}, std::uint64_t{1} << 32, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
        room r;
        r.control.position = position;
        seat mine = r.take(7);
        EXPECT_EQ(mine.join(), position);
        EXPECT_EQ(mine.published(), position);
        EXPECT_EQ(r.slots[0].cursor, cursor_at(position));
        mine.set_ready();
        EXPECT_EQ(owner{r.slots[0].owner}, owner::make(7, slot_phase::ready, 2));
    }
}

TEST(ReaderSeat, LeavesAFreeSlotWithNothingInIt) {
    room r;
    seat mine = r.take(7);
    mine.join();
    r.slots[0].subscription = 3;
    r.slots[0].subscription_ticket = 4;
    mine.set_ready();
    mine.count_received(10);
    mine.count_missed(20);
    mine.count_sleep();
    mine.count_sleep();
    mine.count_corrupt();
    EXPECT_EQ(r.slots[0].received, 10U);
    EXPECT_EQ(r.slots[0].missed, 20U);
    EXPECT_EQ(r.slots[0].sleeps, 2U);
    EXPECT_EQ(r.slots[0].corrupt, 1U);
    mine.leave();
    EXPECT_FALSE(mine);
    reader_slot expected{};
    expected.owner = owner::make(0, slot_phase::free, 4).word;
    EXPECT_EQ(std::memcmp(&r.slots[0], &expected, sizeof expected), 0);
}

TEST(ReaderSeat, TouchesNothingOfASlotThatIsNoLongerItsOwn) {
    room r;
    seat mine = r.take(7);
    mine.join();
    mine.set_ready();
    // Somebody hostile says it is theirs.
    r.slots[0].owner = owner::make(66, slot_phase::ready, 9).word;
    r.slots[0].subscription = 5;
    mine.leave();
    EXPECT_FALSE(mine);
    EXPECT_EQ(owner{r.slots[0].owner}, owner::make(66, slot_phase::ready, 9));
    EXPECT_EQ(r.slots[0].subscription, 5U);
}

TEST(ReaderSeat, CanBeTakenAgainAndAgain) {
    room r;
    for (std::uint64_t i = 0; i < 100; ++i) {
        seat mine = r.take(i + 1);
        ASSERT_TRUE(mine);
        ASSERT_EQ(&mine.slot(), &r.slots[0]);
        mine.join();
        mine.set_ready();
        mine.leave();
    }
    EXPECT_EQ(owner{r.slots[0].owner}, owner::make(0, slot_phase::free, 400));
}

TEST(ReaderSeat, GivesBackCellsAndRingsOnlyWhenTheWriterWaits) {
    room r;
    seat mine = r.take(7);
    mine.join();
    mine.publish_cursor(1);
    EXPECT_EQ(r.slots[0].cursor, cursor_at(1));
    EXPECT_EQ(mine.published(), 1U);
    EXPECT_EQ(r.slots[0].freed, 0U);
    r.control.room_arm += 1;
    mine.publish_cursor(2);
    EXPECT_EQ(r.slots[0].freed, 1U);
    mine.publish_cursor(3);
    EXPECT_EQ(r.slots[0].freed, 1U); // this arming was answered
    r.control.room_arm += 1;
    mine.leave();
    EXPECT_EQ(r.slots[0].freed, 2U); // leaving gives room too
}

TEST(ReaderSeat, IsReclaimedFromEveryPhaseOnce) {
    for (auto const phase : {slot_phase::filling, slot_phase::ready, slot_phase::cleaning}) {
        room r;
        reader_slot& slot = r.slots[1];
        owner const seen = owner::make(7, phase, owner::sequence_mask);
        slot.owner = seen.word;
        slot.role = 1;
        slot.subscription = 2;
        slot.subscription_ticket = 3;
        slot.received = slot.missed = slot.sleeps = slot.corrupt = 4;
        slot.cursor = cursor_at(9);
        slot.freed = ~std::uint32_t{0};
        EXPECT_TRUE(seat::reclaim(slot, seen, 8));
        reader_slot expected{};
        expected.owner = owner::make(0, slot_phase::free, 1).word;
        EXPECT_EQ(std::memcmp(&slot, &expected, sizeof expected), 0); // and freed has moved on
        EXPECT_FALSE(seat::reclaim(slot, seen, 9));
    }
}

TEST(ReaderSeat, IsNotReclaimedFromALaterOwner) {
    room r;
    owner const dead = owner::make(7, slot_phase::ready, 3);
    owner const later = owner::make(8, slot_phase::ready, 6);
    r.slots[0].owner = later.word;
    r.slots[0].cursor = cursor_at(5);
    EXPECT_FALSE(seat::reclaim(r.slots[0], dead, 9));
    EXPECT_EQ(owner{r.slots[0].owner}, later);
    EXPECT_EQ(r.slots[0].cursor, cursor_at(5));
}

} // namespace
} // namespace partywall::test
