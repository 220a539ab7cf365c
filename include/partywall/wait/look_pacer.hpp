// SPDX-License-Identifier: BSL-1.0
// How long a reader that has caught up with a busy writer leaves it alone before it looks again,
// learned from how fast messages come with and without.
//
// A reader that is faster than its writer looks at each cell just while it is being written. Every
// such look takes the line away from the writer in mid-message, and both wait for lines all the
// time. If the reader lets some messages gather first, the lines of several travel at once. How much
// that is worth depends on how long a line takes from one processor to the other, which is a matter
// of where both happen to run; and it is worth nothing if the writer itself waits for the reader's
// answers. So it is tried out: some pauses of each length, none among them; the length with which a
// message took least is kept for a while, if it gained enough.
//
// Use when  a look finds nothing, directly behind several messages of one writer.
// Callers   the endpoint that reads, one thread at a time. All times are told to it.
// Cost      of a try: five lengths, `pauses_per_try` pauses of each. No heap, no system call.
//
// Invariants
//   I1  No pause follows fewer than `burst` messages: whoever sends one and waits for the answer,
//       never pays.
//   I2  No pause is longer than the longest length.
//   I3  Time in which nothing came for long is not counted: it says nothing of a busy writer.
#pragma once

#include <partywall/export.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace partywall::inline v0::detail {

class PARTYWALL_API look_pacer {
  public:
    static constexpr std::uint64_t burst = 4;
    static constexpr std::array<std::uint64_t, 5> lengths_ns{0, 100, 200, 400, 800};
    static constexpr std::uint32_t pauses_per_try = 16;

    /// A look found nothing at `now_ns`, after `run` messages since the last one that did. Returns
    /// for how long not to look.
    std::uint64_t pause_ns(std::uint64_t run, std::uint64_t now_ns) noexcept;

  private:
    struct outcome {
        std::uint64_t messages = 0;
        std::uint64_t ns = 0;
    };
    void choose() noexcept;

    std::array<outcome, lengths_ns.size()> tried_{};
    std::uint64_t last_ns_ = 0; ///< when the last run ended
    std::size_t length_ = 0;    ///< at present
    std::uint32_t left_ = 0;    ///< pauses until the next length is tried, or a try begins
    std::size_t kept_ = 0;      ///< the last choice
    std::uint32_t keeps_ = 0;   ///< how many pauses it is kept for
    bool trying_ = false;
};

} // namespace partywall::inline v0::detail
