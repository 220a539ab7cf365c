// SPDX-License-Identifier: BSL-1.0
// Calls that are given up while their server begins with them, or dies: *no* is never said of what
// was, or will be, executed. And replies, awaited or late: there is room for each in its lane, and
// none is taken for that of the call that has its slot now.
#include "mistakes.hpp"
#include "ring_memory.hpp"
#include "scenarios.hpp"

#include <partywall/calls/calls_layout.hpp>
#include <partywall/calls/reply_credit.hpp>
#include <partywall/calls/taking.hpp>
#include <partywall/inbox/lanes_layout.hpp>
#include <partywall/ring/gate.hpp>
#include <partywall/ring/reader_seat.hpp>
#include <partywall/ring/ring_reader.hpp>
#include <partywall/ring/ring_writer.hpp>

namespace partywall::test::explore {
namespace {

using taking = detail::taking<explored_atomics>;

constexpr std::uint64_t calls = 2;
constexpr unsigned server = 0;

struct call_words {
    std::uint64_t taken;                     ///< of the lane
    std::array<std::uint32_t, calls> cancel; ///< of each request
    std::array<std::uint64_t, calls> executed;
    std::array<bool, calls> said_no;
};

/// The client's half of the pair, which is no part of the template: client_core::give_up().
void fence_of_the_client(machine& run, fence_pair pair) {
    if (pair == fence_pair::sleeper) {
        run.heavy_fence({"client_core.cpp", "give_up", 1});
    } else {
        explored_atomics::fence(std::memory_order_seq_cst, {"client_core.cpp", "give_up", 2});
    }
}

void serve(call_words& shared, fence_pair pair) {
    for (std::uint64_t i = 0; i < calls; ++i) {
        taking::begin(shared.taken, i, pair);
        if (!taking::is_given_up(shared.cancel[i])) {
            shared.executed[i] += 1;
        }
    }
}

void give_up(machine& run, call_words& shared, std::uint64_t call, fence_pair pair) {
    taking::give_up(shared.cancel[call]);
    fence_of_the_client(run, pair);
    if (!taking::is_reached(shared.taken, call)) {
        shared.said_no[call] = true;
    }
}

/// Both requests are in the lane. The client gives up the second one, or both.
scenario given_up(machine& run, call_words& shared, fence_pair pair, bool both, unsigned mortals) {
    shared = {};
    scenario s;
    s.threads = {[&shared, pair] { serve(shared, pair); },
                 [&run, &shared, pair, both] {
                     if (both) {
                         give_up(run, shared, 0, pair);
                     }
                     give_up(run, shared, 1, pair);
                 }};
    s.mortals = mortals;
    s.deaths_max = 1;
    s.ghost = [&shared] {
        std::uint64_t all = 0;
        for (std::uint64_t i = 0; i < calls; ++i) {
            all = all * 8 + shared.executed[i] * 2 + (shared.said_no[i] ? 1 : 0);
        }
        return all;
    };
    s.at_end = [&shared](bool) -> std::string {
        for (std::uint64_t i = 0; i < calls; ++i) {
            if (shared.executed[i] > 1) {
                return "executed twice";
            }
            if (shared.said_no[i] && shared.executed[i] != 0) {
                return "executed, and the answer was no";
            }
        }
        return "";
    };
    return s;
}

// ---- replies ------------------------------------------------------------------------------------

using gate = detail::gate<explored_atomics>;
using seat = detail::reader_seat<explored_atomics>;
using ring_reader = detail::ring_reader<explored_atomics>;
using ring_writer = detail::ring_writer<explored_atomics>;

constexpr std::uint64_t reply_cells = 2; ///< of a client that may have one call under way
constexpr unsigned client = 1;

/// What is wrong with the client, in scenarios that must fail.
enum class flaw { none, counts_no_kept_replies, uses_slots_again_at_once };

struct reply_words {
    ring_memory<4> requests; ///< room for all of them
    ring_memory<reply_cells> replies;
    detail::lane_header header; ///< of the lane of replies
    std::uint64_t answered;
    std::uint64_t late;
    std::uint64_t calls;

    void clear() {
        requests.format(0);
        replies.format(0);
        header = {};
        header.slot.owner = owner::make(client + 1, slot_phase::ready, 1).word;
        header.slot.cursor = detail::cursor_at(0);
        answered = late = calls = 0;
    }
};

/// Answers whatever comes, and never waits for room.
void answer(machine& run, reply_words& shared) {
    detail::ring_geometry const from = shared.requests.geometry();
    ring_reader in(from, from.start_position);
    detail::ring_geometry const to = shared.replies.geometry();
    ring_writer out(to);
    gate ahead(shared.header.control, &shared.header.slot, 1, to.cell_count, to.start_position);
    for (;;) {
        run.settle({in.position(), out.position(), ahead.credit(out.position())});
        if (in.look() != detail::cell_state::ready) {
            if (!run.wait_for_newer({from.stamp(in.position())})) {
                return;
            }
            continue;
        }
        std::uint64_t const id = run.read_in_place(shared.requests.payload(in.position(), 0));
        in.advance();
        gate::laggard held_by;
        if (!ahead.open(out.position()) && !ahead.scan(out.position(), held_by)) {
            run.fail("no room for a reply that was asked for");
        }
        out.put(ring_message{id, ~id});
    }
}

/// Makes calls one after the other; waits for the reply, or gives up at once: then it is late.
class calling {
  public:
    calling(machine& run, reply_words& shared, flaw wrong)
        : run_(run), shared_(shared), wrong_(wrong), out_(shared.requests.geometry()),
          in_(shared.replies.geometry(), 0),
          seat_(shared.header.slot, shared.header.control, owner{shared.header.slot.owner},
                fence_pair::publisher) {
        seat_.adopt(0);
    }

    void all(std::uint64_t count) {
        for (std::uint64_t i = 0; i < count; ++i) {
            while (open_ || !detail::has_reply_credit(0, 1, *this)) {
                if (!look()) { // what the slot was used for before is over when its reply is here
                    return;
                }
            }
            std::uint64_t const id = detail::call_id(0, generation_);
            open_ = true;
            owned_ = true;
            shared_.calls += 1;
            out_.put(ring_message{id, i});
            bool const waits = run_.pick(2) == 0;
            while (waits && open_) {
                if (!look()) {
                    return;
                }
            }
            owned_ = false;
            if (wrong_ == flaw::uses_slots_again_at_once) {
                open_ = false;
            }
            free_if_over();
        }
    }

    // What has_reply_credit() has to know.
    static std::uint64_t cells() { return reply_cells; }
    std::uint64_t unflushed() const {
        return wrong_ == flaw::counts_no_kept_replies ? 0 : in_.position() - seat_.published();
    }
    void flush() { seat_.publish_cursor(in_.position()); }

  private:
    void free_if_over() {
        if (!open_ && !owned_ && freed_ != shared_.calls) {
            freed_ = shared_.calls;
            generation_ += wrong_ == flaw::uses_slots_again_at_once ? 0 : 1;
        }
    }
    /// Waits for a reply and deals with it. False: none comes.
    bool look() {
        detail::ring_geometry const g = shared_.replies.geometry();
        for (;;) {
            run_.settle({in_.position(), seat_.published(), generation_, shared_.calls,
                         shared_.answered, shared_.late, (open_ ? 1U : 0U) + (owned_ ? 2U : 0U)});
            detail::cell_state const state = in_.look();
            if (state == detail::cell_state::ready) {
                break;
            }
            if (state != detail::cell_state::not_yet) {
                run_.fail("a reply was overwritten");
            }
            if (!run_.wait_for_newer({g.stamp(in_.position())}, 1U << server)) {
                return false;
            }
            if (run_.proven_dead(server) && in_.look() == detail::cell_state::not_yet) {
                return false;
            }
        }
        std::uint64_t const id = run_.read_in_place(shared_.replies.payload(in_.position(), 0));
        std::uint64_t const check = run_.read_in_place(shared_.replies.payload(in_.position(), 1));
        // Replies come in the order of the calls here: this one answers call number `position`.
        bool const is_this_ones = open_ && id == detail::call_id(0, generation_);
        if (check != ~id || (is_this_ones && in_.position() + 1 != shared_.calls)) {
            run_.fail("a torn reply, or that of another call");
        }
        in_.advance();
        if (is_this_ones) {
            open_ = false;
            (owned_ ? shared_.answered : shared_.late) += 1;
            free_if_over();
        }
        return true;
    }

    machine& run_;
    reply_words& shared_;
    flaw wrong_;
    ring_writer out_;
    ring_reader in_;
    seat seat_;
    bool open_ = false;
    bool owned_ = false;
    std::uint32_t generation_ = ~std::uint32_t{0}; ///< which wraps
    std::uint64_t freed_ = 0;
};

scenario replies(machine& run, reply_words& shared, std::uint64_t count, unsigned mortals,
                 flaw wrong = flaw::none) {
    shared.clear();
    scenario s;
    s.threads = {[&run, &shared] { answer(run, shared); },
                 [&run, &shared, count, wrong] { calling(run, shared, wrong).all(count); }};
    s.mortals = mortals;
    s.deaths_max = 1;
    s.ghost = [&shared] { return shared.calls * 64 + shared.answered * 8 + shared.late; };
    s.at_end = [&run, &shared, count](bool) -> std::string {
        bool const alive = !run.is_dead(server) && !run.is_dead(client);
        if (alive && shared.calls != count) {
            return "no slot, or no credit, although every request is answered";
        }
        return "";
    };
    return s;
}

named_scenario replies_with(flaw wrong) {
    return name_scenario<reply_words>("", [wrong](machine& run, reply_words& shared) {
        return replies(run, shared, 4, 0, wrong);
    });
}

} // namespace

named_scenario reply_credit_without_what_is_kept() {
    return replies_with(flaw::counts_no_kept_replies);
}
named_scenario slot_used_again_before_its_reply() {
    return replies_with(flaw::uses_slots_again_at_once);
}

scenarios call_scenarios(bool large) {
    scenarios list;
    auto const add = [&](char const* name, fence_pair pair, unsigned mortals) {
        list.push_back(name_scenario<call_words>(
            name, [pair, mortals, large](machine& run, call_words& shared) {
                return given_up(run, shared, pair, large, mortals);
            }));
    };
    add("CallGivenUpLightAndHeavy", fence_pair::sleeper, 0);
    add("CallGivenUpFences", fence_pair::publisher, 0);
    add("CallGivenUpOfAServerThatDies", fence_pair::sleeper, 1U << server);
    add("CallGivenUpByAClientThatDies", fence_pair::publisher, 2);
    auto const add_replies = [&](char const* name, unsigned mortals) {
        list.push_back(name_scenario<reply_words>(
            name, [mortals, count = large ? 4U : 3U](machine& run, reply_words& shared) {
                return replies(run, shared, count, mortals);
            }));
    };
    add_replies("CallRepliesFitTheirLane", 0);
    add_replies("CallRepliesOfAServerThatDies", 1U << server);
    add_replies("CallRepliesToAClientThatDies", 1U << client);
    return list;
}

} // namespace partywall::test::explore
