// SPDX-License-Identifier: BSL-1.0
// Random histories of an inbox: several senders that come, send, close and are killed, and one
// receiver. Each sender has a queue; the receiver takes the first message of any.
#include "histories.hpp"
#include "ring_memory.hpp"

#include <partywall/inbox/lane.hpp>
#include <partywall/ring/gate.hpp>
#include <partywall/ring/reader_seat.hpp>
#include <partywall/ring/ring_reader.hpp>

#include <array>
#include <compare>

namespace partywall::test::explore {
namespace {

using lane = detail::lane<explored_atomics>;
using gate = detail::gate<explored_atomics>;
using seat = detail::reader_seat<explored_atomics>;
using ring_reader = detail::ring_reader<explored_atomics>;
using ring_writer = detail::ring_writer<explored_atomics>;

constexpr std::uint64_t cells = 2;
constexpr unsigned receiver = 0;
constexpr std::uint32_t lane_count = 2;

struct inbox_operation {
    enum kind { send, receive } what;
    unsigned sender;     ///< a process and how often it has come; receive: of the message
    std::uint64_t value; ///< 0: there was none
    bool done;           ///< send: there was room
};

/// A queue per sender, of which the receiver takes the first message of any.
struct inbox_state {
    std::array<std::vector<std::uint64_t>, 8> queues;
    auto operator<=>(inbox_state const&) const = default;

    std::vector<inbox_state> after(inbox_operation const& it, bool known) const {
        inbox_state next = *this;
        auto& queue = next.queues[it.sender];
        if (it.what == inbox_operation::send) {
            if (known && !it.done) {
                return queue.size() == cells ? std::vector{next} : std::vector<inbox_state>{};
            }
            if (queue.size() == cells) {
                return {};
            }
            queue.push_back(it.value);
            return {next};
        }
        if (!known) { // the receiver is not killed here
            return {};
        }
        if (it.value == 0) {
            bool empty = true;
            for (auto const& one : queues) {
                empty = empty && one.empty();
            }
            return empty ? std::vector{next} : std::vector<inbox_state>{};
        }
        if (queue.empty() || queue.front() != it.value) {
            return {};
        }
        queue.erase(queue.begin());
        return {next};
    }
};

struct inbox {
    std::array<detail::lane_header, lane_count> headers;
    std::array<ring_memory<cells>, lane_count> rings;
    recorder<inbox_operation> all;
    std::array<std::uint64_t, 4> values;

    void clear() {
        headers = {};
        values = {};
        all.clear();
        for (std::uint32_t i = 0; i < lane_count; ++i) {
            rings[i].format(0);
            headers[i].slot.owner = owner::make(ticket_of(receiver), slot_phase::ready, 1).word;
            headers[i].slot.cursor = detail::cursor_at(0);
        }
    }
};

/// Takes a lane, sends without waiting, closes; again and again.
void send_by_chance(machine& run, inbox& shared, unsigned me, std::uint64_t seed) {
    std::mt19937_64 dice(seed);
    for (int round = 0; round < 2; ++round) {
        owner mine;
        std::uint32_t const index =
            lane::claim(shared.headers.data(), lane_count, me % lane_count, ticket_of(me), mine);
        if (index == lane::none) {
            continue;
        }
        detail::lane_header& h = shared.headers[index];
        detail::ring_geometry g = shared.rings[index].geometry();
        unsigned const sender = 2 * me + static_cast<unsigned>(round);
        lane::fill(h, g, sender, 1, fence_pair::publisher);
        ring_writer out(g);
        gate ahead(h.control, &h.slot, 1, g.cell_count, g.start_position);
        if (!lane::open(h, mine)) {
            run.fail("a living sender was robbed");
        }
        for (std::uint64_t i = 0; i < 1 + dice() % 4; ++i) {
            std::uint64_t const value = me * 100 + ++shared.values[me];
            shared.all.record(
                {inbox_operation::send, sender, value, false}, [&](inbox_operation it) {
                    gate::laggard held_by;
                    it.done = ahead.open(out.position()) || ahead.scan(out.position(), held_by);
                    if (it.done) {
                        out.put(ring_message{value, value});
                    }
                    return it;
                });
        }
        explored_atomics::store(h.control.closed, detail::cursor_at(out.position()),
                                std::memory_order_release);
    }
}

class mini_receiver {
  public:
    mini_receiver(machine& run, inbox& shared) : run_(run), shared_(shared) {}

    /// One look at every lane, as receivers take turns: the first message, or none.
    void receive() {
        shared_.all.record({inbox_operation::receive, 0, 0, true}, [&](inbox_operation it) {
            for (std::uint32_t i = 0; i < lane_count && it.value == 0; ++i) {
                look_at(next_, it);
                next_ = (next_ + 1) % lane_count;
            }
            return it;
        });
    }

  private:
    struct own_lane {
        bool attached = false;
        owner seen;
        unsigned sender = 0;
        ring_reader in;
        std::uint64_t start = 0;
    };

    void look_at(std::uint32_t index, inbox_operation& it) {
        own_lane& own = lanes_[index];
        detail::lane_header& h = shared_.headers[index];
        if (!own.attached) {
            own.seen = owner_word<explored_atomics>::load(h.owner);
            bool const dead = !own.seen.is_free() && run_.proven_dead(thread_of(own.seen));
            if (own.seen.phase() == slot_phase::filling && dead &&
                lane::free(h, own.seen, ticket_of(receiver), own.start + cells)) {
                own.start += cells;
            }
            if (own.seen.phase() != slot_phase::ready) {
                return;
            }
            own.attached = true;
            detail::ring_geometry g = shared_.rings[index].geometry();
            g.start_position = own.start;
            own.in = ring_reader(g, own.start);
            own.sender = static_cast<unsigned>(
                explored_atomics::load(h.incarnation, std::memory_order_relaxed));
        }
        // Whether it has ended is asked before the look that finds nothing more.
        bool const ended =
            explored_atomics::load(h.control.closed, std::memory_order_acquire) != 0 ||
            run_.proven_dead(thread_of(own.seen));
        if (take(own, h, index, it) || !ended) {
            return;
        }
        own.attached = false;
        own.start = own.in.position() + cells;
        if (!lane::free(h, own.seen, ticket_of(receiver), own.start)) {
            run_.fail("the receiver was robbed of a lane");
        }
    }
    bool take(own_lane& own, detail::lane_header& h, std::uint32_t index, inbox_operation& it) {
        if (own.in.look() != detail::cell_state::ready) {
            return false;
        }
        it.sender = own.sender;
        it.value = run_.read_in_place(shared_.rings[index].payload(own.in.position(), 0));
        own.in.advance();
        owner const mine = owner::make(ticket_of(receiver), slot_phase::ready, 1);
        seat(h.slot, h.control, mine, fence_pair::publisher).publish_cursor(own.in.position());
        return true;
    }

    machine& run_;
    inbox& shared_;
    std::array<own_lane, lane_count> lanes_;
    std::uint32_t next_ = 0;
};

TEST(Linearizable, HistoriesOfAnInboxOfManySendersWithKills) {
    inbox shared;
    expect_linearizable("inbox", [&](machine& run, std::mt19937_64& dice) {
        shared.clear();
        scenario s;
        s.threads = {[&run, &shared] {
            mini_receiver own(run, shared);
            for (int i = 0; i < 12; ++i) {
                own.receive();
            }
        }};
        auto const senders = static_cast<unsigned>(2 + dice() % 2);
        for (unsigned i = 1; i <= senders; ++i) {
            s.threads.push_back(
                [&run, &shared, i, seed = dice()] { send_by_chance(run, shared, i, seed); });
        }
        s.mortals = 14;
        s.deaths_max = 2;
        s.at_end = [&shared](bool) -> std::string {
            return linearization<inbox_operation, inbox_state>(shared.all.all()).exists({})
                       ? ""
                       : "no order of these operations gives what was seen";
        };
        return s;
    });
}

} // namespace
} // namespace partywall::test::explore
