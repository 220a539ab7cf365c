// SPDX-License-Identifier: BSL-1.0
// The bytes of a lanes segment, as the library's own code makes them.
#include "golden.hpp"

#include <partywall/inbox/lane.hpp>

#include <gtest/gtest.h>

#include <array>

namespace partywall::test {
namespace {

using namespace detail;

// Two lanes of four cells from position 6 on: one in use, one that was used and is free again.
TEST(GoldenLanes, AreTheseBytes) {
    constexpr std::uint64_t headers = lane_headers_offset(2);
    constexpr std::uint64_t cells = headers + 2 * sizeof(lane_header);
    struct alignas(spacing_bytes) memory {
        std::array<std::byte, cells + 2 * 128> bytes{};
    };
    static memory where;
    auto& segment = *reinterpret_cast<lanes_segment*>(where.bytes.data());
    segment.header.magic = segment_magic;
    segment.header.layout_version = lanes_layout_version;
    segment.header.kind = static_cast<std::uint32_t>(segment_kind::lanes);
    segment.header.layout_fingerprint = lanes_fingerprint;
    segment.header.total_bytes = where.bytes.size();
    segment.header.owner_ticket = 3;
    segment.header.number = 1;
    segment.header.incarnation = 0x1234;
    lanes_constants& c = segment.constants;
    c = {4, 32, 24, 0x0123'4567'89ab'cdef, 128, cells, 2, 8, 0, 0x11, 0x12, 1, {}, {}};
    c.pool = {0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0};
    segment.control = {0x21, 0x22, 0x27, 0x23, 0x24, 0x25, 0x26,
                       {},   0x28, 0x29, 0x2a, 0x2b, 0x2c, {}};
    segment.bell = {0x31, 0x32, {}};
    where.bytes[hints_offset] = std::byte{0x41};
    where.bytes[hints_offset + 3] = std::byte{0x42};
    auto* const lanes = reinterpret_cast<lane_header*>(where.bytes.data() + headers);
    for (int i = 0; i < 2; ++i) {
        lane<>::format(lanes[i], 6, 3);
    }
    for (std::uint32_t i = 0; i < 2; ++i) {
        owner mine;
        ASSERT_EQ(lane<>::claim(lanes, 2, i, 4 + i, mine), i);
        ring_geometry g;
        g.cells = where.bytes.data() + cells + i * 128;
        g.cell_count = 4;
        g.stride = 32;
        g.payload_bytes_max = 24;
        g.payload_offset = 8;
        lane<>::fill(lanes[i], g, 0x51 + i, 0x52, fence_pair::sleeper);
        ASSERT_TRUE(lane<>::open(lanes[i], mine));
        ring_writer<> out(g);
        out.put(std::array<std::uint64_t, 3>{1, 2, 3});
        lanes[i].taken = 0x71;
        lanes[i].done = 0x72;
        lanes[i].deferred = 0x73;
        lanes[i].answered = 0x74;
        if (i == 1) {
            lanes[i].control.closed = cursor_at(7);
            ASSERT_TRUE(lane<>::free(lanes[i], mine, 3, 7 + 4));
        }
    }
    EXPECT_EQ(dump(where.bytes), golden("lanes_v4.hex"));
}

TEST(GoldenLanes, HintsAreTheseNumbers) {
    EXPECT_EQ(lanes_layout_version, 4u);
    EXPECT_EQ(lane_headers_offset(64) - hints_offset, 128u);
    EXPECT_EQ(lane_headers_offset(65) - hints_offset, 256u);
    EXPECT_EQ(hint_of(0), 0u);
    EXPECT_EQ(hint_of(0x1234), 0x1234u);
    EXPECT_EQ(hint_of(0x3'ffff), 2u);
    EXPECT_EQ(hint_of(~std::uint64_t{0}), 0xfffeu);
    EXPECT_NE(hint_of(7), hint_of(7 + 0x1'0000)) << "a lane of so many cells, full";
}

} // namespace
} // namespace partywall::test
