// SPDX-License-Identifier: BSL-1.0
// Wake-ups: nobody sleeps while there is something for it to do, whoever else dies in between.
#include "mistakes.hpp"

#include <partywall/ring/gate.hpp>
#include <partywall/ring/reader_seat.hpp>
#include <partywall/wait/bell.hpp>

namespace partywall::test::explore {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;
using ringer = detail::bell_ringer<explored_atomics>;
using sleeper = detail::bell_sleeper<explored_atomics>;
using gate = detail::gate<explored_atomics>;
using seat = detail::reader_seat<explored_atomics>;

// ---- one bell, one or several ringers -----------------------------------------------------------

struct bell_words {
    std::array<std::uint64_t, 2> data{}; ///< of each ringer
    std::uint32_t arm = 0;
    std::uint32_t rung = 0;
    std::array<std::uint32_t, 2> fencing{}; ///< of each ringer
};

/// Who fences.
enum class fences : std::uint8_t {
    both,  ///< fence_pair::publisher
    light, ///< fence_pair::sleeper, and the ringer never fences
    turns, ///< fence_pair::sleeper, and the ringer fences for a message after it rang
};
fence_pair pair_of(fences who) {
    return who == fences::both ? fence_pair::publisher : fence_pair::sleeper;
}

/// The sleeper's half of the pair, which is no part of the templates: arming::fence().
void fence_of_the_sleeper(machine& run, bell_words const& words, fences who, std::size_t ringers) {
    explored_atomics::fence(std::memory_order_seq_cst, {"waitable.hpp", "fence", 1});
    bool membarrier = who == fences::light;
    for (std::size_t i = 0; who == fences::turns && i < ringers && !membarrier; ++i) {
        membarrier = detail::omits_fence<explored_atomics>(words.fencing[i]);
    }
    if (membarrier) {
        run.heavy_fence({"waitable.hpp", "fence", 2});
    }
}

void ring(bell_words& words, std::size_t lane, std::uint64_t messages, fences who, bool many) {
    std::uint32_t* const fencing = who == fences::turns ? &words.fencing[lane] : nullptr;
    constexpr std::uint32_t fenced = 1;
    ringer bell = many ? ringer::one_of_many(words.arm, words.rung, pair_of(who), fencing, fenced)
                       : ringer(words.arm, words.rung, pair_of(who), fencing, fenced);
    for (std::uint64_t i = 1; i <= messages; ++i) {
        explored_atomics::store(words.data[lane], i, std::memory_order_release);
        bell.ring_if_armed();
    }
}

/// Waits for everything that the ringers will bring.
void wait(machine& run, bell_words& words, std::array<std::uint64_t, 2> expected, fences who) {
    sleeper bell(words.arm, words.rung);
    std::array<std::uint64_t, 2> taken{};
    auto const there = [&] {
        bool more = false;
        for (std::size_t lane = 0; lane < 2; ++lane) {
            if (expected[lane] == 0) {
                continue;
            }
            std::uint64_t const seen =
                explored_atomics::load(words.data[lane], std::memory_order_acquire);
            more = more || seen != taken[lane];
            taken[lane] = seen;
        }
        return more;
    };
    bool armed = false;
    while (taken != expected) {
        run.settle({taken[0], taken[1], armed ? 1U : 0U, bell.rung_word().expected});
        if (there()) {
            continue;
        }
        armed = true;
        if (bell.prepare()) {
            fence_of_the_sleeper(run, words, who, expected[1] == 0 ? 1 : 2);
        }
        if (there()) {
            continue;
        }
        os::futex_word const word = bell.rung_word();
        run.sleep_while(*word.address, word.expected);
    }
}

std::string awake(bool stuck) { return stuck ? "asleep beside its data" : ""; }

/// The second of two sleepers may be killed anywhere.
scenario one_ringer(machine& run, bell_words& words, fences who, std::uint64_t messages,
                    unsigned sleepers, unsigned mortals) {
    words = {};
    scenario s;
    s.threads = {[&words, who, messages] { ring(words, 0, messages, who, false); }};
    for (unsigned i = 0; i < sleepers; ++i) {
        s.threads.push_back([&run, &words, who, messages] {
            wait(run, words, {messages, 0}, who);
        });
    }
    s.mortals = mortals;
    s.deaths_max = 1;
    s.ghost = [] { return std::uint64_t{0}; };
    s.at_end = awake;
    return s;
}

/// An inbox: two senders with a lane each, one receiver, one bell.
scenario two_ringers(machine& run, bell_words& words, fences who, std::uint64_t first,
                     std::uint64_t second) {
    words = {};
    scenario s;
    s.threads = {[&run, &words, who, first, second] {
                     wait(run, words, {first, second}, who);
                 },
                 [&words, who, first] { ring(words, 0, first, who, true); },
                 [&words, who, second] { ring(words, 1, second, who, true); }};
    s.at_end = awake;
    return s;
}

/// Who sees the ring sees the data that it was rung for, fence or no fence.
scenario seen_with_the_ring(machine& run, bell_words& words, bool many) {
    words = {};
    scenario s;
    s.threads = {[&words, many] { ring(words, 0, 1, fences::light, many); },
                 [&run, &words] {
                     sleeper bell(words.arm, words.rung);
                     bell.prepare();
                     bool const rung = bell.prepare() && bell.rung_word().expected != 0;
                     if (rung && explored_atomics::load(words.data[0], relaxed) == 0) {
                         run.fail("rung for data that cannot be seen");
                     }
                 }};
    return s;
}

// ---- the bell for room --------------------------------------------------------------------------

struct room {
    detail::ring_control control;
    detail::reader_slot slot;
};
constexpr std::uint64_t cells = 2;
constexpr owner reader_ticket = owner::make(7, slot_phase::ready, 5);

void clear(room& shared) {
    shared = {};
    shared.slot.owner = reader_ticket.word;
    shared.slot.cursor = detail::cursor_at(0);
}

/// As writing_end::sleep_for_room() does it.
void write_and_wait(machine& run, room& shared, std::uint64_t messages, bool late = false) {
    gate ahead(shared.control, &shared.slot, 1, cells, 0);
    for (std::uint64_t p = 0; p != messages; ++p) {
        gate::laggard held_by;
        while (!ahead.open(p) && !ahead.scan(p, held_by)) {
            // Only the writer writes room_arm.
            add_to_own<explored_atomics>(shared.control.room_arm, 1);
            run.heavy_fence({"writing_end.cpp", "sleep_for_room", 1});
            gate::laggard again;
            if (ahead.scan(p, again) || again.slot != held_by.slot || again.seen != held_by.seen) {
                continue;
            }
            run.sleep_while(shared.slot.freed, late ? again.freed : held_by.freed);
        }
    }
}

/// Gives back so many cells one by one and stays, or leaves before one of them.
void give_room(machine& run, room& shared, std::uint64_t messages, fence_pair pair) {
    seat place(shared.slot, shared.control, reader_ticket, pair);
    for (std::uint64_t p = 1; p <= messages; ++p) {
        if (run.pick(2) == 1) {
            place.leave();
            return;
        }
        place.publish_cursor(p);
    }
}

std::string room_left(bool stuck) { return stuck ? "asleep beside free room" : ""; }

scenario waits_for_room(machine& run, room& shared, fence_pair pair, std::uint64_t messages,
                        bool late = false) {
    clear(shared);
    scenario s;
    s.threads = {[&run, &shared, messages, late] { write_and_wait(run, shared, messages, late); },
                 [&run, &shared, pair, messages] {
                     give_room(run, shared, messages - cells, pair); // as many as it needs
                 }};
    s.at_end = room_left;
    return s;
}

/// The slot of a dead reader is taken while the writer sleeps on it; two try.
scenario reclaimed(machine& run, room& shared) {
    clear(shared);
    scenario s;
    s.threads = {[&run, &shared] { write_and_wait(run, shared, 4); },
                 [&shared] { seat::reclaim(shared.slot, reader_ticket, 9); },
                 [&shared] { seat::reclaim(shared.slot, reader_ticket, 11); }};
    s.at_end = [&run, &shared](bool stuck) -> std::string {
        if (stuck) {
            return room_left(stuck);
        }
        owner const last{run.now(shared.slot.owner)};
        return last == owner::make(0, slot_phase::free, 7) ? "" : "not freed exactly once";
    };
    return s;
}

} // namespace

named_scenario room_bell_with_a_late_value() {
    return name_scenario<room>("", [](machine& run, room& shared) {
        return waits_for_room(run, shared, fence_pair::publisher, 4, true);
    });
}

scenarios bell_scenarios(bool large) {
    scenarios list;
    auto const two = static_cast<std::uint64_t>(large ? 2 : 1);
    auto const three = static_cast<std::uint64_t>(large ? 3 : 2);
    for (auto const& [name, which] :
         {std::pair{"Fences", fences::both}, std::pair{"LightAndHeavy", fences::light},
          std::pair{"TakesTurns", fences::turns}}) {
        auto const add = [&, named = name](char const* what, auto make) {
            list.push_back(name_scenario<bell_words>(std::string(what) + named, make));
        };
        add("Bell", [who = which](machine& run, bell_words& words) {
            return one_ringer(run, words, who, 3, 1, 0);
        });
        add("BellTwoSleepersOneDies", [who = which, two](machine& run, bell_words& words) {
            return one_ringer(run, words, who, two, 2, 4);
        });
        // Each that may fence is a state of its own more: one message less.
        std::uint64_t const second = three - (which == fences::turns ? 1 : 0);
        add("BellTwoRingers", [who = which, second](machine& run, bell_words& words) {
            return two_ringers(run, words, who, 1, second);
        });
    }
    for (auto const& [name, which] : {std::pair{"Fences", fence_pair::publisher},
                                      std::pair{"LightAndHeavy", fence_pair::sleeper}}) {
        list.push_back(name_scenario<room>(
            std::string("RoomBell") + name, [pair = which, large](machine& run, room& shared) {
                return waits_for_room(run, shared, pair, large ? 4 : 3);
            }));
    }
    for (bool const many : {false, true}) {
        list.push_back(
            name_scenario<bell_words>(many ? "BellRungByManyMeansData" : "BellRungMeansData",
                                      [many](machine& run, bell_words& words) {
                                          return seen_with_the_ring(run, words, many);
                                      }));
    }
    list.push_back(
        name_scenario<bell_words>("BellTwoSleepers", [](machine& run, bell_words& words) {
            return one_ringer(run, words, fences::light, 2, 2, 0);
        }));
    list.push_back(
        name_scenario<bell_words>("BellTwoSleepersTakesTurns", [](machine& run, bell_words& words) {
            return one_ringer(run, words, fences::turns, 2, 2, 0);
        }));
    list.push_back(name_scenario<room>(
        "RoomBellReclaimed", [](machine& run, room& shared) { return reclaimed(run, shared); }));
    return list;
}

} // namespace partywall::test::explore
