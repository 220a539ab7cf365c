// SPDX-License-Identifier: BSL-1.0
// The atomics policy for shared words that one thread at a time changes, while others, in other
// processes too, only read them.
#pragma once

#include <partywall/segment/atomics.hpp>

#include <atomic>

namespace partywall::inline v0 {

/// As std_atomics, but nothing that changes a word is a locked instruction: nobody else writes.
/// Where the writer is another thread than before, something else orders the two.
struct lone_atomics : std_atomics {
    template <class Word>
    static bool compare_exchange(Word& word, Word& expected, Word desired) noexcept {
        Word const seen = load(word, std::memory_order_relaxed); // the caller's own
        if (seen != expected) {
            expected = seen;
            return false;
        }
        // release: pairs with the acquire of who looks on.
        store(word, desired, std::memory_order_release);
        return true;
    }
    template <class Word>
    static Word fetch_add(Word& word, Word increment, std::memory_order) noexcept {
        Word const before = load(word, std::memory_order_relaxed); // the caller's own
        store(word, static_cast<Word>(before + increment), std::memory_order_relaxed);
        return before;
    }
};

} // namespace partywall::inline v0
