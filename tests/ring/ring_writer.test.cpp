// SPDX-License-Identifier: BSL-1.0
#include "ring_memory.hpp"

#include <gtest/gtest.h>

namespace partywall::test {
namespace {

using detail::cell_state;
using detail::ready_stamp;
using detail::writing_stamp;

TEST(RingWriter, GivesNewCellsTheStampsOfTheLapBeforeTheStart) {
    for (std::uint64_t const start : edge_positions()) {
        test_ring const ring({.cells = 8, .start = start});
        for (std::uint64_t i = 0; i < 8; ++i) {
            EXPECT_EQ(ring.geometry().stamp(start + i), writing_stamp(start + i - 8));
        }
    }
}

TEST(RingWriter, MarksACellBeforeAndAfterItsPayload) {
    test_ring const ring({.cells = 4, .start = 6});
    auto out = ring.writer();
    EXPECT_EQ(out.begin(), ring.geometry().payload(6));
    EXPECT_EQ(ring.geometry().stamp(6), writing_stamp(6));
    EXPECT_EQ(out.position(), 6U);
    out.commit();
    EXPECT_EQ(ring.geometry().stamp(6), ready_stamp(6));
    EXPECT_EQ(out.position(), 7U);
}

TEST(RingWriter, UsesAnAbandonedPositionAgain) {
    test_ring const ring({.cells = 4});
    auto out = ring.writer();
    out.begin();
    EXPECT_EQ(ring.reader().look(), cell_state::not_yet);
    out.begin(); // the first was abandoned
    EXPECT_EQ(ring.reader().look(), cell_state::not_yet);
    out.put(std::uint64_t{9});
    EXPECT_EQ(out.position(), 1U);
    ASSERT_EQ(ring.reader().look(), cell_state::ready);
    std::uint64_t got = 0;
    EXPECT_TRUE(ring.reader().copy_fixed<8>(reinterpret_cast<std::byte*>(&got)));
    EXPECT_EQ(got, 9U);
}

TEST(RingWriter, KeepsHistoryReadableAfterAnAbandonedLoan) {
    test_ring const ring({.cells = 4});
    auto out = ring.writer();
    for (std::uint64_t i = 0; i < 6; ++i) {
        out.put(i);
    }
    out.begin(); // in the cell of message 2, the oldest
    EXPECT_EQ(ring.reader(2).look(), cell_state::lapped);
    for (std::uint64_t i = 3; i < 6; ++i) {
        std::uint64_t got = 0;
        EXPECT_TRUE(ring.reader(i).copy_fixed<8>(reinterpret_cast<std::byte*>(&got)));
        EXPECT_EQ(got, i);
    }
    EXPECT_EQ(ring.reader(6).look(), cell_state::not_yet);
    EXPECT_EQ(ring.reader().find_end(0), 6U);
}

TEST(RingWriter, LeavesNoByteOfAnEarlierMessageInTheLastWord) {
    test_ring const ring({.cells = 4, .payload = 32, .variable = true});
    auto out = ring.writer();
    std::array<std::byte, 32> poison;
    poison.fill(std::byte{0xa5});
    std::array<std::byte, 32> const message{};
    for (std::uint32_t bytes = 0; bytes <= 32; ++bytes) {
        for (int i = 0; i < 4; ++i) {
            out.put(poison.data(), 32);
        }
        std::uint64_t const position = out.position();
        out.put(message.data(), bytes);
        std::byte const* const payload = ring.geometry().payload(position);
        for (std::size_t i = 0; i < (bytes + 7) / 8 * 8; ++i) {
            EXPECT_EQ(payload[i], std::byte{0}) << bytes << " bytes, byte " << i;
        }
    }
}

TEST(RingWriter, FillsTheLastWordOfAnOddSizedStructWithZeros) {
    struct odd {
        char text[13];
    };
    test_ring const ring({.cells = 4, .payload = sizeof(odd)});
    std::memset(ring.geometry().payload(0), 0xa5, 16);
    auto out = ring.writer();
    out.put(odd{"abcdefghijkl"});
    std::byte const* const payload = ring.geometry().payload(0);
    EXPECT_EQ(std::memcmp(payload, "abcdefghijkl\0\0\0\0", 16), 0);
}

TEST(RingWriter, TouchesNothingOutsideItsCells) {
    for (bool const variable : {false, true}) {
        for (std::uint64_t payload = 1; payload <= 130; ++payload) {
            test_ring const ring({.cells = 4, .payload = payload, .variable = variable});
            auto out = ring.writer(); // a byte too far hits the forbidden page
            std::vector<std::byte> const message(payload, std::byte{1});
            for (int i = 0; i < 9; ++i) {
                if (variable) {
                    out.put(message.data(), static_cast<std::uint32_t>(payload));
                } else {
                    copy_words<>::store(out.begin(), message.data(), payload);
                    out.commit();
                }
            }
            EXPECT_EQ(ring.reader().find_end(0), 9U);
        }
    }
}

} // namespace
} // namespace partywall::test
