// SPDX-License-Identifier: BSL-1.0
// Lanes of an inbox: claimed, filled, opened, abandoned, closed, read to the end, freed, and taken
// by the next sender while the receiver goes on; senders that die anywhere.
#include "mistakes.hpp"
#include "ring_memory.hpp"
#include "scenarios.hpp"

#include <partywall/inbox/lane.hpp>
#include <partywall/ring/gate.hpp>
#include <partywall/ring/reader_seat.hpp>
#include <partywall/ring/ring_reader.hpp>

namespace partywall::test::explore {
namespace {

using lane = detail::lane<explored_atomics>;
using gate = detail::gate<explored_atomics>;
using seat = detail::reader_seat<explored_atomics>;
using ring_reader = detail::ring_reader<explored_atomics>;
using ring_writer = detail::ring_writer<explored_atomics>;
using owners = owner_word<explored_atomics>;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr std::uint64_t cells = 2;
constexpr unsigned receiver = 0;
constexpr std::uint64_t ticket_of(unsigned thread) { return thread + 1; }
constexpr unsigned thread_of(owner seen) { return static_cast<unsigned>(seen.ticket() - 1); }
constexpr std::uint32_t keeps = 1; ///< overflow: waits for room
constexpr std::uint32_t drops = 2; ///< overflow: overwrites the oldest

/// Whose message, and which of its.
ring_message message_of(unsigned sender, std::uint64_t index) {
    return ring_message::at(sender * 100 + index);
}

struct inbox : ring_memory<cells> {
    detail::lane_header header;
    std::array<std::uint64_t, 4> begun;  ///< by sender
    std::array<std::uint64_t, 4> sent;   ///< by sender
    std::array<std::uint64_t, 4> taken;  ///< by sender, by the receiver
    std::array<std::uint64_t, 4> missed; ///< by sender, by the receiver
    std::array<bool, 4> done;
    std::uint64_t freed;

    void clear() {
        ring_memory::format(0);
        words.fill(0); // whoever takes the lane formats its cells
        header = {};
        header.start = 0;
        header.slot.owner = owner::make(ticket_of(receiver), slot_phase::ready, 1).word;
        header.slot.cursor = detail::cursor_at(0);
        header.incarnation = 77; // must not be taken for that of an owner
        begun = sent = taken = missed = {};
        done = {};
        freed = 0;
    }
    std::uint64_t ghost() const {
        std::uint64_t all = 0;
        for (unsigned i = 0; i < 4; ++i) {
            all = mix(all, begun[i] * 64 + sent[i] * 8 + (done[i] ? 1 : 0));
        }
        return all;
    }
};

// ---- the sender ---------------------------------------------------------------------------------

/// As writing_end::say_closed() does it.
void say_closed(inbox& shared, std::uint64_t position) {
    detail::ring_control& control = shared.header.control;
    explored_atomics::store(control.closed, detail::cursor_at(position), std::memory_order_release,
                            {"writing_end.cpp", "say_closed", 1});
    explored_atomics::store(control.position, position, std::memory_order_release,
                            {"writing_end.cpp", "say_closed", 2});
}

/// False: there was no lane for it, nor ever will be.
bool claim(machine& run, inbox& shared, unsigned me, owner& mine) {
    while (lane::claim(&shared.header, 1, 0, ticket_of(me), mine) == lane::none) {
        run.settle({});
        // It may have been taken and given back since it was looked at.
        if (!owners::load(shared.header.owner).is_free() &&
            !run.wait_for_newer({shared.header.owner})) {
            return false;
        }
    }
    return true;
}

/// Sends so many messages and closes; none: gives the lane back before it opened it.
void send(machine& run, inbox& shared, unsigned me, std::uint64_t messages,
          std::uint32_t overflow) {
    owner mine;
    if (!claim(run, shared, me, mine)) {
        return;
    }
    detail::lane_header& h = shared.header;
    detail::ring_geometry g = shared.geometry();
    lane::fill(h, g, ticket_of(me), overflow, fence_pair::publisher);
    if (messages == 0) {
        lane::abandon(h, mine);
        shared.done[me] = true;
        return;
    }
    ring_writer out(g);
    gate ahead(h.control, overflow == keeps ? &h.slot : nullptr, 1, g.cell_count, g.start_position);
    if (!lane::open(h, mine)) {
        run.fail("a living sender was robbed");
    }
    add_to_own<explored_atomics>(h.control.rejected, 1); // a counter that must begin at 0
    gate::laggard nobody;
    if (!ahead.scan(out.position(), nobody) || ahead.credit(out.position()) != g.cell_count) {
        run.fail("a new sender has not a lap of room");
    }
    for (std::uint64_t i = 0; i < messages; ++i) {
        gate::laggard held_by;
        while (!ahead.open(out.position()) && !ahead.scan(out.position(), held_by)) {
            run.settle({i, out.position(), mine.word});
            if (!run.wait_for_newer({h.slot.cursor})) {
                return;
            }
        }
        shared.begun[me] = i + 1;
        out.put(message_of(me, i));
        shared.sent[me] = i + 1;
    }
    say_closed(shared, out.position());
    shared.done[me] = true;
}

// ---- the receiver -------------------------------------------------------------------------------

class reading {
  public:
    reading(machine& run, inbox& shared, unsigned mortals, bool mistaken)
        : run_(run), shared_(shared), mortals_(mortals), mistaken_(mistaken) {}

    /// Until no sender is there, nor comes.
    void all() {
        detail::lane_header& h = shared_.header;
        for (;;) {
            settle({});
            owner const seen = owners::load(h.owner);
            if (seen.phase() == slot_phase::ready && seen.ticket() != 0) {
                std::uint64_t const end = one_sender(seen);
                if (!free(seen, end)) {
                    run_.fail("the receiver was robbed of a lane");
                }
            } else if (seen.phase() == slot_phase::filling && run_.proven_dead(thread_of(seen))) {
                // It may have opened the lane between the two: then it begins where it did.
                std::uint64_t const next = start_ + cells;
                (void)free(seen, next);
                start_ = mistaken_ ? next : start_;
            } else if (!run_.wait_for_newer({h.owner}, owner_may_die(seen))) {
                return;
            }
        }
    }

  private:
    /// From its first message until it has closed, or is dead, and everything was read.
    /// Where the next one begins.
    std::uint64_t one_sender(owner seen) {
        detail::lane_header& h = shared_.header;
        unsigned const who = thread_of(seen);
        // As receiver_core::attach() does it: published with `ready`.
        if (explored_atomics::load(h.incarnation, relaxed) != ticket_of(who) ||
            explored_atomics::load(h.fences, relaxed) !=
                static_cast<std::uint32_t>(fence_pair::publisher)) {
            run_.fail("attached to what another sender left");
        }
        bool const lossless = explored_atomics::load(h.overflow, relaxed) == keeps;
        detail::ring_geometry g = shared_.geometry();
        g.start_position = start_;
        ring_reader in(g, start_);
        seat place(h.slot, h.control, owner{h.slot.owner}, fence_pair::publisher);
        place.adopt(start_);
        for (bool ended = false;;) {
            settle({seen.word, in.position(), lossless ? 1U : 0U, ended ? 1U : 0U});
            while (take(in, place, who, lossless)) {
            }
            if (ended) {
                break;
            }
            // acquire: as receiver_core::look_at_lane() does it. One more look follows.
            ended = explored_atomics::load(h.control.closed, std::memory_order_acquire,
                                           {"receiver_core.cpp", "look_at_lane", 1}) != 0 ||
                    ((mortals_ >> who & 1) != 0 && run_.proven_dead(who));
            if (!ended) {
                run_.wait_for_newer({g.stamp(in.position()), h.control.closed},
                                    mortals_ & 1U << who);
            }
        }
        if (explored_atomics::load(h.control.rejected, relaxed) > 1) {
            run_.fail("a counter that another sender left");
        }
        return in.position() + cells;
    }

    bool free(owner seen, std::uint64_t start) {
        bool const done =
            lane::free_and_move(shared_.header, seen, ticket_of(receiver), start_, start);
        shared_.freed += done ? 1 : 0;
        return done;
    }

    /// Whose death would be news.
    unsigned owner_may_die(owner seen) const {
        return seen.is_free() ? 0 : mortals_ & 1U << thread_of(seen);
    }

    /// What all that it did has come to.
    void settle(std::array<std::uint64_t, 4> const& now) {
        auto const& n = shared_.taken;
        auto const& m = shared_.missed;
        run_.settle(
            {start_, n[1], n[2], m[1], m[2], shared_.freed, now[0], now[1], now[2], now[3]});
    }

    bool take(ring_reader& in, seat& place, unsigned who, bool lossless) {
        std::uint64_t const index = shared_.taken[who] + shared_.missed[who];
        switch (in.look()) {
        case detail::cell_state::not_yet: return false;
        case detail::cell_state::ready: break;
        case detail::cell_state::lapped:
            if (lossless) {
                run_.fail("a message was overwritten before it was read");
            }
            shared_.missed[who] += 1;
            in.advance();
            return true;
        case detail::cell_state::corrupt: run_.fail("corrupt");
        }
        ring_message got{};
        if (lossless) {
            got = {run_.read_in_place(shared_.payload(in.position(), 0)),
                   run_.read_in_place(shared_.payload(in.position(), 1))};
        } else if (!in.copy(reinterpret_cast<std::byte*>(&got), sizeof got)) {
            shared_.missed[who] += 1;
            in.advance();
            return true;
        }
        ring_message const expected = message_of(who, index);
        if (got.first != expected.first || got.second != expected.second) {
            run_.fail("a torn message, or one of another sender");
        }
        in.advance();
        shared_.taken[who] += 1;
        if (lossless) {
            place.publish_cursor(in.position());
        }
        return true;
    }

    machine& run_;
    inbox& shared_;
    unsigned mortals_;
    bool mistaken_;
    std::uint64_t start_ = 0;
};

// ---- together -----------------------------------------------------------------------------------

std::string nothing_lost(machine& run, inbox const& shared, unsigned senders) {
    for (unsigned i = 1; i <= senders; ++i) {
        std::uint64_t const seen = shared.taken[i] + shared.missed[i];
        if (seen < shared.sent[i] || seen > shared.begun[i]) {
            return "a message was lost, or made up";
        }
        if (!shared.done[i] && !run.is_dead(i)) {
            return "no lane, or no room, although the receiver took everything";
        }
    }
    return "";
}

std::string census(machine& run, inbox const& shared) {
    detail::lane_header const& h = shared.header;
    if (!owner{run.now(h.owner)}.is_free()) {
        return "a lane was left behind";
    }
    if (shared.freed == 0) {
        return "";
    }
    bool const clean = run.now(h.slot.cursor) == detail::cursor_at(run.now(h.start)) &&
                       run.now(h.control.closed) == 0 && run.now(h.control.rejected) == 0 &&
                       run.now(h.slot.received) == 0;
    return clean ? "" : "a free lane is not as it should be";
}

struct party {
    std::uint64_t messages;
    std::uint32_t overflow;
};

scenario lanes(machine& run, inbox& shared, std::vector<party> const& senders, unsigned mortals,
               bool mistaken = false) {
    shared.clear();
    scenario s;
    s.threads = {
        [&run, &shared, mortals, mistaken] { reading(run, shared, mortals, mistaken).all(); }};
    for (unsigned i = 1; i <= senders.size(); ++i) {
        s.threads.push_back([&run, &shared, i, one = senders[i - 1]] {
            send(run, shared, i, one.messages, one.overflow);
        });
    }
    s.mortals = mortals;
    s.deaths_max = 1;
    s.ghost = [&shared] { return shared.ghost(); };
    s.at_end = [&run, &shared, count = static_cast<unsigned>(senders.size())](bool) -> std::string {
        std::string const lost = nothing_lost(run, shared, count);
        return lost.empty() ? census(run, shared) : lost;
    };
    return s;
}

/// The lane is formatted by its receiver before anybody can see it; then by its first sender.
scenario formatted(machine& run, inbox& shared) {
    shared.clear();
    scenario s;
    s.threads = {[&run, &shared] {
        lane::format(shared.header, 5, ticket_of(receiver));
        owner mine;
        if (lane::claim(&shared.header, 1, 0, ticket_of(1), mine) != 0) {
            run.fail("no lane");
        }
        detail::ring_geometry g = shared.geometry();
        lane::fill(shared.header, g, 1, keeps, fence_pair::publisher);
        gate ahead(shared.header.control, &shared.header.slot, 1, cells, g.start_position);
        gate::laggard held_by;
        if (g.start_position != 5 || !ahead.scan(5, held_by) || ahead.credit(5) != cells) {
            run.fail("a new lane has not a lap of credit");
        }
    }};
    return s;
}

} // namespace

named_scenario lane_that_moves_on_too_early() {
    return name_scenario<inbox>("", [](machine& run, inbox& shared) {
        return lanes(run, shared, {{1, keeps}}, 2, true);
    });
}

scenarios lane_scenarios(bool large) {
    scenarios list;
    auto const add = [&list](char const* name, auto make) {
        list.push_back(name_scenario<inbox>(name, make));
    };
    std::uint64_t const more = large ? 3 : 2;
    add("LaneOfOneSender", [more](machine& run, inbox& shared) {
        return lanes(run, shared, {{more + 1, keeps}}, 0);
    });
    add("LaneThatDropsTheOldest", [](machine& run, inbox& shared) {
        return lanes(run, shared, {{3, drops}}, 0);
    });
    add("LaneChangesHands", [more](machine& run, inbox& shared) {
        return lanes(run, shared, {{1, keeps}, {more - 1, keeps}}, 0);
    });
    add("LaneAbandoned", [](machine& run, inbox& shared) {
        return lanes(run, shared, {{0, keeps}, {1, keeps}}, 0);
    });
    add("LaneSenderDies", [more](machine& run, inbox& shared) {
        return lanes(run, shared, {{more, keeps}}, 2);
    });
    add("LaneSenderDiesAndAnotherComes", [](machine& run, inbox& shared) {
        return lanes(run, shared, {{1, keeps}, {1, keeps}}, 2);
    });
    add("LaneFormat", [](machine& run, inbox& shared) { return formatted(run, shared); });
    return list;
}

} // namespace partywall::test::explore
