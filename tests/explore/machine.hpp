// SPDX-License-Identifier: BSL-1.0
// A small exhaustive explorer. It runs the library's own templates on a simulated memory, as
// two or three simulated threads, through every interleaving and every value that a load may
// return under the C++ memory orders, and says which schedule breaks what the scenario checks.
//
// The memory is the usual view machine: a word is the list of all values that were stored to it;
// a thread knows, word by word, the oldest value that it may still read; release and acquire
// carry that knowledge, seq_cst fences pass it through one common view. Every load may return
// any value that is not older than what its thread knows. Not modelled: values out of thin air
// and loads that are delayed past later stores of their own thread (load buffering).
//
// Scenarios must be deterministic: what a thread does next depends only on what its accesses
// returned. States that were seen before are not explored twice.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace partywall::test::explore {

enum class access_kind : std::uint8_t { load, store, exchange, add, fence };

/// One access, as a mutation sees it. A mutation breaks the code under test on purpose.
struct access {
    unsigned thread = 0;
    access_kind kind = access_kind::load;
    void const* address = nullptr; ///< nullptr for fences
    std::memory_order order = std::memory_order_relaxed;
    unsigned nth = 0;    ///< how often this thread made this kind of access to this word before
    bool skip = false;   ///< fences: leave it out
    bool repeat = false; ///< loads: return what the one before returned
};

struct scenario {
    std::vector<std::function<void()>> threads;
    /// Runs after every execution; `stuck`: every thread that has not ended is asleep. What it
    /// returns is what broke, if anything did.
    std::function<std::string(bool stuck)> at_end;
};

struct outcome {
    std::uint64_t executions = 0;
    std::uint64_t states = 0;
    std::string violation; ///< empty: none. Else what broke, and the schedule that broke it
    bool complete = false; ///< everything was explored
};

class machine {
  public:
    machine();
    ~machine();
    machine(machine const&) = delete;
    machine& operator=(machine const&) = delete;

    /// Explores until the first violation or `executions_max`. `make` is called once per
    /// execution: it sets the words to their first values, always at the same addresses.
    outcome explore(std::function<scenario()> const& make,
                    std::function<void(access&)> const& mutate = {},
                    std::uint64_t executions_max = 20'000'000);

    // For scenarios, inside their threads.
    /// Ends the exploration: the scenario's promise is broken.
    [[noreturn]] void fail(std::string const& what);
    /// Goes every way: 0 to among - 1. Whether a thread dies here, for one.
    unsigned pick(unsigned among);
    /// Like futex_wait: sleeps while the newest value of `word` is `expected`.
    void sleep_while(std::uint32_t const& word, std::uint32_t expected);
    /// Sleeps until another thread stored something, or all others ended (then: false).
    bool wait_for_change();
    /// The heavy half of an asymmetric fence: a seq_cst fence in every thread.
    void heavy_fence();

    // For at_end, and for checks that no thread could make.
    std::uint64_t newest(void const* word) const;

    // For the policy.
    static machine& current();
    std::uint64_t load(void const* word, std::uint64_t raw, std::memory_order order);
    void store(void const* word, std::uint64_t raw, std::uint64_t value, std::memory_order order);
    bool compare_exchange(void const* word, std::uint64_t raw, std::uint64_t& expected,
                          std::uint64_t desired);
    std::uint64_t fetch_add(void const* word, std::uint64_t raw, std::uint64_t increment,
                            std::memory_order order);
    void fence(std::memory_order order);

  private:
    struct state;
    std::unique_ptr<state> state_;
};

/// The atomics policy that runs on the current machine.
struct explored_atomics {
    template <class Word>
    static Word load(Word const& word, std::memory_order order) {
        return static_cast<Word>(machine::current().load(&word, word, order));
    }
    template <class Word>
    static void store(Word& word, Word value, std::memory_order order) {
        machine::current().store(&word, word, value, order);
    }
    template <class Word>
    static bool compare_exchange(Word& word, Word& expected, Word desired) {
        std::uint64_t seen = expected;
        bool const done = machine::current().compare_exchange(&word, word, seen, desired);
        expected = static_cast<Word>(seen);
        return done;
    }
    template <class Word>
    static Word fetch_add(Word& word, Word increment, std::memory_order order) {
        return static_cast<Word>(machine::current().fetch_add(&word, word, increment, order));
    }
    static void fence(std::memory_order order) { machine::current().fence(order); }
    static void compiler_fence() {}
};

} // namespace partywall::test::explore
