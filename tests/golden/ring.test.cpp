// SPDX-License-Identifier: BSL-1.0
// The bytes of a ring segment and of a readers segment, as the library's own code makes them.
#include "golden.hpp"

#include <partywall/ring/chunk_pool.hpp>
#include <partywall/ring/reader_seat.hpp>
#include <partywall/ring/ring_writer.hpp>
#include <partywall/wait/wake_word.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstring>

namespace partywall::test {
namespace {

using namespace detail;

template <std::size_t Bytes>
struct alignas(spacing_bytes) memory {
    std::array<std::byte, Bytes> bytes{};
};

segment_header header_of(segment_kind kind, std::uint32_t version, std::uint64_t fingerprint,
                         std::uint64_t bytes) {
    segment_header h{};
    h.magic = segment_magic;
    h.layout_version = version;
    h.kind = static_cast<std::uint32_t>(kind);
    h.layout_fingerprint = fingerprint;
    h.total_bytes = bytes;
    h.owner_ticket = 3;
    h.number = 1;
    h.incarnation = 0x1234;
    return h;
}

/// A ring of four cells that starts at position 6: three messages, and a fourth in the making.
template <std::size_t Bytes>
ring_writer<> make_ring(memory<Bytes>& where, bool variable, std::uint64_t payload,
                        std::uint64_t cells_end = Bytes) {
    auto* const ring = reinterpret_cast<ring_segment*>(where.bytes.data());
    ring->header =
        header_of(segment_kind::ring, ring_layout_version, ring_fingerprint, where.bytes.size());
    ring_geometry g;
    g.cells = where.bytes.data() + ring_cells_offset;
    g.cell_count = 4;
    g.payload_offset = variable ? variable_payload_offset : fixed_payload_offset(8);
    g.stride = variable ? 64 : 32; // the stride rule is not the layout's business
    g.payload_bytes_max = payload;
    g.start_position = 6;
    g.variable_length = variable;
    EXPECT_EQ(ring_cells_offset + g.bytes(), cells_end);
    ring->constants.start_position = g.start_position;
    ring->constants.cell_count = g.cell_count;
    ring->constants.stride = g.stride;
    ring->constants.payload_bytes_max = g.payload_bytes_max;
    ring->constants.type_fingerprint = 0x0123'4567'89ab'cdef;
    ring->constants.payload_offset = g.payload_offset;
    ring->constants.variable_length = variable ? 1 : 0;
    ring->constants.overflow = 0x11;
    ring->constants.fences = static_cast<std::uint32_t>(fence_pair::sleeper);
    ring->constants.wakes = 0x12;
    ring->constants.reader_slots = 2;
    ring_writer<>::format(g);
    return ring_writer<>(g);
}

TEST(GoldenRing, OfFixedSizeMessagesIsTheseBytes) {
    struct message {
        std::uint64_t number;
        char text[12];
        std::uint32_t last;
    };
    memory<ring_cells_offset + 4 * 32> where;
    auto out = make_ring(where, false, sizeof(message));
    for (std::uint32_t i = 1; i <= 3; ++i) {
        out.put(message{i, "twelve char", 0xff00 + i});
    }
    out.begin();

    auto* const ring = reinterpret_cast<ring_segment*>(where.bytes.data());
    ring->control.rung = 0x21;
    ring->control.fencing = 1;
    ring->control.room_arm = 0x22;
    ring->control.position = 0x23;
    ring->control.closed = 0x24;
    ring->control.rejected = 0x25;
    ring->control.blocked_count = 0x26;
    ring->control.blocked_ns = 0x27;
    ring->control.wakes = 0x28;
    ring->control.scans = 0x29;
    ring->control.readers_reclaimed = 0x2a;
    EXPECT_EQ(dump(where.bytes), golden("ring_v3.hex"));
}

TEST(GoldenRing, OfMessagesOfAnyLengthIsTheseBytes) {
    memory<ring_cells_offset + 4 * 64> where;
    auto out = make_ring(where, true, 40);
    for (char const* const text : {"a", "eight by", "more than a word"}) {
        out.put(reinterpret_cast<std::byte const*>(text), std::strlen(text));
    }
    out.begin();
    EXPECT_EQ(dump(where.bytes), golden("ring_variable_v3.hex"));
}

TEST(GoldenRing, WithChunksIsTheseBytes) {
    constexpr std::uint64_t pool_offset = ring_cells_offset + 4 * 64;
    memory<pool_offset + 6 * 128> where;
    auto* const ring = reinterpret_cast<ring_segment*>(where.bytes.data());
    auto out = make_ring(where, true, 40, pool_offset);
    ring->constants.pool = {pool_offset, 128, 100, 6, 1, 1, 0};
    ring_geometry g = out.geometry();
    g.pool = {where.bytes.data() + pool_offset, 128, 6, 100};
    reader_slot reader{};
    chunk_pool<> pool(4, 6);
    pool.use(g, &reader, 1, 1);
    for (std::uint64_t i = 0; i < 3; ++i) {
        if (i == 1) {
            out.put(reinterpret_cast<std::byte const*>("in its cell"), 11);
            pool.committed_inline(6 + i);
        } else {
            std::memset(pool.acquire(), static_cast<int>(0x71 + i), 90 + i);
            out.begin();
            out.commit(pool.descriptor(90 + i));
            pool.committed(6 + i);
        }
    }
    EXPECT_EQ(dump(where.bytes), golden("ring_chunks_v3.hex"));
}

TEST(GoldenReaders, AreTheseBytes) {
    memory<reader_slots_offset + 3 * sizeof(reader_slot)> where;
    auto* const readers = reinterpret_cast<readers_segment*>(where.bytes.data());
    auto* const slots = reinterpret_cast<reader_slot*>(where.bytes.data() + reader_slots_offset);
    readers->header = header_of(segment_kind::readers, readers_layout_version, readers_fingerprint,
                                where.bytes.size());
    readers->constants.slot_count = 3;
    readers->constants.slot_bytes = sizeof(reader_slot);
    readers->arm = 0x31;
    readers->wake_arm = 0x32;

    ring_control control{};
    control.position = 6;
    owner mine;
    reader_seat<> left(*reader_seat<>::claim(slots, 3, 4, reader_role::lossless, mine), control,
                       mine, fence_pair::publisher);
    left.join();
    left.set_ready();
    reader_seat<> stays(*reader_seat<>::claim(slots, 3, 5, reader_role::lossless, mine), control,
                        mine, fence_pair::publisher);
    stays.join();
    stays.set_ready();
    control.room_arm = 1;
    stays.publish_cursor(8);
    stays.count_received(0x41);
    stays.count_missed(0x42);
    stays.count_sleep();
    stays.count_corrupt();
    stays.slot().wake = make_wake_word(0x43, 0x44);
    reader_slot* const reservation =
        reader_seat<>::claim(slots, 3, 3, reader_role::reservation, mine);
    reservation->subscription = 0x51;
    reservation->subscription_ticket = 0x52;
    reservation->cursor = cursor_at(6);
    reservation->pins[0] = 0x61;
    reservation->pins[7] = 0x62;
    left.leave();
    EXPECT_EQ(dump(where.bytes), golden("readers_v2.hex"));
}

} // namespace
} // namespace partywall::test
