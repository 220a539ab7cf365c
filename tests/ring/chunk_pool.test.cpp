// SPDX-License-Identifier: BSL-1.0
// Who gets which chunk, when; and threads that would notice a chunk that changes under their eyes.
#include "ring_memory.hpp"

#include <partywall/ring/chunk_pool.hpp>
#include <partywall/ring/reader_seat.hpp>

#include <support/counts.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <random>
#include <set>
#include <thread>
#include <vector>

namespace partywall::test {
namespace {

using namespace detail;

struct pool_shape {
    std::uint64_t cells = 4;
    std::uint64_t payload = 128;
    std::uint32_t slots = 2;
    std::uint32_t pins = 2;
};

/// A ring of descriptors with its chunks and the slots of its readers.
class test_pool {
  public:
    explicit test_pool(pool_shape const& shape)
        : shape_(shape), cells_(shape.cells * 16),
          chunks_(chunks_for(shape.cells, shape.slots * shape.pins) * (shape.payload + 128)),
          slots_(shape.slots) {
        geometry_.cells = cells_.data();
        geometry_.cell_count = shape.cells;
        geometry_.stride = 16;
        geometry_.payload_offset = variable_payload_offset;
        geometry_.large_bytes = shape.payload;
        geometry_.pool = {chunks_.data(), shape.payload + 128,
                          chunks_for(shape.cells, shape.slots * shape.pins), shape.payload};
        EXPECT_TRUE(geometry_.valid(shape.cells * 16));
        ring_writer<>::format(geometry_);
    }
    ring_geometry const& geometry() const { return geometry_; }
    chunk_pool<> pool() {
        chunk_pool<> made(shape_.cells, geometry_.pool.chunk_count);
        made.use(geometry_, slots_.data(), shape_.slots, shape_.pins);
        return made;
    }
    std::uint64_t& pin(std::uint32_t slot, std::uint32_t index) { return slots_[slot].pins[index]; }
    reader_slot* slots() { return slots_.data(); }
    std::uint64_t index_of(std::byte const* chunk) const {
        return static_cast<std::uint64_t>(chunk - geometry_.pool.chunks) /
               geometry_.pool.chunk_bytes;
    }

  private:
    pool_shape shape_;
    guarded_memory cells_;
    guarded_memory chunks_;
    std::vector<reader_slot> slots_;
    ring_geometry geometry_;
};

TEST(ChunkPool, LendsTheSameChunkUntilItIsCommitted) {
    test_pool memory({});
    chunk_pool<> pool = memory.pool();
    std::byte* const first = pool.acquire();
    EXPECT_EQ(pool.acquire(), first);
    pool.committed_inline(0); // another message went out meanwhile
    EXPECT_EQ(pool.acquire(), first);
    pool.committed(1);
    EXPECT_NE(pool.acquire(), first);
}

TEST(ChunkPool, NamesTheChunkInTheDescriptor) {
    test_pool memory({.payload = 1024});
    chunk_pool<> pool = memory.pool();
    for (std::uint64_t position = 0; position < 20; ++position) {
        std::byte const* const chunk = pool.acquire();
        std::uint64_t const word = pool.descriptor(1000 - position);
        EXPECT_EQ(descriptor::bytes(word), 1000 - position);
        EXPECT_EQ(descriptor::chunk_code(word) - 1, memory.index_of(chunk));
        pool.committed(position);
    }
}

/// Random messages, in cells and in chunks, with pins that come and go, against a plain account of
/// what may not be touched.
void never_touches_what_is_needed(pool_shape const& shape, std::uint64_t seed) {
    test_pool memory(shape);
    chunk_pool<> pool = memory.pool();
    std::mt19937_64 random(seed);
    std::deque<std::uint64_t> named; // by the cells, oldest first; ~0: the cell holds its message
    std::set<std::uint64_t> used;
    std::set<std::pair<std::uint32_t, std::uint32_t>> pinned;
    for (std::uint64_t position = 0; position < 2000; ++position) {
        if (shape.slots != 0 && !named.empty() && random() % 2 == 0) {
            auto const slot = static_cast<std::uint32_t>(random() % shape.slots);
            auto const index = static_cast<std::uint32_t>(random() % shape.pins);
            if (memory.pin(slot, index) != 0) {
                memory.pin(slot, index) = 0;
            } else if (std::uint64_t const chunk = named[random() % named.size()]; ~chunk != 0) {
                memory.pin(slot, index) = chunk + 1; // as a reader does that finds it in a cell
            }
        }
        bool const large = random() % 4 != 0;
        if (large) {
            std::uint64_t const chunk = memory.index_of(pool.acquire());
            ASSERT_LT(chunk, memory.geometry().pool.chunk_count);
            ASSERT_EQ(std::count(named.begin(), named.end(), chunk), 0) << "a cell names it";
            for (std::uint32_t s = 0; s < shape.slots; ++s) {
                for (std::uint32_t k = 0; k < shape.pins; ++k) {
                    ASSERT_NE(memory.pin(s, k), chunk + 1) << "it is pinned";
                }
            }
            pool.committed(position);
            named.push_back(chunk);
            used.insert(chunk);
        } else {
            pool.committed_inline(position);
            named.push_back(~std::uint64_t{0});
        }
        if (named.size() > shape.cells) {
            named.pop_front();
        }
    }
    EXPECT_GT(used.size(), shape.cells / 2);
}

TEST(ChunkPool, NeverLendsAChunkThatACellNamesOrAReaderHolds) {
    std::uint64_t seed = run_seed();
    for (std::uint64_t const cells : {4U, 8U, 64U}) {
        for (std::uint32_t const slots : {0U, 1U, 3U}) {
            for (std::uint32_t const pins : {1U, 2U, 8U}) {
                never_touches_what_is_needed(
                    {.cells = cells, .slots = slots, .pins = slots == 0 ? 0 : pins}, seed++);
            }
        }
    }
}

TEST(ChunkPool, HasAChunkWhateverReadersPin) {
    test_pool memory({.cells = 4, .slots = 2, .pins = 8});
    std::uint64_t const count = memory.geometry().pool.chunk_count;
    chunk_pool<> pool = memory.pool();
    std::mt19937_64 random(run_seed());
    std::vector<std::uint64_t> const nasty = hostile_numbers(count, count);
    for (std::uint64_t position = 0; position < 20'000; ++position) {
        for (std::uint32_t i = 0; i < 16; ++i) { // different ones each, the worst they can do
            memory.pin(i / 8, i % 8) =
                random() % 3 == 0 ? nasty[random() % nasty.size()] : (position * 7 + i) % count + 1;
        }
        ASSERT_LT(memory.index_of(pool.acquire()), count);
        pool.committed(position);
    }
}

TEST(ChunkPool, OfANewWriterLeavesAloneWhatReadersHoldOfTheOneBefore) {
    test_pool memory({.cells = 4, .slots = 1, .pins = 2});
    memory.pin(0, 0) = 1;
    memory.pin(0, 1) = 4;
    chunk_pool<> pool = memory.pool();
    for (std::uint64_t position = 0; position < 100; ++position) {
        std::uint64_t const chunk = memory.index_of(pool.acquire());
        ASSERT_TRUE(chunk != 0 && chunk != 3) << chunk;
        pool.committed(position);
    }
    memory.pin(0, 0) = 0;
    std::set<std::uint64_t> seen;
    for (std::uint64_t position = 100; position < 200; ++position) {
        seen.insert(memory.index_of(pool.acquire()));
        pool.committed(position);
    }
    EXPECT_TRUE(seen.contains(0));
    EXPECT_FALSE(seen.contains(3));
}

constexpr std::size_t words = 64;
using message = checked_message<words>;

/// Reads one position after the other, or jumps when it was overtaken; holds up to two messages.
void read(test_pool& memory, std::uint32_t slot, std::uint64_t last, std::uint64_t& whole) {
    ring_control const control{};
    reader_seat<> seat(memory.slots()[slot], control, owner{}, fence_pair::publisher);
    ring_reader<> in(memory.geometry(), 0);
    std::array<std::pair<message const*, std::uint64_t>, 2> held{}; // and its code
    std::uint32_t next = 0;
    while (in.position() <= last) {
        cell_state const state = in.look();
        if (state == cell_state::lapped) {
            in.set_position(in.find_end(in.position()) - 1);
            continue;
        }
        if (state != cell_state::ready) {
            std::this_thread::yield();
            continue;
        }
        if (held[next].first != nullptr) { // looked at again, after others were received
            ASSERT_TRUE(held[next].first->whole());
            ASSERT_TRUE(seat.unpin(next, held[next].second));
            held[next].first = nullptr;
        }
        std::uint64_t const code = descriptor::chunk_code(in.descriptor());
        if (code == 0 || code > memory.geometry().pool.chunk_count) {
            ASSERT_FALSE(in.still_there(in.position()));
            continue;
        }
        seat.pin(next, code, false);
        if (!in.still_there(in.position())) {
            (void)seat.unpin(next, code);
            continue;
        }
        auto const* const m =
            reinterpret_cast<message const*>(memory.geometry().pool.chunk(code - 1));
        ASSERT_TRUE(m->whole());
        ASSERT_EQ(m->number(), in.position());
        held[next] = {m, code};
        next = 1 - next;
        whole += 1;
        in.advance();
    }
}

TEST(ChunkPoolThreads, ReadersSeeWholeMessagesForAsLongAsTheyHoldThem) {
    test_pool memory({.cells = 4, .payload = sizeof(message), .slots = 2, .pins = 2});
    std::uint64_t const count = ::partywall::test::count(20'000, 5'000'000);
    std::array<std::uint64_t, 2> whole{};
    std::thread one([&] { read(memory, 0, count - 1, whole[0]); });
    std::thread two([&] { read(memory, 1, count - 1, whole[1]); });
    ring_writer<> out(memory.geometry());
    chunk_pool<> pool = memory.pool();
    for (std::uint64_t i = 0; i < count; ++i) {
        message const m = message::of(i);
        std::memcpy(pool.acquire(), &m, sizeof m);
        (void)out.begin();
        out.commit(pool.descriptor(sizeof m));
        pool.committed(i);
        if (i % 64 == 0) {
            std::this_thread::yield();
        }
    }
    one.join();
    two.join();
    EXPECT_GT(whole[0], 0U);
    EXPECT_GT(whole[1], 0U);
}

} // namespace
} // namespace partywall::test
