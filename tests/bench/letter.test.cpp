// SPDX-License-Identifier: BSL-1.0
#include "harness/letter.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <vector>

namespace {

using partywall::bench::any_size;
using partywall::bench::ledger;
using partywall::bench::letter;
using partywall::bench::tag;

TEST(Letter, IsReadAsItWasWritten) {
    letter<64> const paper(64);
    std::array<std::byte, 64> message{};
    paper.write(message.data(), tag::of(3, 12345));
    bool right = false;
    tag const t = paper.read(message.data(), message.size(), right);
    EXPECT_TRUE(right);
    EXPECT_EQ(t.writer(), 3U);
    EXPECT_EQ(t.number(), 12345U);
}

TEST(Letter, TellsAnyByteThatIsNotTheTags) {
    letter<any_size> const paper(256);
    std::vector<std::byte> message(256);
    for (std::size_t i = 8; i < message.size(); ++i) {
        paper.write(message.data(), tag::of(0, 7));
        message[i] ^= std::byte{1};
        bool right = true;
        paper.read(message.data(), message.size(), right);
        EXPECT_FALSE(right) << "byte " << i;
    }
}

TEST(Letter, TellsADamagedTagFromTheOtherWords) {
    letter<48> const paper(48);
    std::array<std::byte, 48> message{};
    paper.write(message.data(), tag::of(0, 7));
    message[0] ^= std::byte{1};
    bool right = true;
    paper.read(message.data(), message.size(), right);
    EXPECT_FALSE(right);
}

TEST(Letter, OfAnotherSizeIsWrong) {
    letter<any_size> const paper(64);
    std::vector<std::byte> message(64);
    paper.write(message.data(), tag::of(0, 7));
    bool right = true;
    paper.read(message.data(), 56, right);
    EXPECT_FALSE(right);
}

TEST(Letter, OfWhichOnlyTheEndsCountHasNothingBetweenThem) {
    letter<any_size> const paper(1024, true);
    std::vector<std::byte> message(1024);
    paper.write(message.data(), tag::of(0, 7));
    EXPECT_EQ(message[512], std::byte{});
    bool right = false;
    paper.read(message.data(), message.size(), right);
    EXPECT_TRUE(right);
    message[1023] ^= std::byte{1};
    paper.read(message.data(), message.size(), right);
    EXPECT_FALSE(right);
}

TEST(Ledger, CountsWhatIsMissingInBetweenAndAtTheEnd) {
    ledger l;
    l.take(tag::of(0, 0), true);
    l.take(tag::of(0, 3), true);
    EXPECT_EQ(l.lost(), 2U);
    l.close(0, 10);
    EXPECT_EQ(l.lost(), 8U);
    EXPECT_EQ(l.taken(), 2U);
    EXPECT_EQ(l.wrong(), 0U);
}

TEST(Ledger, KnowsEachWriterByItself) {
    ledger l;
    l.take(tag::of(0, 0), true);
    l.take(tag::of(1, 0), true);
    l.take(tag::of(0, 1), true);
    EXPECT_EQ(l.lost(), 0U);
    EXPECT_EQ(l.wrong(), 0U);
}

TEST(Ledger, CallsWhatIsRepeatedOrDamagedOrFromNobodyWrong) {
    ledger l;
    l.take(tag::of(0, 0), true);
    l.take(tag::of(0, 0), true);
    EXPECT_EQ(l.wrong(), 1U);
    l.take(tag::of(0, 1), false);
    EXPECT_EQ(l.wrong(), 2U);
    l.take(tag::of(200, 0), true);
    EXPECT_EQ(l.wrong(), 3U);
    l.close(0, 0); // more than were sent
    EXPECT_EQ(l.wrong(), 4U);
}

} // namespace
