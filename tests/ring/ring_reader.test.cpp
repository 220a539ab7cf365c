// SPDX-License-Identifier: BSL-1.0
#include "ring_memory.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace partywall::test {
namespace {

using detail::cell_state;
using detail::ring_reader;
using detail::ring_writer;

void put(ring_writer<>& out, std::uint64_t messages) {
    for (std::uint64_t i = 0; i < messages; ++i) {
        out.put(out.position());
    }
}

/// The message of `in`'s position, which must be there.
std::uint64_t get(ring_reader<> const& in) {
    std::uint64_t message = 0;
    EXPECT_TRUE(in.copy_fixed<8>(reinterpret_cast<std::byte*>(&message)));
    return message;
}

TEST(RingReader, SeesNothingInANewRing) {
    for (std::uint64_t const start : edge_positions()) {
        test_ring const ring({.cells = 4, .start = start});
        for (std::uint64_t i = 0; i < 4; ++i) {
            EXPECT_EQ(ring.reader(start + i).look(), cell_state::not_yet) << start << " + " << i;
        }
    }
}

TEST(RingReader, GetsMessagesInOrderAcrossTheEndOfThePositions) {
    for (std::uint64_t const start : edge_positions()) {
        test_ring const ring({.cells = 4, .start = start});
        auto out = ring.writer();
        auto in = ring.reader();
        for (std::uint64_t i = 0; i < 80; ++i) {
            ASSERT_EQ(in.look(), cell_state::not_yet);
            put(out, 1);
            ASSERT_EQ(in.look(), cell_state::ready);
            ASSERT_EQ(get(in), start + i);
            in.advance();
        }
        EXPECT_EQ(out.position(), start + 80);
    }
}

TEST(RingReader, SeesThatItWasLapped) {
    for (std::uint64_t const start : edge_positions()) {
        test_ring const ring({.cells = 4, .start = start});
        auto out = ring.writer();
        put(out, 4);
        EXPECT_EQ(ring.reader().look(), cell_state::ready);
        out.begin(); // takes the oldest message away
        EXPECT_EQ(ring.reader().look(), cell_state::lapped);
        out.commit();
        EXPECT_EQ(ring.reader().look(), cell_state::lapped);
        put(out, 40);
        EXPECT_EQ(ring.reader().look(), cell_state::lapped);
    }
}

TEST(RingReader, ThrowsAwayACopyThatWasOverwrittenMeanwhile) {
    test_ring const ring({.cells = 4});
    auto out = ring.writer();
    put(out, 4);
    auto const in = ring.reader();
    ASSERT_EQ(in.look(), cell_state::ready);
    out.begin();
    std::uint64_t message = 0;
    EXPECT_FALSE(in.copy(reinterpret_cast<std::byte*>(&message), 8));
    EXPECT_FALSE(in.copy_fixed<8>(reinterpret_cast<std::byte*>(&message)));
    EXPECT_FALSE(in.still_there(0));
    EXPECT_TRUE(in.still_there(1));
}

TEST(RingReader, FindsTheEndAtEveryFillLevel) {
    for (std::uint64_t const cells : {4U, 8U, 32U}) {
        for (std::uint64_t const start : edge_positions()) {
            test_ring const ring({.cells = cells, .start = start});
            auto out = ring.writer();
            auto const in = ring.reader();
            for (std::uint64_t filled = 0; filled <= 3 * cells + 1; ++filled) {
                ASSERT_EQ(in.find_end(start), start + filled) << cells << " cells from " << start;
                std::uint64_t const oldest = start + filled - std::min(filled, cells);
                ASSERT_EQ(in.walk_to_end(oldest), start + filled);
                ASSERT_EQ(in.walk_to_end(start + filled), start + filled);
                out.begin(); // an unfinished message is not the end's business
                ASSERT_EQ(in.find_end(start), start + filled) << cells << " cells from " << start;
                ASSERT_EQ(in.walk_to_end(start + filled), start + filled);
                put(out, 1);
            }
        }
    }
}

TEST(RingReader, FindsSomeEndInBoundedTimeWhateverTheStampsSay) {
    std::mt19937_64 random(7);
    std::vector<std::uint64_t> numbers = hostile_numbers(detail::ready_stamp(100), 8);
    for (int i = 0; i < 40; ++i) {
        numbers.push_back(detail::ready_stamp(96 + random() % 32) - random() % 2);
    }
    for (std::uint64_t const start : {std::uint64_t{0}, std::uint64_t{100}, ~std::uint64_t{5}}) {
        test_ring const ring({.cells = 8, .start = start});
        for (int round = 0; round < 20'000; ++round) {
            for (std::uint64_t cell = 0; cell < 8; ++cell) {
                ring.geometry().stamp(cell) = numbers[random() % numbers.size()];
            }
            auto const in = ring.reader(start + random() % 16);
            std::uint64_t const end = in.find_end(start);
            ASSERT_GE(static_cast<std::int64_t>(end - start), 0);
            ASSERT_LE(in.walk_to_end(start) - start, 16U);
            (void)in.look();
        }
    }
}

TEST(RingReader, SaysFallbackWhereTheFirstCellIsNoStampOfItsOwn) {
    test_ring const ring({.cells = 4});
    auto out = ring.writer();
    put(out, 3);
    ring.geometry().stamp(0) = detail::ready_stamp(1); // another cell's
    EXPECT_EQ(ring.reader().find_end(77), 77U);
    EXPECT_EQ(ring.reader().look(), cell_state::corrupt);
}

/// What a lossy subscriber does: read, or count the gap and go on with the oldest that is left.
struct lossy {
    ring_reader<> in;
    std::uint64_t got = 0;
    std::uint64_t missed = 0;

    void take() {
        switch (in.look()) {
        case cell_state::ready:
            EXPECT_EQ(get(in), in.position());
            got += 1;
            in.advance();
            break;
        case cell_state::lapped: {
            std::uint64_t const oldest = in.find_end(in.position()) - in.geometry().cell_count;
            ASSERT_GT(static_cast<std::int64_t>(oldest - in.position()), 0);
            missed += oldest - in.position();
            in.set_position(oldest);
            break;
        }
        case cell_state::not_yet: break;
        case cell_state::corrupt: FAIL();
        }
    }
};

TEST(RingReader, CountsExactlyWhatItMissed) {
    std::mt19937_64 random(1);
    for (std::uint64_t const start : {std::uint64_t{0}, ~std::uint64_t{0} - 500}) {
        test_ring const ring({.cells = 8, .start = start});
        auto out = ring.writer();
        lossy reader{ring.reader()};
        for (int round = 0; round < 5'000; ++round) {
            put(out, random() % 12);
            for (std::uint64_t takes = random() % 12; takes != 0; --takes) {
                reader.take();
            }
            std::uint64_t const in_flight = out.position() - reader.in.position();
            ASSERT_EQ(out.position() - start, reader.got + reader.missed + in_flight);
        }
        EXPECT_GT(reader.missed, 0U);
        EXPECT_GT(reader.got, 0U);
    }
}

TEST(RingReader, GetsEveryLengthUpToTheMaximum) {
    constexpr std::uint64_t longest = 83;
    test_ring const ring({.cells = 4, .payload = longest, .variable = true});
    auto out = ring.writer();
    auto in = ring.reader();
    std::array<std::byte, longest> sent;
    for (std::size_t bytes = 0; bytes <= longest; ++bytes) {
        sent.fill(static_cast<std::byte>(bytes + 1));
        out.put(sent.data(), static_cast<std::uint32_t>(bytes));
        ASSERT_EQ(in.look(), cell_state::ready);
        ASSERT_EQ(in.length(), bytes);
        std::array<std::byte, longest + 1> got{};
        ASSERT_TRUE(in.copy(got.data(), bytes));
        EXPECT_TRUE(std::equal(got.begin(), got.begin() + static_cast<std::ptrdiff_t>(bytes),
                               sent.begin()));
        EXPECT_EQ(got[bytes], std::byte{0}); // not a byte more
        in.advance();
    }
}

TEST(RingReader, SaysAFixedLengthWithoutAskingTheCell) {
    test_ring const ring({.cells = 4, .payload = 24});
    std::memset(ring.geometry().payload(0), 0xff, 24);
    EXPECT_EQ(ring.reader().length(), 24U);
}

TEST(RingReader, ShowsACorruptLengthAsMoreThanTheMaximum) {
    test_ring const ring({.cells = 4, .payload = 40, .variable = true});
    auto out = ring.writer();
    std::array<std::byte, 40> const message{};
    out.put(message.data(), 40);
    auto const in = ring.reader();
    for (std::uint64_t const length : hostile_numbers(40, 40)) {
        ring.geometry().descriptor(0) = length;
        ASSERT_EQ(in.look(), cell_state::ready);
        EXPECT_EQ(in.length(), length);
        EXPECT_TRUE(in.still_there(0)); // so it is the writer's fault, not a lap
    }
}

} // namespace
} // namespace partywall::test
