// SPDX-License-Identifier: BSL-1.0
// The simulated memory: what a load may return and where a store may land under the C++ memory
// orders, for a handful of threads and words.
//
// It is the usual view machine. A word is the list of all values that were ever stored to it, in
// their modification order. What a thread *knows* is, word by word, the oldest value that it may
// still read; release and acquire carry that knowledge, seq_cst fences pass it through one common
// view. A load may return any value that is not older than what its thread knows; a store may be
// placed anywhere behind that, not only at the end; a read-modify-write stays behind the value that
// it read. So every behaviour of RC11 without seq_cst accesses is there. What RC11 forbids and C++
// allows is not: a load that is delayed past a later store of its own thread (load buffering), and
// values out of thin air.
//
// Reads in place, of memory that is not atomic, are watched for races: a view also carries how
// many such reads of each thread happened before.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace partywall::test::explore {

inline constexpr std::size_t words_max = 76;
inline constexpr unsigned threads_max = 4;

/// For every word the index of the oldest value that may still be read; behind them, for every
/// thread how many of its reads in place are known to have happened.
using view = std::array<std::uint8_t, words_max + threads_max>;

/// What two executions have in common if their futures are the same, in 128 bits.
struct fingerprint {
    std::uint64_t a = 1;
    std::uint64_t b = 2;
    void add(std::uint64_t value);
    bool operator==(fingerprint const&) const = default;
};
std::uint64_t mix(std::uint64_t hash, std::uint64_t value);

constexpr bool acquires(std::memory_order order) {
    return order == std::memory_order_acquire || order == std::memory_order_acq_rel ||
           order == std::memory_order_seq_cst;
}
constexpr bool releases(std::memory_order order) {
    return order == std::memory_order_release || order == std::memory_order_acq_rel ||
           order == std::memory_order_seq_cst;
}

class weak_memory {
  public:
    /// Values of one word that an access may read, newest first, as indices in its list.
    struct choices {
        std::array<std::uint8_t, 256> index;
        unsigned count = 0;
    };

    /// Forgets all values; words keep their numbers.
    void reset(unsigned thread_count);
    /// The number of a word; `raw` is its first value. words_max: there are too many.
    std::size_t word(void const* address, std::uint64_t raw);
    /// words_max: nobody used it.
    std::size_t find(void const* address) const;
    std::uint64_t newest(std::size_t index) const { return words_[index].back().value; }
    bool used(std::size_t index) const { return !words_[index].empty(); }
    bool full(std::size_t index) const { return words_[index].size() > 250; }
    /// Whether there is a value that `thread` does not know of.
    bool has_newer(unsigned thread, std::size_t index) const {
        return threads_[thread].current[index] + 1U < words_[index].size();
    }

    void readable(unsigned thread, std::size_t index, choices& out) const;
    /// What a store of the thread may land behind.
    void writable(unsigned thread, std::size_t index, choices& out) const;
    /// What a strong compare-exchange may read: as above where it succeeds, as a load elsewhere.
    void exchangeable(unsigned thread, std::size_t index, std::uint64_t expected,
                      choices& out) const;

    std::uint64_t value(std::size_t index, unsigned at) const { return words_[index][at].value; }
    std::uint64_t read(unsigned thread, std::size_t index, unsigned at, std::memory_order order);
    /// Puts a value behind number `behind`. False: it overwrites what is being read in place.
    bool write(unsigned thread, std::size_t index, unsigned behind, std::uint64_t value,
               std::memory_order order, bool extends);
    /// False: what stands there is not ordered before the read.
    bool read_in_place(unsigned thread, std::size_t index);

    /// Not seq_cst.
    void fence(unsigned thread, std::memory_order order);
    void full_fence(unsigned thread);
    void full_fence_everywhere(unsigned thread);
    /// The kernel compared with the newest value: nothing older can be read afterwards.
    void catch_up(unsigned thread, std::size_t index);
    /// Everything that `other` did happened before.
    void learn_all_of(unsigned thread, unsigned other);

    /// `gone`: bit per thread that does nothing any more.
    void add_to(fingerprint& print, unsigned gone) const;

  private:
    struct message {
        std::uint64_t value;
        view known;   ///< what an acquiring reader learns
        bool extends; ///< belongs to a read-modify-write: stays behind the value before it
    };
    struct knowledge {
        view current{};    ///< what the thread knows
        view acquirable{}; ///< what its relaxed loads would have taught it: for acquire fences
        view released{};   ///< what it knew at its last release fence
    };

    void make_room(std::size_t index, unsigned at);

    std::vector<void const*> addresses_; // by number
    std::vector<std::vector<message>> words_;
    std::array<knowledge, threads_max> threads_;
    std::array<std::array<std::uint8_t, words_max>, threads_max> in_place_{};
    unsigned thread_count_ = 0;
    bool reads_in_place_ = false;
    view common_{}; ///< what seq_cst fences pass on
};

} // namespace partywall::test::explore
