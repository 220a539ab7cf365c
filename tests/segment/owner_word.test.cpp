// SPDX-License-Identifier: BSL-1.0
#include "support/counts.hpp"

#include <partywall/limits.hpp>
#include <partywall/segment/owner_word.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>

namespace partywall::test {
namespace {

using words = owner_word<>;

TEST(Owner, KeepsItsThreePartsApart) {
    for (std::uint64_t const ticket : {std::uint64_t{0}, std::uint64_t{1}, ticket_max}) {
        for (auto const phase :
             {slot_phase::free, slot_phase::filling, slot_phase::ready, slot_phase::cleaning}) {
            for (std::uint64_t const sequence : {std::uint64_t{0}, owner::sequence_mask}) {
                owner const o = owner::make(ticket, phase, sequence);
                EXPECT_EQ(o.ticket(), ticket);
                EXPECT_EQ(o.phase(), phase);
                EXPECT_EQ(o.sequence(), sequence);
                EXPECT_EQ(o.is_free(), phase == slot_phase::free);
            }
        }
    }
    EXPECT_EQ(owner{}.word, 0U);
    EXPECT_TRUE(owner{}.is_free());
}

TEST(Owner, WrapsItsSequenceWithoutTouchingTheRest) {
    owner const last = owner::make(ticket_max, slot_phase::ready, owner::sequence_mask);
    EXPECT_EQ(last.next(5, slot_phase::filling), owner::make(5, slot_phase::filling, 0));
    EXPECT_EQ(owner::make(5, slot_phase::ready, owner::sequence_mask + 7).sequence(), 6U);
}

TEST(OwnerWord, GoesThroughTheLifeOfASlot) {
    std::uint64_t word = 0;
    owner mine = words::load(word);
    ASSERT_TRUE(words::claim(word, mine, 7));
    EXPECT_EQ(mine, owner::make(7, slot_phase::filling, 1));
    ASSERT_TRUE(words::exchange(word, mine, 7, slot_phase::ready));
    ASSERT_TRUE(words::exchange(word, mine, 7, slot_phase::filling));
    ASSERT_TRUE(words::exchange(word, mine, 0, slot_phase::free));
    EXPECT_EQ(words::load(word), owner::make(0, slot_phase::free, 4)); // never reset
}

TEST(OwnerWord, IsClaimedOnlyWhileFree) {
    for (auto const phase : {slot_phase::filling, slot_phase::ready, slot_phase::cleaning}) {
        std::uint64_t word = owner::make(7, phase, 3).word;
        owner seen = words::load(word);
        EXPECT_FALSE(words::claim(word, seen, 8));
        EXPECT_EQ(words::load(word), owner::make(7, phase, 3));
    }
}

TEST(OwnerWord, ChangesOnlyFromExactlyWhatWasSeen) {
    owner const now = owner::make(7, slot_phase::ready, 3);
    for (owner stale :
         {owner::make(7, slot_phase::ready, 2), owner::make(7, slot_phase::filling, 3),
          owner::make(8, slot_phase::ready, 3)}) {
        std::uint64_t word = now.word;
        EXPECT_FALSE(words::exchange(word, stale, 9, slot_phase::cleaning));
        EXPECT_EQ(word, now.word);
        EXPECT_EQ(stale, now); // what stands there now
    }
}

TEST(OwnerWord, TellsWhetherASlotWasTouchedSinceItWasSeen) {
    std::uint64_t word = owner::make(7, slot_phase::ready, owner::sequence_mask).word;
    owner const seen = words::load(word);
    EXPECT_TRUE(words::unchanged(word, seen));
    owner mine = seen;
    words::exchange(word, mine, 7, slot_phase::filling);
    EXPECT_FALSE(words::unchanged(word, seen));
    words::exchange(word, mine, 7, slot_phase::ready); // ready again, and yet another
    EXPECT_FALSE(words::unchanged(word, seen));
}

TEST(OwnerWord, IsOutlivedByNoStateAKilledCleanerCouldLeave) {
    // Each cleaner is killed after its first change; the next one passes through the same states.
    std::uint64_t word = owner::make(1, slot_phase::ready, 0).word;
    for (std::uint64_t cleaner = 2; cleaner < 10; ++cleaner) {
        owner seen = words::load(word);
        ASSERT_TRUE(words::exchange(word, seen, cleaner, slot_phase::cleaning));
        EXPECT_EQ(words::load(word).ticket(), cleaner);
    }
    owner seen = words::load(word);
    ASSERT_TRUE(words::exchange(word, seen, 0, slot_phase::free));
    EXPECT_EQ(words::load(word), owner::make(0, slot_phase::free, 9));
}

TEST(OwnerWordThreads, HaveOneWinnerOfEveryClaim) {
    std::uint64_t const rounds = count(50'000, 5'000'000);
    std::uint64_t word = 0;
    std::atomic<int> inside{0};
    std::atomic<std::uint64_t> collisions{0};
    auto const claimant = [&](std::uint64_t ticket) {
        for (std::uint64_t won = 0; won < rounds;) {
            owner seen = words::load(word);
            if (!words::claim(word, seen, ticket)) {
                std::this_thread::yield();
                continue;
            }
            collisions += inside.fetch_add(1) != 0 ? 1 : 0;
            inside.fetch_sub(1);
            words::exchange(word, seen, 0, slot_phase::free);
            won += 1;
        }
    };
    std::array<std::thread, 3> claimants;
    for (std::size_t i = 0; i < claimants.size(); ++i) {
        claimants[i] = std::thread(claimant, i + 1);
    }
    for (auto& thread : claimants) {
        thread.join();
    }
    EXPECT_EQ(collisions, 0U);
    EXPECT_EQ(words::load(word).sequence(), 6 * rounds & owner::sequence_mask);
}

TEST(OwnerWordThreads, ShowReadersWholeContentsOnly) {
    std::uint64_t const rounds = count(50'000, 5'000'000);
    constexpr auto relaxed = std::memory_order_relaxed;
    std::uint64_t word = 0;
    std::array<std::uint64_t, 4> contents{};
    std::atomic<bool> over{false};
    std::uint64_t torn = 0;
    std::uint64_t whole = 0;
    std::thread reader([&] {
        // The last look comes after the end, when nothing changes any more.
        for (bool last = false; !last;) {
            last = over.load();
            owner const seen = words::load(word);
            std::array<std::uint64_t, 4> copy{};
            for (std::size_t i = 0; i < copy.size(); ++i) {
                copy[i] = std_atomics::load(contents[i], relaxed);
            }
            if (seen.phase() != slot_phase::ready || !words::unchanged(word, seen)) {
                continue;
            }
            whole += 1;
            for (std::size_t i = 1; i < copy.size(); ++i) {
                torn += copy[i] == copy[0] + i ? 0 : 1;
            }
        }
    });
    owner mine = words::load(word);
    words::claim(word, mine, 7);
    for (std::uint64_t round = 1; round <= rounds; ++round) {
        for (std::size_t i = 0; i < contents.size(); ++i) {
            std_atomics::store(contents[i], round * 10 + i, relaxed);
        }
        words::exchange(word, mine, 7, slot_phase::ready);
        if (round != rounds) {
            words::exchange(word, mine, 7, slot_phase::filling);
        }
    }
    over = true;
    reader.join();
    EXPECT_EQ(torn, 0U);
    EXPECT_GT(whole, 0U);
}

} // namespace
} // namespace partywall::test
