// SPDX-License-Identifier: BSL-1.0
#include "ring_memory.hpp"

#include <gtest/gtest.h>

#include <bit>

namespace partywall::test {
namespace {

using detail::fixed_payload_offset;
using detail::ring_geometry;
using detail::stride_for;

__extension__ typedef unsigned __int128 wide; // for sums that cannot overflow

ring_geometry sound() {
    ring_geometry g;
    g.cell_count = 8;
    g.stride = 64;
    g.payload_bytes_max = 48;
    g.payload_offset = 8;
    return g;
}

TEST(RingGeometry, NeverLetsACellStraddleALineThatItCouldHaveHad) {
    for (std::uint64_t payload = 0; payload <= 1024; ++payload) {
        std::uint64_t const stride = stride_for(8, payload);
        EXPECT_GE(stride, 8 + payload);
        EXPECT_EQ(stride % 8, 0U);
        std::uint64_t const lines = (8 + payload + line_bytes - 1) / line_bytes;
        for (std::uint64_t cell = 0; cell < 64; ++cell) {
            std::uint64_t const first = cell * stride / line_bytes;
            std::uint64_t const last = (cell * stride + 8 + payload - 1) / line_bytes;
            ASSERT_EQ(last - first + 1, lines) << payload << " bytes, cell " << cell;
        }
    }
}

TEST(RingGeometry, PacksTinyMessagesIntoALine) {
    EXPECT_EQ(stride_for(8, 1), 16U);
    EXPECT_EQ(stride_for(8, 8), 16U);
    EXPECT_EQ(stride_for(8, 9), 32U);
    EXPECT_EQ(stride_for(8, 24), 32U);
    EXPECT_EQ(stride_for(8, 56), 64U);
    EXPECT_EQ(stride_for(8, 57), 128U);
    EXPECT_EQ(stride_for(16, 240), 256U);
    EXPECT_EQ(stride_for(16, 241), 320U);
}

TEST(RingGeometry, PutsPayloadsWhereTheirTypesWantThem) {
    for (std::uint64_t alignment = 1; alignment <= spacing_bytes / 2; alignment *= 2) {
        for (std::uint64_t bytes = alignment; bytes <= 1024; bytes += alignment) {
            std::uint32_t const offset = fixed_payload_offset(alignment);
            std::uint64_t const stride = stride_for(offset, bytes);
            for (std::uint64_t cell = 0; cell < 4; ++cell) {
                std::uint64_t const at = detail::ring_cells_offset + cell * stride + offset;
                ASSERT_EQ(at % alignment, 0U) << "alignment " << alignment << ", " << bytes;
            }
        }
    }
}

TEST(RingGeometry, AcceptsWhatTheStrideRuleMakes) {
    for (std::uint64_t payload = 0; payload <= 300; ++payload) {
        for (bool const variable : {false, true}) {
            ring_geometry g = sound();
            g.variable_length = variable;
            g.payload_offset = variable ? detail::variable_payload_offset : 8;
            g.payload_bytes_max = payload;
            g.stride = stride_for(g.payload_offset, payload);
            EXPECT_TRUE(g.valid(g.bytes())) << payload;
            EXPECT_FALSE(g.valid(g.bytes() - 1)) << payload;
        }
    }
}

TEST(RingGeometry, RefusesEachNumberThatCannotBe) {
    std::uint64_t const room = sound().bytes();
    auto const refused = [room](auto change) {
        ring_geometry g = sound();
        change(g);
        return !g.valid(room);
    };
    EXPECT_TRUE(sound().valid(room));
    EXPECT_TRUE(refused([](ring_geometry& g) { g.cell_count = 0; }));
    EXPECT_TRUE(refused([](ring_geometry& g) { g.cell_count = 2; }));
    EXPECT_TRUE(refused([](ring_geometry& g) { g.cell_count = 6; }));
    EXPECT_TRUE(refused([](ring_geometry& g) { g.cell_count = cells_max * 2; }));
    EXPECT_TRUE(refused([](ring_geometry& g) { g.stride = 0; }));
    EXPECT_TRUE(refused([](ring_geometry& g) { g.stride = 60; }));
    EXPECT_TRUE(refused([](ring_geometry& g) { g.stride = 56 - 8; }));
    EXPECT_TRUE(refused([](ring_geometry& g) { g.payload_bytes_max = 57; }));
    EXPECT_TRUE(
        refused([](ring_geometry& g) { g.payload_bytes_max = payload_bytes_max_limit + 1; }));
    EXPECT_TRUE(refused([](ring_geometry& g) { // in every other cell a type of 16 would be askew
        g.payload_offset = 16;
        g.payload_bytes_max = 8;
        g.stride = 24;
    }));
    EXPECT_TRUE(refused([](ring_geometry& g) { g.payload_offset = 0; }));
    EXPECT_TRUE(refused([](ring_geometry& g) { g.payload_offset = 12; }));
    EXPECT_TRUE(refused([](ring_geometry& g) { g.payload_offset = 4104; }));
    EXPECT_TRUE(refused([](ring_geometry& g) { g.variable_length = true; })); // no room for it
}

TEST(RingGeometry, KeepsEveryCellInsideWhateverNumbersItAccepts) {
    constexpr std::uint64_t room = 1 << 20;
    std::vector<std::uint64_t> numbers = hostile_numbers(64, room);
    for (std::uint64_t const sane : {4U, 8U, 16U, 24U, 56U, 128U, 4096U}) {
        numbers.push_back(sane);
    }
    std::uint64_t accepted = 0;
    std::uint64_t tried = 0;
    ring_geometry g;
    g.cells = reinterpret_cast<std::byte*>(std::uintptr_t{1} << 44); // nothing is there
    for (std::uint64_t const count : numbers) {
        for (std::uint64_t const stride : numbers) {
            for (std::uint64_t const payload : numbers) {
                for (std::uint32_t const offset :
                     {0U, 8U, 16U, 60U, 4096U, 4104U, 0U - 8, 1U << 31}) {
                    g.cell_count = count;
                    g.stride = stride;
                    g.payload_bytes_max = payload;
                    g.payload_offset = offset;
                    g.variable_length = (tried & 1) != 0;
                    tried += 1;
                    if (!g.valid(room)) {
                        continue;
                    }
                    accepted += 1;
                    wide const end = wide{g.cell_count} * g.stride;
                    wide const cell_end =
                        wide{g.payload_offset} + (wide{g.payload_bytes_max} + 7) / 8 * 8;
                    ASSERT_TRUE(end <= room && cell_end <= g.stride && g.stride % 8 == 0);
                    ASSERT_TRUE(g.stride % std::bit_floor(g.payload_offset) == 0);
                    ASSERT_TRUE(g.payload_offset % 8 == 0);
                    for (std::uint64_t const position : {std::uint64_t{0}, ~std::uint64_t{0}}) {
                        auto const at = static_cast<std::uint64_t>(g.cell(position) - g.cells);
                        ASSERT_LE(at + g.stride, room);
                    }
                }
            }
        }
    }
    RecordProperty("tried", std::to_string(tried));
    EXPECT_GT(accepted, 100U); // else nothing was looked at
}

} // namespace
} // namespace partywall::test
