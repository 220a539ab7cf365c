// SPDX-License-Identifier: BSL-1.0
// How a process that waits through a descriptor (epoll, poll) says so, and how a writer that rings
// a bell learns whom it must wake beyond those who sleep on the bell itself.
//
//   63                                   24 23          0
//   +--------------------------------------+-------------+
//   | generation (40)                      | number (24) |     0: waits through no descriptor
//   +--------------------------------------+-------------+
//
// The number says which pipe of the slot's owner to write to (wake_pipe.hpp). The generation is
// another one at every arming, so a writer tells each waiter once per arming, by what it saw last:
// a waiter that died with its word up costs each writer one attempt, and then nothing for ever.
//
//   waiter                                   ringer, when it found `arm` changed
//   drain the pipe                           rung := ...; futex_wake
//   if it was not empty, or rung is new:     acquire fence
//     wake := {generation, number}           if wake_arm differs from the last one it saw:
//     wake_arm += 1; arm += 1                    for each slot whose wake differs from the last seen:
//   heavy fence; re-check; then poll                 write a byte to that slot owner's pipe
//
// `wake_arm` lies beside `arm`, and spares the ringer the look at every slot while only sleepers
// that use futexes come and go. An inbox, which has one waiter, does without it.
//
// Why no wake-up is lost: the fence pair is the bell's. Either the re-check sees the data, or the
// ringer sees `arm` and everything that was stored before it, and writes a byte after the drain.
// A word may be used up by the very ring that it answers: the ringer looks at the slots after it
// changed `rung`. Then the bell still waits, but nobody would be told of its next ring; the byte of
// the first one tells the waiter so, who cannot know whose it was and says it to all anew.
//
// Callers   the words are the waiter's; any number of ringers, each with a memory of its own.
// Peer dies a ringer killed between its ring and its byte leaves the waiter to its slice.
#pragma once

#include <partywall/segment/atomics.hpp>

#include <cstdint>

namespace partywall::inline v0::detail {

inline constexpr unsigned wake_number_bits = 24;

constexpr std::uint64_t make_wake_word(std::uint64_t generation, std::uint32_t number) noexcept {
    return generation << wake_number_bits | number;
}
constexpr std::uint32_t wake_number(std::uint64_t word) noexcept {
    return static_cast<std::uint32_t>(word) & ((std::uint32_t{1} << wake_number_bits) - 1);
}

/// The waiter's side of one word. Process-private.
template <class Atomics = std_atomics>
class wake_sign {
  public:
    wake_sign() = default;
    /// `arm`: the counter beside the bell's, nullptr where there is only one waiter.
    wake_sign(std::uint64_t& word, std::uint32_t* arm) noexcept : word_(&word), arm_(arm) {}

    explicit operator bool() const noexcept { return word_ != nullptr; }
    /// Before the bell is armed, or the number that is waited for is looked at behind a fence.
    void raise(std::uint64_t word) noexcept {
        number_ = wake_number(word);
        // relaxed: published by the increment, or by the bell's arming.
        Atomics::store(*word_, word, std::memory_order_relaxed);
        if (arm_ != nullptr) {
            // release: pairs with the acquire of who looks at the counter.
            Atomics::fetch_add(*arm_, std::uint32_t{1}, std::memory_order_release);
        }
    }
    /// The bell was armed without it: whoever rings has not been told anew.
    void forget() noexcept { number_ = 0; }
    /// The pipe that it was raised for when the bell was last armed; 0: it was not.
    std::uint32_t number() const noexcept { return number_; }

  private:
    std::uint64_t* word_ = nullptr;
    std::uint32_t* arm_ = nullptr;
    std::uint32_t number_ = 0;
};

/// The ringer's memory of one word.
template <class Atomics = std_atomics>
class wake_memory {
  public:
    /// The number of the pipe of participant `ticket` that must be written to; 0: none.
    std::uint32_t due(std::uint64_t ticket, std::uint64_t const& word) noexcept {
        // acquire: pairs with the release of the counter or of the bell's arming, for the pipe.
        std::uint64_t const now = Atomics::load(word, std::memory_order_acquire);
        if (now == word_ && ticket == ticket_) {
            return 0;
        }
        word_ = now;
        ticket_ = ticket;
        return wake_number(now);
    }

  private:
    std::uint64_t word_ = 0;
    std::uint64_t ticket_ = 0;
};

} // namespace partywall::inline v0::detail
