// SPDX-License-Identifier: BSL-1.0
// Threads over one mapping. Every message carries its number and words that follow from it.
#include "ring_memory.hpp"

#include "support/counts.hpp"

#include <partywall/ring/gate.hpp>
#include <partywall/ring/reader_seat.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace partywall::test {
namespace {

using detail::cell_state;
using detail::reader_role;
using gate = detail::gate<>;
using seat = detail::reader_seat<>;
using message = checked_message<7>; // 56 bytes: a line with its stamp

/// Reads, jumping when lapped, until message `last` was there or overtaken.
struct lossy_count {
    std::uint64_t got = 0;
    std::uint64_t missed = 0;
    std::uint64_t torn = 0;
    std::uint64_t disordered = 0;
};

template <class Take>
lossy_count read_lossy(detail::ring_reader<> in, std::uint64_t end, Take take) {
    lossy_count n;
    std::uint64_t const first = in.position();
    while (in.position() - first < end) {
        switch (in.look()) {
        case cell_state::ready:
            if (take(in, n)) {
                n.got += 1;
                in.advance();
            }
            break;
        case cell_state::lapped: {
            std::uint64_t const half = in.geometry().cell_count / 2;
            std::uint64_t to = in.find_end(in.position()) - half;
            if (static_cast<std::int64_t>(to - in.position()) <= 0) {
                to = in.position() + 1;
            }
            n.missed += to - in.position();
            in.set_position(to);
            break;
        }
        case cell_state::not_yet: std::this_thread::yield(); break;
        case cell_state::corrupt: n.torn += 1; return n;
        }
    }
    return n;
}

TEST(RingThreads, LossyReadersNeverTakeATornMessage) {
    std::uint64_t const messages = count(200'000, 50'000'000);
    test_ring const ring({.cells = 8, .payload = sizeof(message), .start = ~std::uint64_t{999}});
    std::uint64_t const start = ring.geometry().start_position;
    auto const take = [](detail::ring_reader<> const& in, lossy_count& n) {
        message m;
        if (!in.copy_fixed<sizeof m>(reinterpret_cast<std::byte*>(&m))) {
            return false;
        }
        n.torn += m.whole() ? 0 : 1;
        n.disordered += m.number() == in.position() ? 0 : 1;
        return true;
    };
    std::array<lossy_count, 2> counts;
    std::array<std::thread, 2> readers;
    for (std::size_t i = 0; i < readers.size(); ++i) {
        readers[i] = std::thread([&, i] { counts[i] = read_lossy(ring.reader(), messages, take); });
    }
    auto out = ring.writer();
    for (std::uint64_t i = 0; i < messages; ++i) {
        out.put(message::of(start + i));
        if (i % 1024 == 0) {
            std::this_thread::yield(); // on one core the readers would only see the end
        }
    }
    for (std::size_t i = 0; i < readers.size(); ++i) {
        readers[i].join();
        EXPECT_EQ(counts[i].torn, 0U);
        EXPECT_EQ(counts[i].disordered, 0U);
        EXPECT_EQ(counts[i].got + counts[i].missed, messages);
        EXPECT_GT(counts[i].got, 0U);
    }
}

TEST(RingThreads, LossyReadersNeverTakeATornMessageOfAnyLength) {
    std::uint64_t const messages = count(200'000, 50'000'000);
    constexpr std::uint64_t longest = 200;
    test_ring const ring({.cells = 4, .payload = longest, .variable = true});
    // Every byte of message p is p's low byte, and its length follows from p too.
    auto const length_of = [](std::uint64_t position) { return position * 7 % (longest + 1); };
    auto const take = [&](detail::ring_reader<> const& in, lossy_count& n) {
        std::array<std::byte, longest> bytes;
        std::uint64_t const length = in.length();
        if (length > longest) {
            n.torn += in.still_there(in.position()) ? 1 : 0;
            return false;
        }
        if (!in.copy(bytes.data(), length)) {
            return false;
        }
        n.disordered += length == length_of(in.position()) ? 0 : 1;
        for (std::uint64_t i = 0; i < length; ++i) {
            n.torn += bytes[i] == static_cast<std::byte>(in.position()) ? 0 : 1;
        }
        return true;
    };
    lossy_count counts;
    std::thread reader([&] { counts = read_lossy(ring.reader(), messages, take); });
    auto out = ring.writer();
    std::array<std::byte, longest> bytes;
    for (std::uint64_t p = 0; p < messages; ++p) {
        bytes.fill(static_cast<std::byte>(p));
        out.put(bytes.data(), static_cast<std::uint32_t>(length_of(p)));
        if (p % 512 == 0) {
            std::this_thread::yield();
        }
    }
    reader.join();
    EXPECT_EQ(counts.torn, 0U);
    EXPECT_EQ(counts.disordered, 0U);
    EXPECT_EQ(counts.got + counts.missed, messages);
    EXPECT_GT(counts.got, 0U);
}

/// One writer with a gate and room for four readers.
struct gated {
    static constexpr std::uint64_t cells = 8;
    static constexpr std::uint64_t start = ~std::uint64_t{999};

    test_ring ring{{.cells = cells, .payload = sizeof(message), .start = start}};
    detail::ring_control control{};
    std::array<detail::reader_slot, 4> slots{};
    std::atomic<bool> over{false};

    gated() { control.position = start; }

    void write(std::uint64_t messages) {
        gate ahead(control, slots.data(), static_cast<std::uint32_t>(slots.size()), cells, start);
        auto out = ring.writer();
        gate::laggard held_by;
        for (std::uint64_t i = 0; i < messages; ++i) {
            while (!ahead.open(out.position()) && !ahead.scan(out.position(), held_by)) {
                std::this_thread::yield();
            }
            out.put(message::of(out.position()));
        }
        over.store(true);
    }

    seat take_seat(std::uint64_t ticket) {
        owner mine;
        detail::reader_slot* slot = nullptr;
        while (slot == nullptr) {
            slot = seat::claim(slots.data(), static_cast<std::uint32_t>(slots.size()), ticket,
                               reader_role::lossless, mine);
        }
        return seat(*slot, control, mine, fence_pair::publisher);
    }

    /// Reads in place, as lossless readers do, up to `messages` or the end. Returns how many were
    /// good; one that was not ends it.
    std::uint64_t read(detail::ring_reader<>& in, seat& mine, std::uint64_t messages,
                       bool& broken) {
        std::uint64_t good = 0;
        while (good < messages) {
            bool const ended = over.load();
            cell_state const state = in.look();
            if (state == cell_state::not_yet) {
                mine.publish_cursor(in.position());
                if (ended) {
                    return good;
                }
                std::this_thread::yield();
                continue;
            }
            if (state != cell_state::ready) {
                broken = true;
                return good;
            }
            auto const* const m =
                reinterpret_cast<message const*>(ring.geometry().payload(in.position()));
            if (!m->whole() || m->number() != in.position() || !in.still_there(in.position())) {
                broken = true;
                return good;
            }
            good += 1;
            in.advance();
            if (good % 3 == 0) {
                mine.publish_cursor(in.position());
            }
        }
        return good;
    }
};

TEST(GateThreads, TwoLosslessReadersGetEveryMessageInPlace) {
    std::uint64_t const messages = count(100'000, 20'000'000);
    gated g;
    std::array<std::uint64_t, 2> good{};
    std::array<bool, 2> broken{};
    std::array<seat, 2> seats{g.take_seat(1), g.take_seat(2)};
    std::array<std::thread, 2> readers;
    for (std::size_t i = 0; i < readers.size(); ++i) {
        seats[i].join();
        seats[i].set_ready();
        readers[i] = std::thread([&, i] {
            auto in = g.ring.reader();
            good[i] = g.read(in, seats[i], messages, broken[i]);
            seats[i].leave();
        });
    }
    g.write(messages);
    for (std::size_t i = 0; i < readers.size(); ++i) {
        readers[i].join();
        EXPECT_FALSE(broken[i]);
        EXPECT_EQ(good[i], messages);
    }
}

TEST(GateThreads, ReadersThatComeAndGoAreNeverOverwritten) {
    std::uint64_t const messages = count(100'000, 20'000'000);
    gated g;
    std::array<std::uint64_t, 3> good{};
    std::array<std::uint64_t, 3> visits{};
    std::array<bool, 3> broken{};
    std::array<std::thread, 3> readers;
    std::atomic<int> seated{0};
    for (std::size_t i = 0; i < readers.size(); ++i) {
        readers[i] = std::thread([&, i] {
            while (!g.over.load() && !broken[i]) {
                seat mine = g.take_seat(i + 1);
                std::uint64_t const from = mine.join();
                mine.set_ready();
                seated += visits[i] == 0 ? 1 : 0;
                auto in = g.ring.reader(from);
                if (visits[i] % 2 == 0) { // half of them want only what comes from now on
                    in.set_position(in.walk_to_end(from));
                    mine.publish_cursor(in.position());
                }
                good[i] += g.read(in, mine, 1 + visits[i] % 50, broken[i]);
                mine.leave();
                visits[i] += 1;
            }
        });
    }
    while (seated != 3) {
        std::this_thread::yield();
    }
    g.write(messages);
    std::uint64_t all = 0;
    for (std::size_t i = 0; i < readers.size(); ++i) {
        readers[i].join();
        EXPECT_FALSE(broken[i]);
        EXPECT_GT(visits[i], 0U);
        all += good[i];
    }
    EXPECT_GT(all, 0U);
    for (auto const& slot : g.slots) {
        EXPECT_TRUE(owner{slot.owner}.is_free());
        EXPECT_EQ(slot.cursor, detail::cursor_none);
    }
}

TEST(ReaderSeatThreads, GiveEachSlotToOneOfManyClaimants) {
    std::uint64_t const rounds = count(20'000, 1'000'000);
    gated g;
    std::array<std::atomic<int>, 4> inside{};
    std::atomic<int> collisions{0};
    std::array<std::thread, 3> claimants;
    for (std::size_t i = 0; i < claimants.size(); ++i) {
        claimants[i] = std::thread([&, i] {
            for (std::uint64_t round = 0; round < rounds; ++round) {
                seat mine = g.take_seat(i + 1);
                auto const at = static_cast<std::size_t>(&mine.slot() - g.slots.data());
                collisions += inside[at].fetch_add(1) != 0 ? 1 : 0;
                mine.set_ready();
                inside[at].fetch_sub(1);
                mine.leave();
            }
        });
    }
    for (auto& claimant : claimants) {
        claimant.join();
    }
    EXPECT_EQ(collisions, 0);
}

TEST(ReaderSeatThreads, LetOneOfManyReclaimADeadSlot) {
    std::uint64_t const rounds = count(5'000, 500'000);
    gated g;
    std::atomic<std::uint64_t> round{0};
    std::atomic<int> arrived{0};
    std::atomic<std::uint64_t> reclaimed{0};
    auto const survivor = [&](std::uint64_t ticket) {
        for (std::uint64_t i = 1; i <= rounds; ++i) {
            while (round.load() != i) {
                std::this_thread::yield();
            }
            owner const dead = owner::make(i + 100, slot_phase::ready, i);
            reclaimed += seat::reclaim(g.slots[0], dead, ticket) ? 1 : 0;
            arrived += 1;
        }
    };
    std::thread one(survivor, 1);
    std::thread two(survivor, 2);
    for (std::uint64_t i = 1; i <= rounds; ++i) {
        std_atomics::store(g.slots[0].owner, owner::make(i + 100, slot_phase::ready, i).word,
                           std::memory_order_release);
        arrived = 0;
        round = i;
        while (arrived != 2) {
            std::this_thread::yield();
        }
        EXPECT_TRUE(owner{g.slots[0].owner}.is_free());
        EXPECT_EQ(g.slots[0].cursor, detail::cursor_none);
    }
    one.join();
    two.join();
    EXPECT_EQ(reclaimed, rounds);
}

} // namespace
} // namespace partywall::test
