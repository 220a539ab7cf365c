// SPDX-License-Identifier: BSL-1.0
#include "ring_memory.hpp"

#include <partywall/ring/gate.hpp>
#include <partywall/ring/reader_seat.hpp>

#include <gtest/gtest.h>

#include <array>

namespace partywall::test {
namespace {

using detail::cursor_at;
using detail::reader_seat;
using gate = detail::gate<>;

constexpr std::uint64_t cells = 8;

struct slots {
    detail::ring_control control{};
    std::array<detail::reader_slot, 3> readers{};

    gate make(std::uint64_t start) {
        control.position = start;
        return gate(control, readers.data(), 3, cells, start);
    }
    void set(std::size_t i, slot_phase phase, std::uint64_t cursor) {
        readers[i].owner = owner::make(i + 1, phase, 4).word;
        readers[i].cursor = cursor;
    }
};

TEST(Gate, IsAlwaysOpenWhereNobodyMayHoldTheWriterBack) {
    slots s;
    gate g(s.control, nullptr, 3, cells, 5);
    gate::laggard held_by;
    for (std::uint64_t p = 5; p < 105; ++p) {
        if (!g.open(p)) {
            ASSERT_TRUE(g.scan(p, held_by));
            EXPECT_EQ(held_by.slot, gate::no_slot);
            EXPECT_EQ(g.credit(p), cells);
        }
    }
    EXPECT_EQ(s.control.position, 0U); // nobody reads it
}

TEST(Gate, GivesNoCreditBeforeTheFirstLook) {
    slots s;
    gate g = s.make(100);
    EXPECT_FALSE(g.open(100));
    EXPECT_EQ(g.credit(100), 0U);
    gate::laggard held_by;
    EXPECT_TRUE(g.scan(100, held_by));
    EXPECT_EQ(g.credit(100), cells);
    EXPECT_TRUE(g.open(107));
    EXPECT_FALSE(g.open(108));
}

TEST(Gate, StoresThePositionOfEveryLook) {
    slots s;
    gate g = s.make(0);
    gate::laggard held_by;
    for (std::uint64_t const position : {1U, 8U, 9U}) {
        g.scan(position, held_by);
        EXPECT_EQ(s.control.position, position);
    }
}

TEST(Gate, GoesAsFarAsTheSlowestReaderAllows) {
    for (std::uint64_t const position : edge_positions()) {
        for (std::uint64_t slow = 0; slow <= cells; ++slow) {
            slots s;
            gate g = s.make(position);
            s.set(0, slot_phase::ready, cursor_at(position));
            s.set(1, slot_phase::ready, cursor_at(position - slow));
            s.set(2, slot_phase::ready, cursor_at(position - slow / 2));
            s.readers[1].freed = 77;
            gate::laggard held_by;
            EXPECT_EQ(g.scan(position, held_by), slow != cells);
            EXPECT_EQ(g.credit(position), cells - slow) << position;
            if (slow == 0) {
                EXPECT_EQ(held_by.slot, gate::no_slot);
            } else {
                EXPECT_EQ(held_by.slot, 1U);
                EXPECT_EQ(held_by.seen.word, s.readers[1].owner);
                EXPECT_EQ(held_by.freed, 77U);
            }
        }
    }
}

TEST(Gate, CountsReadersThatJoinAndNotThoseBeingCleanedUp) {
    gate::laggard held_by;
    for (auto const phase : {slot_phase::filling, slot_phase::ready}) {
        slots s;
        gate g = s.make(20);
        s.set(1, phase, cursor_at(20 - cells));
        EXPECT_FALSE(g.scan(20, held_by));
        EXPECT_EQ(held_by.slot, 1U);
    }
    for (auto const phase : {slot_phase::free, slot_phase::cleaning}) {
        slots s;
        gate g = s.make(20);
        s.set(1, phase, cursor_at(20 - cells));
        EXPECT_TRUE(g.scan(20, held_by));
        EXPECT_EQ(held_by.slot, gate::no_slot);
    }
}

TEST(Gate, PassesOverReadersWithoutACursor) {
    slots s;
    gate g = s.make(20);
    s.set(0, slot_phase::ready, detail::cursor_none);
    gate::laggard held_by;
    EXPECT_TRUE(g.scan(20, held_by));
    EXPECT_EQ(g.credit(20), cells);
}

TEST(Gate, GivesAtMostALapWhateverCursorsSay) {
    for (std::uint64_t const position : edge_positions()) {
        for (std::uint64_t const cursor : hostile_numbers(cursor_at(position), cells)) {
            slots s;
            gate g = s.make(position);
            s.set(0, slot_phase::ready, cursor);
            s.set(1, slot_phase::ready, cursor_at(position - 3)); // an honest fellow
            gate::laggard held_by;
            g.scan(position, held_by);
            // Nobody can talk the writer into what the honest reader has not given back.
            EXPECT_LE(g.credit(position), cells - 3) << "cursor " << cursor << " at " << position;
            EXPECT_LT(held_by.slot, 2U);
        }
    }
}

TEST(Gate, IgnoresACursorAheadOfTheWriter) {
    slots s;
    gate g = s.make(20);
    gate::laggard held_by;
    for (std::uint64_t const ahead : {std::uint64_t{1}, cells, std::uint64_t{1} << 40}) {
        s.set(0, slot_phase::ready, cursor_at(20 + ahead));
        EXPECT_TRUE(g.scan(20, held_by));
        EXPECT_EQ(g.credit(20), cells);
    }
}

TEST(Gate, WaitsForACursorMoreThanALapBehind) {
    // It may be the first store of a joiner that was stopped for long; its second is to come.
    slots s;
    gate g = s.make(1000);
    gate::laggard held_by;
    for (std::uint64_t const behind : {cells + 1, 3 * cells, std::uint64_t{999}}) {
        s.set(0, slot_phase::filling, cursor_at(1000 - behind));
        EXPECT_FALSE(g.scan(1000, held_by));
        EXPECT_EQ(held_by.slot, 0U);
        EXPECT_FALSE(g.open(1000));
    }
}

TEST(Gate, OpensWhenADeadReadersSlotIsReclaimed) {
    slots s;
    gate g = s.make(20);
    s.set(2, slot_phase::ready, cursor_at(20 - cells));
    gate::laggard held_by;
    ASSERT_FALSE(g.scan(20, held_by));
    ASSERT_TRUE(reader_seat<>::reclaim(s.readers[held_by.slot], held_by.seen, 9));
    EXPECT_TRUE(g.scan(20, held_by));
    EXPECT_EQ(g.credit(20), cells);
}

TEST(Gate, NeverLetsAWriterOverwriteWhatAReaderHasNotGivenBack) {
    slots s;
    test_ring const ring({.cells = cells, .start = ~std::uint64_t{0} - 50});
    std::uint64_t const start = ring.geometry().start_position;
    gate g = s.make(start);
    auto out = ring.writer();
    auto in = ring.reader();
    s.set(0, slot_phase::ready, cursor_at(start));
    std::uint64_t sent = 0;
    for (std::uint64_t round = 0; round < 300; ++round) {
        gate::laggard held_by;
        while (g.open(out.position()) || g.scan(out.position(), held_by)) {
            out.put(out.position());
            sent += 1;
        }
        EXPECT_EQ(out.position() - in.position(), cells);
        for (std::uint64_t i = 0; i <= round % cells; ++i) {
            ASSERT_EQ(in.look(), detail::cell_state::ready);
            in.advance();
        }
        s.readers[0].cursor = cursor_at(in.position());
    }
    EXPECT_GT(sent, 300U);
}

} // namespace
} // namespace partywall::test
