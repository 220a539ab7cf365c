// SPDX-License-Identifier: BSL-1.0
// An explorer. It runs the library's own templates on a simulated memory (weak_memory.hpp), as two
// to four simulated threads that may be killed at any access, through every interleaving and every
// value that a load may return under the C++ memory orders, and says which schedule breaks what
// the scenario checks.
//
// Scenarios must be deterministic: what a thread does next depends only on what its accesses
// returned. States that were seen before are not explored twice, and the accesses to words that
// only one thread uses, or that nobody writes, are not told apart from what others do meanwhile.
#pragma once

#include "access.hpp"
#include "weak_memory.hpp"

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

namespace partywall::test::explore {

struct scenario {
    std::vector<std::function<void()>> threads;
    /// Runs after every execution; `stuck`: every thread that lives and has not ended is asleep.
    /// What it returns is what broke, if anything did.
    std::function<std::string(bool stuck)> at_end;
    /// Bit per thread that may be killed before any of its accesses, and how many may be.
    unsigned mortals = 0;
    unsigned deaths_max = 0;
    /// What of the dead matters to at_end besides memory, as a number. Without it everything that
    /// a dead thread saw is taken to matter.
    std::function<std::uint64_t()> ghost;
};

struct bounds {
    static constexpr unsigned unbounded = ~0U;
    std::uint64_t executions_max = 50'000'000;
    /// How often a thread that could go on may be interrupted. More is not explored.
    unsigned preemptions_max = unbounded;
    /// Sequentially consistent memory: only interleavings.
    bool strong = false;
};

struct outcome {
    std::uint64_t executions = 0;
    std::uint64_t states = 0;
    std::uint64_t crash_points = 0; ///< states in which a thread was killed
    std::string violation;  ///< empty: none. Else what broke, and the schedule that broke it
    bool complete = false;  ///< everything within the bounds was explored
    std::uint64_t seed = 0; ///< sample(): what gives the last execution again
};
/// Prints the numbers.
void say(std::string const& what, outcome const& result);
/// The first line of what broke.
std::string first_line(std::string const& violation);

/// A word and its first value.
struct word_ref {
    void const* address;
    std::uint64_t raw;
    template <class Word>
    word_ref(Word const& word) : address(&word), raw(word) {}
};

class machine {
  public:
    using mutation = std::function<void(access&)>;

    machine();
    ~machine();
    machine(machine const&) = delete;
    machine& operator=(machine const&) = delete;

    /// Explores until the first violation or `limits.executions_max`. `make` is called once per
    /// execution: it sets the words to their first values, always at the same addresses.
    outcome explore(std::function<scenario()> const& make, mutation const& mutate = {},
                    bounds const& limits = {});
    /// So many random executions. Execution i is the one that sample(make, seed + i, 1) gives.
    outcome sample(std::function<scenario()> const& make, std::uint64_t seed,
                   std::uint64_t executions, mutation const& mutate = {},
                   bounds const& limits = {});

    // For scenarios, inside their threads.
    /// Ends the exploration: the scenario's promise is broken.
    [[noreturn]] void fail(std::string const& what);
    /// Goes every way: 0 to among - 1.
    unsigned pick(unsigned among);
    /// Like futex_wait: sleeps while the newest value of `word` is `expected`, and none of the
    /// threads in `peers` (a bit each) has died that was not yet proven_dead() to this one.
    void sleep_while(std::uint32_t const& word, std::uint32_t expected, unsigned peers = 0);
    /// Sleeps until one of `words` has a value that this thread does not know of, or one of `peers`
    /// has died as above, or all others ended (then: false). Whoever polls in a loop is asleep
    /// between two looks that differ.
    bool wait_for_newer(std::initializer_list<word_ref> words, unsigned peers = 0);
    /// The proof that the kernel gives: everything that a dead thread did happened before.
    bool proven_dead(unsigned thread, site where = site::here());
    /// Says that what this thread does from here on, and what its end is judged by, depends on
    /// memory and these numbers alone, not on whatever else it has read: fewer states.
    void settle(std::initializer_list<std::uint64_t> numbers);
    /// The heavy half of an asymmetric fence: a seq_cst fence in every thread.
    void heavy_fence(site where = site::here());
    /// A read of memory that is not atomic. It must be ordered after what it reads, and before
    /// whatever overwrites it.
    template <class Word>
    Word read_in_place(Word const& word, site where = site::here()) {
        return static_cast<Word>(load_in_place(&word, word, where));
    }

    // For at_end, and for checks that no thread could make.
    std::uint64_t newest(void const* word) const;
    /// The same of a word that may not have been used yet.
    template <class Word>
    Word now(Word const& word) const {
        return static_cast<Word>(newest_or(&word, word));
    }
    bool is_dead(unsigned thread) const;

    // For the policy.
    static machine& current();
    std::uint64_t load(void const* word, std::uint64_t raw, std::memory_order order,
                       site const& where);
    void store(void const* word, std::uint64_t raw, std::uint64_t value, std::memory_order order,
               site const& where);
    bool compare_exchange(void const* word, std::uint64_t raw, std::uint64_t& expected,
                          std::uint64_t desired, site const& where);
    std::uint64_t fetch_add(void const* word, std::uint64_t raw, std::uint64_t increment,
                            std::memory_order order, site const& where);
    void fence(std::memory_order order, site const& where);
    void compiler_fence(site const& where);

  private:
    std::uint64_t load_in_place(void const* word, std::uint64_t raw, site const& where);
    std::uint64_t newest_or(void const* word, std::uint64_t raw) const;
    struct state;
    std::unique_ptr<state> state_;
};

/// The atomics policy that runs on the current machine.
struct explored_atomics {
    template <class Word>
    static Word load(Word const& word, std::memory_order order, site where = site::here()) {
        return static_cast<Word>(machine::current().load(&word, word, order, where));
    }
    template <class Word>
    static void store(Word& word, Word value, std::memory_order order, site where = site::here()) {
        machine::current().store(&word, word, value, order, where);
    }
    template <class Word>
    static bool compare_exchange(Word& word, Word& expected, Word desired,
                                 site where = site::here()) {
        std::uint64_t seen = expected;
        bool const done = machine::current().compare_exchange(&word, word, seen, desired, where);
        expected = static_cast<Word>(seen);
        return done;
    }
    template <class Word>
    static Word fetch_add(Word& word, Word increment, std::memory_order order,
                          site where = site::here()) {
        return static_cast<Word>(
            machine::current().fetch_add(&word, word, increment, order, where));
    }
    static void fence(std::memory_order order, site where = site::here()) {
        machine::current().fence(order, where);
    }
    static void compiler_fence(site where = site::here()) {
        machine::current().compiler_fence(where);
    }
};

} // namespace partywall::test::explore
