// SPDX-License-Identifier: BSL-1.0
// Wake-ups under every interleaving and every stale value: nobody sleeps while there is
// something for it to do, whoever else dies in between.
#include "machine.hpp"

#include "support/counts.hpp"

#include <partywall/ring/gate.hpp>
#include <partywall/ring/reader_seat.hpp>
#include <partywall/wait/bell.hpp>

#include <gtest/gtest.h>

#include <iostream>

namespace partywall::test::explore {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;
using ringer = detail::bell_ringer<explored_atomics>;
using sleeper = detail::bell_sleeper<explored_atomics>;
using gate = detail::gate<explored_atomics>;
using seat = detail::reader_seat<explored_atomics>;

struct bell_words {
    std::uint64_t data = 0;
    std::uint32_t arm = 0;
    std::uint32_t rung = 0;
};

void ring(bell_words& words, std::uint64_t messages, fence_pair pair) {
    ringer bell(words.arm, words.rung, pair);
    for (std::uint64_t i = 1; i <= messages; ++i) {
        explored_atomics::store(words.data, i, std::memory_order_release);
        bell.ring_if_armed();
    }
}

/// Waits for every message in turn. `mortal`: may be killed wherever it could hurt.
void wait(machine& run, bell_words& words, std::uint64_t messages, fence_pair pair, bool mortal) {
    sleeper bell(words.arm, words.rung);
    std::uint64_t taken = 0;
    auto const there = [&] {
        std::uint64_t const seen = explored_atomics::load(words.data, std::memory_order_acquire);
        bool const more = seen != taken;
        taken = seen;
        return more;
    };
    while (taken != messages) {
        if (there()) {
            continue;
        }
        bool const armed = bell.prepare();
        if (mortal && run.pick(2) == 1) {
            return;
        }
        if (armed) {
            if (pair == fence_pair::sleeper) {
                run.heavy_fence();
            } else {
                explored_atomics::fence(std::memory_order_seq_cst);
            }
        }
        if (there()) {
            continue;
        }
        run.sleep_while(words.rung, bell.rung_word().expected);
    }
}

outcome explore_bell(fence_pair pair, std::uint64_t messages, unsigned sleepers,
                     std::function<void(access&)> const& mutate = {}) {
    machine run;
    bell_words words;
    auto const result = run.explore(
        [&] {
            scenario s;
            s.threads = {[&, pair] { ring(words, messages, pair); }};
            for (unsigned i = 0; i < sleepers; ++i) {
                s.threads.push_back([&, pair, i] { wait(run, words, messages, pair, i == 1); });
            }
            s.at_end = [](bool stuck) { return stuck ? "asleep beside its data" : ""; };
            return s;
        },
        mutate);
    std::cout << "executions " << result.executions << ", states " << result.states << "\n";
    return result;
}

bool is_full_fence(access const& a) {
    return a.kind == access_kind::fence && a.order == std::memory_order_seq_cst;
}

void expect_proof(outcome const& result) {
    EXPECT_TRUE(result.complete);
    EXPECT_EQ(result.violation, "");
}

TEST(Bell, LosesNoWakeUpOfOneSleeper) {
    expect_proof(explore_bell(fence_pair::publisher, 3, 1));
    expect_proof(explore_bell(fence_pair::sleeper, 3, 1));
}

TEST(Bell, LosesNoWakeUpOfTwoSleepersOneOfWhichMayBeKilled) {
    std::uint64_t const messages = test::count(1, 2);
    expect_proof(explore_bell(fence_pair::publisher, messages, 2));
    expect_proof(explore_bell(fence_pair::sleeper, messages, 2));
}

TEST(Bell, LosesOneWithoutTheFenceOfTheSleeper) {
    for (fence_pair const pair : {fence_pair::publisher, fence_pair::sleeper}) {
        auto const result =
            explore_bell(pair, 2, 1, [](access& a) { a.skip = is_full_fence(a) && a.thread == 1; });
        EXPECT_NE(result.violation, "");
    }
}

TEST(Bell, LosesOneWithoutTheFenceOfThePublisher) {
    auto const result = explore_bell(fence_pair::publisher, 2, 1,
                                     [](access& a) { a.skip = is_full_fence(a) && a.thread == 0; });
    EXPECT_NE(result.violation, "");
}

// ---- several ringers ----------------------------------------------------------------------------

/// An inbox: two senders with a lane each, one receiver, one bell.
struct inbox_words {
    std::uint64_t data[2] = {0, 0};
    std::uint32_t arm = 0;
    std::uint32_t rung = 0;
};

void ring_one_of_many(inbox_words& words, std::size_t lane, std::uint64_t messages,
                      fence_pair pair) {
    ringer bell = ringer::one_of_many(words.arm, words.rung, pair);
    for (std::uint64_t i = 1; i <= messages; ++i) {
        explored_atomics::store(words.data[lane], i, std::memory_order_release);
        bell.ring_if_armed();
    }
}

void wait_for_both(machine& run, inbox_words& words, std::uint64_t first, std::uint64_t second,
                   fence_pair pair) {
    sleeper bell(words.arm, words.rung);
    std::uint64_t taken[2] = {0, 0};
    auto const there = [&] {
        bool more = false;
        for (std::size_t lane = 0; lane < 2; ++lane) {
            std::uint64_t const seen =
                explored_atomics::load(words.data[lane], std::memory_order_acquire);
            more = more || seen != taken[lane];
            taken[lane] = seen;
        }
        return more;
    };
    while (taken[0] != first || taken[1] != second) {
        if (there()) {
            continue;
        }
        if (bell.prepare()) {
            if (pair == fence_pair::sleeper) {
                run.heavy_fence();
            } else {
                explored_atomics::fence(std::memory_order_seq_cst);
            }
        }
        if (there()) {
            continue;
        }
        run.sleep_while(words.rung, bell.rung_word().expected);
    }
}

/// So many messages of each.
outcome explore_inbox(fence_pair pair, std::uint64_t first, std::uint64_t second,
                      std::function<void(access&)> const& mutate = {}) {
    machine run;
    inbox_words words;
    auto const result = run.explore(
        [&] {
            scenario s;
            s.threads = {[&] { wait_for_both(run, words, first, second, pair); },
                         [&] { ring_one_of_many(words, 0, first, pair); },
                         [&] { ring_one_of_many(words, 1, second, pair); }};
            s.at_end = [](bool stuck) { return stuck ? "asleep beside its data" : ""; };
            return s;
        },
        mutate);
    std::cout << "executions " << result.executions << ", states " << result.states << "\n";
    return result;
}

TEST(BellOfManyRingers, LosesNoWakeUp) {
    for (fence_pair const pair : {fence_pair::publisher, fence_pair::sleeper}) {
        expect_proof(explore_inbox(pair, 1, test::count(2, 3)));
    }
}

TEST(BellOfManyRingers, LosesOneWithoutTheFenceOfTheSleeper) {
    auto const result = explore_inbox(
        fence_pair::sleeper, 1, 2, [](access& a) { a.skip = is_full_fence(a) && a.thread == 0; });
    EXPECT_NE(result.violation, "");
}

/// A gated writer that sleeps until a reader gives room.
struct room {
    detail::ring_control control;
    detail::reader_slot slot;
};

constexpr std::uint64_t cells = 2;

/// `late`: sleeps on the value of `freed` that the look after the arming found. That is wrong.
void write_and_wait(machine& run, room& shared, std::uint64_t messages, fence_pair pair,
                    bool late = false) {
    gate ahead(shared.control, &shared.slot, 1, cells, 0);
    for (std::uint64_t p = 0; p != messages; ++p) {
        gate::laggard held_by;
        while (!ahead.open(p) && !ahead.scan(p, held_by)) {
            // Only the writer writes room_arm.
            auto const armed = explored_atomics::load(shared.control.room_arm, relaxed);
            explored_atomics::store(shared.control.room_arm, armed + 1, relaxed);
            if (pair == fence_pair::sleeper) {
                run.heavy_fence();
            } else {
                explored_atomics::fence(std::memory_order_seq_cst);
            }
            gate::laggard again;
            if (ahead.scan(p, again)) {
                break;
            }
            run.sleep_while(shared.slot.freed, late ? again.freed : held_by.freed);
        }
    }
}

void give_room(machine& run, room& shared, std::uint64_t messages, fence_pair pair,
               owner const& mine) {
    seat place(shared.slot, shared.control, mine, pair);
    for (std::uint64_t p = 1; p <= messages; ++p) {
        place.publish_cursor(p);
        if (run.pick(2) == 1) {
            break;
        }
    }
    place.leave();
}

outcome explore_room(fence_pair pair, std::function<void(access&)> const& mutate = {},
                     bool late = false) {
    machine run;
    room shared;
    auto const mine = owner::make(7, slot_phase::ready, 5);
    std::uint64_t const messages = late ? 4 : test::count(3, 4);
    auto const result = run.explore(
        [&, pair] {
            shared = {};
            shared.slot.owner = mine.word;
            shared.slot.cursor = detail::cursor_at(0);
            scenario s;
            s.threads = {[&, pair] { write_and_wait(run, shared, messages, pair, late); },
                         [&, pair] { give_room(run, shared, 2, pair, mine); }};
            s.at_end = [](bool stuck) { return stuck ? "asleep beside free room" : ""; };
            return s;
        },
        mutate);
    std::cout << "executions " << result.executions << ", states " << result.states << "\n";
    return result;
}

TEST(RoomBell, LosesNoWakeUpOfAWriterThatWaitsForRoom) {
    expect_proof(explore_room(fence_pair::publisher));
    expect_proof(explore_room(fence_pair::sleeper));
}

TEST(RoomBell, WakesTheWriterWhenADeadReadersSlotIsReclaimed) {
    machine run;
    room shared;
    auto const dead = owner::make(7, slot_phase::ready, 5);
    auto const result = run.explore([&] {
        shared = {};
        shared.slot.owner = dead.word;
        shared.slot.cursor = detail::cursor_at(0);
        scenario s;
        s.threads = {[&] { write_and_wait(run, shared, 4, fence_pair::sleeper); },
                     [&] { seat::reclaim(shared.slot, dead, 9); },
                     [&] { seat::reclaim(shared.slot, dead, 11); }};
        s.at_end = [&](bool stuck) -> std::string {
            if (stuck) {
                return "asleep beside free room";
            }
            owner const last{run.newest(&shared.slot.owner)};
            return last == owner::make(0, slot_phase::free, 7) ? "" : "not freed exactly once";
        };
        return s;
    });
    std::cout << "executions " << result.executions << ", states " << result.states << "\n";
    expect_proof(result);
}

TEST(RoomBell, LosesOneWithoutEitherFence) {
    for (unsigned const thread : {0U, 1U}) {
        auto const result = explore_room(fence_pair::publisher, [thread](access& a) {
            a.skip = is_full_fence(a) && a.thread == thread;
        });
        EXPECT_NE(result.violation, "") << "thread " << thread;
    }
}

TEST(RoomBell, LosesOneThatWaitsForAValueReadAfterTheArming) {
    // The reader may have answered the arming already, for a cursor that was not enough.
    EXPECT_NE(explore_room(fence_pair::publisher, {}, true).violation, "");
}

} // namespace
} // namespace partywall::test::explore
