// SPDX-License-Identifier: BSL-1.0
#include "machine_state.hpp"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <utility>

namespace partywall::test::explore {

void say(std::string const& what, outcome const& result) {
    std::cout << what << ": " << result.executions << " schedules, " << result.states << " states, "
              << result.crash_points << " crash points\n";
}

std::string first_line(std::string const& violation) {
    return violation.substr(0, violation.find('\n'));
}

void machine::state::reset(scenario const& what) {
    plan = &what;
    thread_count = static_cast<unsigned>(what.threads.size());
    memory.reset(thread_count);
    next_choice = 0;
    running = 0;
    begun = pruned = restart = false;
    preemptions = deaths = 0;
    violation.clear();
    trace.clear();
    for (unsigned i = 0; i < thread_count; ++i) {
        simulated& thread = threads[i];
        thread.body = what.threads[i];
        thread.started = thread.chosen = thread.ended = thread.dead = thread.waits = false;
        thread.sleep_word = -1;
        thread.peers = thread.proven = 0;
        thread.history = 0;
        thread.held.clear();
        thread.counts.clear();
        thread.has_loaded = {};
        thread.runs.rewind(&state::enter);
    }
}

void machine::state::enter() {
    state& me = *machine::current().state_;
    me.self().body();
    me.release_held();
    me.self().ended = true;
    me.reschedule();
    me.leave(); // never scheduled again
}

void machine::state::run() {
    threads[0].started = true;
    threads[0].runs.resume(outside);
}

void machine::state::leave() {
    outside.resume(self().runs);
    std::abort();
}

/// A scenario that this machine cannot run. Not an exception: those do not cross stacks.
void machine::state::refuse(char const* what) {
    violation = what;
    leave();
}

void machine::state::broken(std::string const& what) {
    violation = what + story();
    leave();
}

// ---- choices ------------------------------------------------------------------------------------

/// The last `kills` of the options kill somebody.
unsigned machine::state::choose(unsigned among, unsigned stage, unsigned kills,
                                unsigned preferred) {
    if (among == 1) {
        return 0;
    }
    if (random) {
        return roll(among, kills, preferred);
    }
    if (next_choice == choices.size()) {
        if (!seen.insert(print(stage)).second) {
            pruned = true;
            leave();
        }
        crash_points += kills;
        choices.push_back({0, among});
    }
    if (choices[next_choice].among != among) {
        refuse("the scenario is not deterministic");
    }
    return choices[next_choice++].taken;
}

unsigned machine::state::roll(unsigned among, unsigned kills, unsigned preferred) {
    constexpr std::uint64_t one_in = 4;
    if (kills != 0 && dice() % (8 * one_in) == 0) {
        crash_points += 1;
        return among - 1 - static_cast<unsigned>(dice() % kills);
    }
    if (among == kills || dice() % one_in != 0) {
        return std::min(preferred, among - 1);
    }
    return static_cast<unsigned>(dice() % (among - kills));
}

unsigned machine::state::dead() const {
    unsigned bits = 0;
    for (unsigned i = 0; i < thread_count; ++i) {
        bits |= threads[i].dead ? 1U << i : 0;
    }
    return bits;
}

/// A bit per thread that does nothing any more.
unsigned machine::state::gone() const {
    unsigned bits = dead();
    for (unsigned i = 0; i < thread_count; ++i) {
        bits |= threads[i].ended ? 1U << i : 0;
    }
    return bits;
}

fingerprint machine::state::print(unsigned stage) const {
    fingerprint p;
    p.add(stage);
    memory.add_to(p, gone());
    for (unsigned i = 0; i < thread_count; ++i) {
        simulated const& thread = threads[i];
        p.add(thread.dead && plan->ghost ? 0 : thread.history);
        p.add(static_cast<std::uint64_t>(thread.sleep_word + 1) * 16 + (thread.ended ? 1 : 0) +
              (thread.waits ? 2 : 0) + (thread.dead ? 4 : 0));
        p.add(thread.held.size());
        for (held_store const& h : thread.held) {
            p.add(h.word * 4 + (h.behind_fence ? 1 : 0) + (h.behind_full_fence ? 2 : 0));
            p.add(h.value);
        }
    }
    if (plan->ghost) {
        p.add(plan->ghost());
    }
    if (limits.preemptions_max != bounds::unbounded) {
        p.add(preemptions * threads_max + running);
    }
    return p;
}

bool machine::state::others_ended(unsigned thread) const {
    return (gone() | 1U << thread) == (1U << thread_count) - 1;
}

bool machine::state::enabled(unsigned thread) const {
    simulated const& it = threads[thread];
    if (it.ended || it.dead) {
        return false;
    }
    bool const asleep = it.waits || it.sleep_word >= 0;
    if (!asleep || (dead() & it.peers & ~it.proven) != 0) {
        return true;
    }
    if (it.sleep_word >= 0) {
        return memory.newest(static_cast<std::size_t>(it.sleep_word)) != it.sleep_value;
    }
    return others_ended(thread) ||
           std::any_of(it.waits_for.begin(), it.waits_for.end(),
                       [&](std::size_t w) { return memory.has_newer(thread, w); });
}

bool machine::state::may_die(unsigned thread) const {
    return (plan->mortals >> thread & 1) != 0 && deaths < plan->deaths_max &&
           !threads[thread].ended && !threads[thread].dead;
}

void machine::state::kill(unsigned thread) {
    deaths += 1;
    threads[thread].dead = true;
    threads[thread].held.clear();
    trace.push_back({thread, "is killed", words_max, 0, "", 0});
}

/// Called by a thread before its accesses: another may go first, and whoever is mortal may die.
void machine::state::reschedule() {
    if (std::exchange(self().chosen, false)) {
        return; // the same choice again would look like a state that was seen before
    }
    for (;;) {
        std::array<unsigned, threads_max> ready{};
        std::array<unsigned, threads_max> mortal{};
        unsigned count = 0;
        unsigned kills = 0;
        unsigned preferred = 0;
        bool const stays = begun && enabled(running);
        bool const must_stay = stays && preemptions >= limits.preemptions_max;
        for (unsigned i = 0; i < thread_count; ++i) {
            if (enabled(i) && (!must_stay || i == running)) {
                preferred = i == running ? count : preferred;
                ready[count++] = i;
            }
            if (may_die(i)) {
                mortal[kills++] = i;
            }
        }
        // Where nobody is ready it ends, unless somebody dies.
        unsigned const ways = std::max(count, 1U);
        if (count + kills == 0) {
            leave();
        }
        unsigned const taken = choose(ways + kills, who_goes_on, kills, preferred);
        if (taken >= ways) {
            kill(mortal[taken - ways]);
            continue;
        }
        if (count == 0) {
            leave();
        }
        preemptions += stays && ready[taken] != running ? 1 : 0;
        begun = true;
        switch_to(ready[taken]);
        return;
    }
}

void machine::state::switch_to(unsigned thread) {
    if (thread == running) {
        return;
    }
    unsigned const before = running;
    running = thread;
    threads[thread].chosen = !threads[thread].started;
    threads[thread].started = true;
    threads[thread].runs.resume(threads[before].runs);
}

// ---- all ways -----------------------------------------------------------------------------------

/// Whether the execution that just ended broke something.
bool machine::state::judge(scenario const& what) {
    if (violation.empty() && !pruned && what.at_end) {
        bool stuck = false;
        for (unsigned i = 0; i < thread_count; ++i) {
            stuck = stuck || (!threads[i].ended && !threads[i].dead);
        }
        if (std::string const wrong = what.at_end(stuck); !wrong.empty()) {
            violation = wrong + story();
        }
    }
    return !violation.empty();
}

outcome machine::state::end_of(outcome& result) {
    result.states = seen.size();
    result.crash_points = crash_points;
    result.violation = violation;
    return result;
}

namespace {

void check(scenario const& what) {
    if (what.threads.empty() || what.threads.size() > threads_max) {
        throw std::invalid_argument("one to four threads");
    }
}

} // namespace

outcome machine::explore(std::function<scenario()> const& make, mutation const& mutate,
                         bounds const& limits) {
    state& s = *state_;
    s.mutate = mutate;
    s.limits = limits;
    s.random = false;
    s.choices.clear();
    s.seen.clear();
    s.users = s.writers = {};
    s.crash_points = 0;
    outcome result;
    while (result.executions < limits.executions_max) {
        scenario const what = make();
        check(what);
        s.reset(what);
        s.run();
        result.executions += 1;
        if (s.restart) { // a word that was taken for one thread's own is not: from the beginning
            s.choices.clear();
            s.seen.clear();
            s.crash_points = 0;
            continue;
        }
        if (s.judge(what)) {
            return s.end_of(result);
        }
        while (!s.choices.empty() && s.choices.back().taken + 1 == s.choices.back().among) {
            s.choices.pop_back();
        }
        if (s.choices.empty()) {
            result.complete = true;
            return s.end_of(result);
        }
        s.choices.back().taken += 1;
    }
    return s.end_of(result);
}

outcome machine::sample(std::function<scenario()> const& make, std::uint64_t seed,
                        std::uint64_t executions, mutation const& mutate, bounds const& limits) {
    state& s = *state_;
    s.mutate = mutate;
    s.limits = limits;
    s.random = true;
    s.seen.clear();
    s.users.fill(0xff); // every word may be anybody's
    s.writers.fill(0xff);
    s.crash_points = 0;
    outcome result;
    for (std::uint64_t i = 0; i < executions; ++i) {
        result.seed = seed + i;
        s.dice.seed(result.seed);
        scenario const what = make();
        check(what);
        s.reset(what);
        s.run();
        result.executions += 1;
        if (s.judge(what)) {
            s.violation += "  seed " + std::to_string(result.seed) + "\n";
            break;
        }
    }
    return s.end_of(result);
}

} // namespace partywall::test::explore
