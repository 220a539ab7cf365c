// SPDX-License-Identifier: BSL-1.0
// A writer that its readers hold back: joining, reading in place, leaving, dying, and recovery.
#include "ring_memory.hpp"
#include "scenarios.hpp"

#include <partywall/ring/gate.hpp>
#include <partywall/ring/reader_seat.hpp>
#include <partywall/ring/ring_reader.hpp>
#include <partywall/ring/ring_writer.hpp>

namespace partywall::test::explore {
namespace {

using gate = detail::gate<explored_atomics>;
using seat = detail::reader_seat<explored_atomics>;
using ring_reader = detail::ring_reader<explored_atomics>;
using ring_writer = detail::ring_writer<explored_atomics>;
using owners = owner_word<explored_atomics>;

constexpr std::uint64_t cells = 2;
constexpr std::uint64_t nothing = ~std::uint64_t{0};
constexpr std::uint64_t ticket_of(unsigned thread) { return thread + 1; }
constexpr unsigned thread_of(owner seen) { return static_cast<unsigned>(seen.ticket() - 1); }

/// One writer with a gate, two reader slots, and what everybody believes.
struct room : ring_memory<cells> {
    detail::ring_control control;
    std::array<detail::reader_slot, 2> slots;
    std::uint32_t slot_count;
    std::uint64_t written;                  ///< positions that the writer has begun
    std::uint64_t sent;                     ///< and finished
    std::array<std::uint64_t, 4> safe_from; ///< by thread: relies on every cell from here on
    std::array<std::uint64_t, 4> taken;     ///< by thread: the end of what it has read
    std::array<bool, 4> done;

    void clear(std::uint64_t first, std::uint32_t count) {
        format(first);
        control = {};
        slots = {};
        slot_count = count;
        control.position = written = sent = first;
        safe_from.fill(nothing);
        taken.fill(nothing);
        done = {};
    }
    bool overwritten(std::uint64_t from) const {
        return from != nothing && static_cast<std::int64_t>(written - (from + cells)) > 0;
    }
    gate ahead() { return {control, slots.data(), slot_count, cells, start}; }
    /// The slot is that of a reader that has joined.
    owner seated(std::uint32_t slot, unsigned thread) {
        owner const mine = owner::make(ticket_of(thread), slot_phase::ready, 5);
        slots[slot].owner = mine.word;
        slots[slot].cursor = detail::cursor_at(start);
        safe_from[thread] = start;
        taken[thread] = start;
        return mine;
    }
    /// What of a dead reader matters.
    std::uint64_t ghost() const {
        std::uint64_t all = written * 16 + sent;
        for (unsigned i = 0; i < 4; ++i) {
            all = mix(mix(all, safe_from[i]), taken[i] * 2 + (done[i] ? 1 : 0));
        }
        return all;
    }
};

/// Waits until cell p may be written, and takes the slots of the dead. False: for good.
bool make_room(machine& run, room& shared, gate& ahead, std::uint64_t p, unsigned mortals) {
    gate::laggard held_by;
    while (!ahead.open(p) && !ahead.scan(p, held_by)) {
        run.settle({p, held_by.slot, held_by.seen.word});
        unsigned const who = thread_of(held_by.seen);
        if ((mortals >> who & 1) != 0 && run.proven_dead(who)) {
            shared.safe_from[who] = nothing;
            seat::reclaim(shared.slots[held_by.slot], held_by.seen, ticket_of(0));
            continue;
        }
        detail::reader_slot const& a = shared.slots[0];
        detail::reader_slot const& b = shared.slots[shared.slot_count - 1];
        if (!run.wait_for_newer({a.cursor, a.owner, b.cursor, b.owner}, mortals)) {
            return false; // the reader stays where it is: held back for good, as it should be
        }
    }
    return true;
}

void write(machine& run, room& shared, std::uint64_t messages, unsigned mortals = 0) {
    gate ahead = shared.ahead();
    ring_writer out(shared.geometry());
    for (std::uint64_t p = shared.start; p != shared.start + messages; ++p) {
        if (!make_room(run, shared, ahead, p, mortals)) {
            return;
        }
        shared.written = p + 1;
        for (unsigned i = 0; i < 4; ++i) {
            if (!run.is_dead(i) && shared.overwritten(shared.safe_from[i])) {
                run.fail("overwrote a cell that the reader relies on");
            }
        }
        out.put(ring_message::at(p));
        shared.sent = p + 1;
    }
    shared.done[0] = true;
}

/// Only looks for room: a joiner's side of it needs no messages.
void look_for_room(machine& run, room& shared, std::uint64_t messages) {
    gate ahead = shared.ahead();
    for (std::uint64_t p = shared.start; p != shared.start + messages; ++p) {
        if (!make_room(run, shared, ahead, p, 0)) {
            return;
        }
        shared.written = p + 1;
        for (std::uint64_t const from : shared.safe_from) {
            if (shared.overwritten(from)) {
                run.fail("overwrote a cell that the reader relies on");
            }
        }
    }
}

// ---- joining ------------------------------------------------------------------------------------

/// Joins as production code does; the slot is its own when it returns.
seat take_seat(machine& run, room& shared, unsigned thread) {
    owner mine;
    detail::reader_slot* const slot =
        seat::claim(shared.slots.data(), shared.slot_count, ticket_of(thread),
                    detail::reader_role::lossless, mine);
    if (slot == nullptr) {
        run.fail("no slot");
    }
    return seat(*slot, shared.control, mine, fence_pair::publisher);
}

void join(machine& run, room& shared, unsigned thread, bool go_on) {
    seat mine = take_seat(run, shared, thread);
    std::uint64_t const from = mine.join();
    shared.safe_from[thread] = from;
    if (shared.overwritten(from)) {
        run.fail("joined at a cell that is already overwritten");
    }
    mine.set_ready();
    if (go_on) {
        shared.safe_from[thread] = from + 1;
        mine.publish_cursor(from + 1);
        shared.safe_from[thread] = nothing;
        mine.leave();
    }
}

scenario joining(machine& run, room& shared, std::uint64_t messages, bool go_on,
                 std::uint64_t start) {
    shared.clear(start, 1);
    scenario s;
    s.threads = {[&run, &shared, messages] { look_for_room(run, shared, messages); },
                 [&run, &shared, go_on] { join(run, shared, 1, go_on); }};
    return s;
}

/// Two come at the same time: each gets a slot of its own.
scenario two_join(machine& run, room& shared) {
    shared.clear(0, 2);
    scenario s;
    s.threads = {[&run, &shared] { join(run, shared, 0, false); },
                 [&run, &shared] { join(run, shared, 1, false); }};
    s.at_end = [&](bool) -> std::string {
        owner const a{run.now(shared.slots[0].owner)};
        owner const b{run.now(shared.slots[1].owner)};
        bool const both = a.phase() == slot_phase::ready && b.phase() == slot_phase::ready;
        return both && a.ticket() != b.ticket() ? "" : "two readers in one slot";
    };
    return s;
}

// ---- reading in place ---------------------------------------------------------------------------

/// Reads until nothing comes any more, each message once and in order, as the samples of a
/// lossless subscriber do: in the cell. Gives back so many messages at a time.
void read(machine& run, room& shared, seat& mine, unsigned thread, std::uint64_t first,
          std::uint64_t batch, std::uint64_t takes = nothing) {
    ring_reader in(shared.geometry(), first);
    while (in.position() - first < takes) {
        run.settle({in.position(), mine.published()});
        detail::cell_state const state = in.look();
        if (state == detail::cell_state::not_yet) {
            if (in.position() != mine.published()) {
                shared.safe_from[thread] = in.position();
                mine.publish_cursor(in.position());
            } else if (!run.wait_for_newer({shared.geometry().stamp(in.position())})) {
                return;
            }
            continue;
        }
        if (state != detail::cell_state::ready) {
            run.fail("overwritten before it was read");
        }
        std::uint64_t const p = in.position();
        ring_message const got{run.read_in_place(shared.payload(p, 0)),
                               run.read_in_place(shared.payload(p, 1))};
        if (!got.is_at(p)) {
            run.fail("a torn or foreign message");
        }
        if (!in.still_there(p)) {
            run.fail("overwritten while it was read");
        }
        in.advance();
        shared.taken[thread] = in.position();
        if (in.position() - mine.published() >= batch) {
            shared.safe_from[thread] = in.position();
            mine.publish_cursor(in.position());
        }
    }
}

std::string nothing_lost(room const& shared, unsigned thread) {
    return shared.taken[thread] == shared.sent ? "" : "a message was lost, or nobody had room";
}

scenario lossless(machine& run, room& shared, std::uint64_t messages, std::uint64_t batch,
                  std::uint64_t start) {
    shared.clear(start, 1);
    owner const mine = shared.seated(0, 1);
    scenario s;
    s.threads = {[&run, &shared, messages] { write(run, shared, messages); },
                 [&run, &shared, mine, batch] {
                     seat place(shared.slots[0], shared.control, mine, fence_pair::publisher);
                     place.adopt(shared.start);
                     read(run, shared, place, 1, shared.start, batch);
                 }};
    s.at_end = [&](bool) -> std::string {
        return shared.done[0] ? nothing_lost(shared, 1) : "full, although everything was read";
    };
    return s;
}

scenario two_readers(machine& run, room& shared, std::uint64_t messages) {
    shared.clear(0, 2);
    std::array<owner, 2> const mine{shared.seated(0, 1), shared.seated(1, 2)};
    scenario s;
    s.threads = {[&run, &shared, messages] { write(run, shared, messages); }};
    for (unsigned i = 0; i < 2; ++i) {
        s.threads.push_back([&run, &shared, mine, i] {
            seat place(shared.slots[i], shared.control, mine[i], fence_pair::publisher);
            place.adopt(shared.start);
            read(run, shared, place, i + 1, shared.start, 1);
        });
    }
    s.at_end = [&](bool) -> std::string {
        std::string const first = nothing_lost(shared, 1);
        return first.empty() ? nothing_lost(shared, 2) : first;
    };
    return s;
}

/// Whether nothing of an owner is left in the slot.
bool empty(machine& run, detail::reader_slot const& slot) {
    return run.now(slot.cursor) == detail::cursor_none && run.now(slot.role) == 0 &&
           run.now(slot.subscription) == 0 && run.now(slot.subscription_ticket) == 0 &&
           run.now(slot.received) == 0 && run.now(slot.missed) == 0 && run.now(slot.sleeps) == 0 &&
           run.now(slot.corrupt) == 0;
}

/// From claiming a slot to leaving it, and the slot is as it was.
scenario whole_life(machine& run, room& shared, std::uint64_t messages) {
    shared.clear(0, 1);
    scenario s;
    s.threads = {[&run, &shared, messages] { write(run, shared, messages); },
                 [&run, &shared] {
                     seat mine = take_seat(run, shared, 1);
                     std::uint64_t const from = mine.join();
                     shared.safe_from[1] = from;
                     mine.set_ready();
                     mine.count_received(1);
                     // It leaves without having given back what it read.
                     read(run, shared, mine, 1, from, 2, 1);
                     shared.safe_from[1] = nothing;
                     mine.leave();
                 }};
    s.at_end = [&](bool) -> std::string {
        detail::reader_slot const& slot = shared.slots[0];
        bool const clean = empty(run, slot);
        bool const left = owner{run.now(slot.owner)}.is_free();
        return left && !clean            ? "a free slot is not empty"
               : left && !shared.done[0] ? "full, although nobody reads"
                                         : "";
    };
    return s;
}

// ---- death --------------------------------------------------------------------------------------

/// The writer finds a reader that was killed anywhere, and goes on without it.
scenario dead_reader(machine& run, room& shared, std::uint64_t messages) {
    shared.clear(0, 1);
    scenario s;
    s.threads = {[&run, &shared, messages] { write(run, shared, messages, 2); },
                 [&run, &shared] {
                     join(run, shared, 1, true);
                     shared.done[1] = true;
                 }};
    s.mortals = 2;
    s.deaths_max = 1;
    s.ghost = [&shared] { return shared.ghost(); };
    s.at_end = [&](bool) -> std::string {
        return shared.done[0] ? "" : "full, although nobody reads";
    };
    return s;
}

/// Takes the slot from whoever is dead, until it is free.
void recover(machine& run, room& shared, unsigned thread, unsigned mortals) {
    for (;;) {
        run.settle({});
        owner const seen = owners::load(shared.slots[0].owner);
        if (seen.is_free()) {
            break;
        }
        unsigned const who = thread_of(seen);
        if (run.proven_dead(who)) {
            seat::reclaim(shared.slots[0], seen, ticket_of(thread));
        } else if (!run.wait_for_newer({shared.slots[0].owner}, mortals & 1U << who)) {
            run.fail("waits for a living process");
        }
    }
    shared.done[thread] = true;
}

/// Two that recover, one of which is killed as well.
scenario killed_recovery(machine& run, room& shared) {
    shared.clear(0, 1);
    detail::reader_slot& old = shared.slots[0];
    old.received = old.missed = old.sleeps = old.corrupt = 1;
    old.subscription = old.subscription_ticket = old.role = 1;
    owner const mine = shared.seated(0, 0);
    scenario s;
    s.threads = {[&shared, mine] {
                     seat place(shared.slots[0], shared.control, mine, fence_pair::publisher);
                     place.publish_cursor(1);
                     place.leave();
                 },
                 [&run, &shared] { recover(run, shared, 1, 3); },
                 [&run, &shared] { recover(run, shared, 2, 3); }};
    s.mortals = 3;
    s.deaths_max = 2;
    s.ghost = [&shared] { return shared.ghost(); };
    s.at_end = [&](bool) -> std::string {
        detail::reader_slot const& slot = shared.slots[0];
        bool const clean = owner{run.now(slot.owner)}.is_free() && empty(run, slot);
        return clean && shared.done[2] ? "" : "something was left behind";
    };
    return s;
}

} // namespace

scenarios gate_scenarios(bool large) {
    scenarios list;
    auto const add = [&list](char const* name, auto make) {
        list.push_back(name_scenario<room>(name, make));
    };
    for (auto const& [name, from] :
         {std::pair{"GateJoin", std::uint64_t{0}},
          std::pair{"GateJoinAcrossTheEndOfThePositions", std::uint64_t{0} - 3},
          std::pair{"GateJoinAcrossTheEndOfTheCursors", (std::uint64_t{1} << 63) - 3}}) {
        add(name, [start = from](machine& run, room& shared) {
            return joining(run, shared, 7, false, start);
        });
    }
    add("GateJoinAndLeave", [large](machine& run, room& shared) {
        return joining(run, shared, large ? 5 : 3, true, 0);
    });
    add("GateTwoJoin", [](machine& run, room& shared) { return two_join(run, shared); });
    add("RingLossless",
        [large](machine& run, room& shared) { return lossless(run, shared, large ? 4 : 3, 1, 0); });
    add("RingLosslessInBatches", [large](machine& run, room& shared) {
        return lossless(run, shared, large ? 6 : 4, 2, std::uint64_t{0} - 3);
    });
    if (large) {
        add("RingLosslessTwoReaders",
            [](machine& run, room& shared) { return two_readers(run, shared, 3); });
    }
    add("GateWholeLife",
        [large](machine& run, room& shared) { return whole_life(run, shared, large ? 4 : 3); });
    add("GateDeadReader",
        [large](machine& run, room& shared) { return dead_reader(run, shared, large ? 5 : 4); });
    add("GateKilledRecovery",
        [](machine& run, room& shared) { return killed_recovery(run, shared); });
    return list;
}

} // namespace partywall::test::explore
