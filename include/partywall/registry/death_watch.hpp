// SPDX-License-Identifier: BSL-1.0
// Process descriptors of the peers whose death a wait_descriptor has to tell of.
//
// They are a hint, as the life word is: what is said to have ended is looked at. The kernel makes
// them readable when it has taken the process apart, that is, after it marked the life word: 0.1 to
// 1 ms after the kill of a small process, some 13 ms after that of one of 200 MiB. So of a process that
// has much memory they tell late, and who sleeps looks at its life word in the meantime.
//
// Invariants
//   I1  One that has become readable is out of the epoll instance before that is polled again: it
//       would be readable for ever.
//   I2  A peer that cannot be told of is not tried again while it is listened for; the slices do.
//   I3  How much memory each has is asked when it is first listened for, and again in turn: of one
//       process per look_every_ns, so that it costs the same for any number of them; of those that had
//       much, seldom.
//
// Callers   the thread that uses the owner.
// Memory    one descriptor per process, at most processes_told_max.
#pragma once

#include <partywall/export.hpp>
#include <partywall/os/unique_fd.hpp>
#include <partywall/wait/waitable.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace partywall::inline v0::detail {

class death_watch final : public death_bell {
  public:
    /// In the tags of the epoll instance; the ticket is below.
    static constexpr std::uint64_t tag_bit = std::uint64_t{1} << 63;

    /// Throws std::bad_alloc. `own`: whose end needs no telling.
    void open(int epoll, std::uint64_t own);
    death_notice listen_for(life_sign const& peer) noexcept override;
    /// An event has come with this tag.
    void ended(std::uint64_t tag) noexcept;
    /// Those not listened for since the last time are forgotten. After every arming.
    void forget_others() noexcept;

    /// As long as it takes to tear down more than this, looking finds the death sooner.
    static constexpr std::uint64_t memory_told_soon_max = std::uint64_t{64} << 20;
    /// Once per slice of those that are told.
    static constexpr std::uint64_t look_every_ns = slice::told_ns / 2;
    /// Who had much is not asked sooner: that it has grown would matter, that it has shrunk does not.
    static constexpr std::uint64_t shrunk_after_ns = 1'000'000'000;

  private:
    struct told {
        std::uint64_t ticket;
        os::unique_fd process; ///< empty: it has ended, or cannot be had (I2)
        int pid;
        bool wanted;
        bool large;
        std::uint64_t asked_ns; ///< when it was last asked how much it has
    };
    void look_at_next() noexcept;
    void let_go(told& one) const noexcept;

    int epoll_ = -1;
    std::uint64_t own_ = 0;
    std::uint64_t looked_ns_ = 0;
    std::size_t next_ = 0; ///< whose memory is asked for next
    std::vector<told> all_;
};

} // namespace partywall::inline v0::detail
