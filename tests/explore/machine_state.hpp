// SPDX-License-Identifier: BSL-1.0
// What the machine is made of. machine.cpp: what accesses do. held_stores.cpp: what mutations do to
// stores. schedule.cpp: who goes on, what was seen before, and how all ways are gone.
#pragma once

#include "fiber.hpp"
#include "machine.hpp"

#include <random>
#include <unordered_map>
#include <unordered_set>

namespace partywall::test::explore {

/// A store that a mutation keeps back.
struct held_store {
    std::size_t word;
    std::uint64_t value;
    std::memory_order order;
    site where;
    hold_back until;
    bool behind_fence = false;      ///< a fence that releases came after it
    bool behind_full_fence = false; ///< one that also keeps later loads behind it, or was to
};

/// A simulated thread.
struct simulated {
    fiber runs;
    std::function<void()> body;
    bool started = false;
    bool chosen = false; ///< has just been chosen to start: its first access needs no other choice
    bool ended = false;
    bool dead = false;
    int sleep_word = -1; ///< asleep while the newest value of this word is sleep_value
    std::uint64_t sleep_value = 0;
    std::vector<std::size_t> waits_for; ///< asleep until one of these has a newer value
    bool waits = false;
    unsigned peers = 0;        ///< deaths that end the sleep
    unsigned proven = 0;       ///< deaths that this thread knows of
    std::uint64_t history = 0; ///< hash of everything that its accesses returned
    std::vector<held_store> held;
    std::unordered_map<std::uint64_t, unsigned> counts; // only kept for mutations
    std::array<std::uint64_t, words_max> last_load{};
    std::array<bool, words_max> has_loaded{};
};

/// What an execution did, to be told if it broke something.
struct step {
    unsigned thread;
    char const* what;
    std::size_t word; ///< words_max: none
    std::uint64_t value;
    char const* function;
    unsigned line;
};

struct fingerprint_hash {
    std::size_t operator()(fingerprint const& print) const { return print.a; }
};

struct machine::state {
    struct choice {
        unsigned taken;
        unsigned among;
    };
    /// Which choice it is, as part of a state's fingerprint: who goes on, or 1 + the thread that
    /// chooses what its access does.
    static constexpr unsigned who_goes_on = 0;

    weak_memory memory;
    std::array<simulated, threads_max> threads;
    unsigned thread_count = 0;
    unsigned running = 0;
    fiber outside; ///< whoever called explore()
    scenario const* plan = nullptr;
    machine::mutation mutate;
    bounds limits;

    // One execution.
    bool begun = false; ///< somebody was chosen to go first
    unsigned preemptions = 0;
    unsigned deaths = 0;
    bool pruned = false;
    bool restart = false;
    std::string violation;
    std::vector<step> trace;

    // All of them.
    std::vector<choice> choices;
    std::size_t next_choice = 0;
    std::unordered_set<fingerprint, fingerprint_hash> seen;
    std::uint64_t crash_points = 0;
    std::array<std::uint8_t, words_max> users{};   ///< bit per thread that accessed the word
    std::array<std::uint8_t, words_max> writers{}; ///< and that stored to it
    bool random = false;
    std::mt19937_64 dice;

    void reset(scenario const& what);
    void run();
    static void enter();
    [[noreturn]] void leave();
    [[noreturn]] void refuse(char const* what);
    [[noreturn]] void broken(std::string const& what);
    outcome end_of(outcome& result);
    bool judge(scenario const& what);

    // Choices.
    unsigned choose(unsigned among, unsigned stage, unsigned kills = 0, unsigned preferred = 0);
    unsigned roll(unsigned among, unsigned kills, unsigned preferred);
    fingerprint print(unsigned stage) const;
    bool enabled(unsigned thread) const;
    bool others_ended(unsigned thread) const;
    void reschedule();
    void kill(unsigned thread);
    void switch_to(unsigned thread);
    bool may_die(unsigned thread) const;
    unsigned dead() const;
    unsigned gone() const;

    // Accesses.
    simulated& self() { return threads[running]; }
    void returned(std::uint64_t value) { self().history = mix(self().history, value); }
    std::size_t word(void const* address, std::uint64_t raw);
    void use(std::size_t index, bool writes);
    bool local(std::size_t index) const;
    void turn(std::size_t index, bool writes);
    access look(access_kind kind, void const* address, std::memory_order order, site const& where);
    void note(char const* what, site const& where, std::size_t index = words_max,
              std::uint64_t value = 0);
    std::string story() const;
    unsigned pick_from(weak_memory::choices const& from);
    void put(std::size_t index, std::uint64_t value, std::memory_order order, site const& where);
    void put_behind(std::size_t index, unsigned behind, std::uint64_t value,
                    std::memory_order order, bool extends);
    void release_held();
    void before_load(std::size_t index);
    void after(access_kind kind, std::memory_order order, site const& where);
    void passed_fence(bool releases, bool full);
    void sleep();
};

} // namespace partywall::test::explore
