// SPDX-License-Identifier: BSL-1.0
// Messages that lie in chunks: no chunk is written while somebody pins or may still find it, and
// there is always one, whatever readers do.
#include "ring_memory.hpp"
#include "scenarios.hpp"

#include <partywall/ring/chunk_pool.hpp>
#include <partywall/ring/gate.hpp>
#include <partywall/ring/reader_seat.hpp>
#include <partywall/ring/ring_reader.hpp>
#include <partywall/ring/ring_writer.hpp>

namespace partywall::test::explore {
namespace {

using gate = detail::gate<explored_atomics>;
using pool = detail::chunk_pool<explored_atomics>;
using seat = detail::reader_seat<explored_atomics>;
using ring_reader = detail::ring_reader<explored_atomics>;
using ring_writer = detail::ring_writer<explored_atomics>;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr std::uint64_t cells = 2;
constexpr std::uint32_t pins = 1;
constexpr std::uint64_t chunk_count = detail::chunks_for(cells, pins);
constexpr owner mine = owner::make(2, slot_phase::ready, 5);

enum class reads { pinned, held_by_the_cursor, copied };

struct room : ring_memory<cells> {
    detail::ring_control control;
    detail::reader_slot slot;
    std::array<std::uint64_t, chunk_count> chunks; ///< one word each
    pool own;                                      ///< the writer's
    std::uint64_t sent;
    std::uint64_t taken;

    void clear(bool gated) {
        format(0, true);
        control = {};
        slot = {};
        slot.owner = mine.word;
        slot.cursor = gated ? detail::cursor_at(0) : detail::cursor_none;
        chunks = {};
        own = pool(cells, chunk_count);
        own.use(geometry(), &slot, 1, pins);
        sent = taken = 0;
    }
    detail::ring_geometry geometry() {
        detail::ring_geometry g = ring_memory::geometry();
        g.payload_bytes_max = 8;
        g.pool = {reinterpret_cast<std::byte*>(chunks.data()), 8, chunk_count, 8};
        return g;
    }
};

/// As writing_end does it: the chunk is filled before the cell is marked.
void write(machine& run, room& shared, std::uint64_t messages, bool gated) {
    ring_writer out(shared.geometry());
    gate ahead(shared.control, gated ? &shared.slot : nullptr, 1, cells, 0);
    for (std::uint64_t p = 0; p < messages; ++p) {
        gate::laggard held_by;
        while (!ahead.open(p) && !ahead.scan(p, held_by)) {
            if (!run.wait_for_newer({shared.slot.cursor})) {
                return;
            }
        }
        auto* const chunk = reinterpret_cast<std::uint64_t*>(shared.own.acquire());
        if (chunk < shared.chunks.data() || chunk >= shared.chunks.data() + chunk_count) {
            run.fail("no chunk for the next message");
        }
        explored_atomics::store(*chunk, p + 1, relaxed);
        out.begin();
        out.commit(shared.own.descriptor(8));
        shared.own.committed(p);
        shared.sent = p + 1;
    }
}

/// One message that was found ready. False: it was overwritten meanwhile.
bool take(machine& run, room& shared, ring_reader& in, seat& place, reads how) {
    std::uint64_t const code = detail::descriptor::chunk_code(in.descriptor());
    if (code == 0 || code > chunk_count) {
        if (in.still_there(in.position())) {
            run.fail("a torn or foreign descriptor");
        }
        return false;
    }
    std::uint64_t const& chunk = shared.chunks[code - 1];
    if (how == reads::copied) {
        std::uint64_t const got = explored_atomics::load(chunk, relaxed);
        if (!in.still_there(in.position())) {
            return false;
        }
        if (got != in.position() + 1) {
            run.fail("a torn or foreign message");
        }
        return true;
    }
    bool const cursor_holds = how == reads::held_by_the_cursor;
    place.pin(0, code, cursor_holds);
    bool const held = cursor_holds || in.still_there(in.position());
    if (held) {
        if (cursor_holds) {
            place.publish_cursor(in.position() + 1); // the pin alone protects it now
        }
        if (run.read_in_place(chunk) != in.position() + 1) {
            run.fail("a torn or foreign message");
        }
    }
    if (!place.unpin(0, code)) {
        run.fail("somebody changed a pin that was ours");
    }
    return held;
}

void read(machine& run, room& shared, reads how, std::uint64_t takes) {
    ring_reader in(shared.geometry(), 0);
    seat place(shared.slot, shared.control, mine, fence_pair::publisher);
    while (shared.taken < takes) {
        run.settle({in.position(), shared.taken});
        switch (in.look()) {
        case detail::cell_state::not_yet:
            if (!run.wait_for_newer({shared.geometry().stamp(in.position())})) {
                return;
            }
            continue;
        case detail::cell_state::ready:
            if (take(run, shared, in, place, how)) {
                shared.taken += 1;
            } else if (how == reads::held_by_the_cursor) {
                run.fail("overwritten before it was read");
            }
            break;
        case detail::cell_state::lapped:
            if (how == reads::held_by_the_cursor) {
                run.fail("overwritten before it was read");
            }
            break;
        case detail::cell_state::corrupt: run.fail("corrupt");
        }
        in.advance();
    }
}

scenario chunks(machine& run, room& shared, reads how, std::uint64_t messages, std::uint64_t takes,
                bool mortal) {
    bool const gated = how == reads::held_by_the_cursor;
    shared.clear(gated);
    scenario s;
    s.threads = {[&run, &shared, messages, gated] { write(run, shared, messages, gated); },
                 [&run, &shared, how, takes] { read(run, shared, how, takes); }};
    s.mortals = mortal ? 2 : 0;
    s.deaths_max = 1;
    if (mortal) {
        s.ghost = [] { return std::uint64_t{0}; };
    }
    s.at_end = [&shared, messages, gated](bool) -> std::string {
        bool const stuck = shared.sent != messages && !gated;
        return stuck ? "a reader held the writer up" : "";
    };
    return s;
}

} // namespace

scenarios pool_scenarios(bool large) {
    scenarios list;
    auto const add = [&list](char const* name, reads how, std::uint64_t messages,
                             std::uint64_t takes, bool mortal = false) {
        list.push_back(name_scenario<room>(name, [=](machine& run, room& shared) {
            return chunks(run, shared, how, messages, takes, mortal);
        }));
    };
    // The first chunk is used again by message 4.
    std::uint64_t const more = large ? 2 : 0;
    add("PoolPinned", reads::pinned, 5 + more, 1 + more);
    add("PoolHeldByTheCursor", reads::held_by_the_cursor, 5 + more, 5 + more);
    add("PoolCopied", reads::copied, 5 + more, 1 + more);
    add("PoolReaderDies", reads::pinned, 5 + more, 2, true);
    return list;
}

} // namespace partywall::test::explore
