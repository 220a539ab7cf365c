// SPDX-License-Identifier: BSL-1.0
// One-way traffic of those who live on: an inbox and the books about it, and ways to the inboxes of
// others.
#pragma once

#include "books.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace partywall::test {

class mailbox {
  public:
    mailbox(participant& me, ledger const& noted, complaints& wrong, std::uint64_t inbox,
            world const& where);

    /// Everything that is there now, ends included.
    void drain();
    /// The next letter or end, for so long.
    void wait(std::chrono::nanoseconds time) { books_.enter(in_.receive(time), refusal()); }
    /// Waits for a moment, twice: then it has looked at every lane after that.
    void look();
    bool complete() const { return books_.complete(); }
    std::string state() const { return books_.state(); }
    std::uint64_t entries() const { return books_.entries(); }

  private:
    static std::string_view refusal() { return "an inbox refuses nobody"; }

    receiver<parcel> in_;
    books books_;
};

/// A sender, for as long as its owner lives, to one inbox after the other of one number.
class post {
  public:
    post(participant& me, ledger const& noted, complaints& wrong, std::uint64_t from,
         std::uint64_t inbox, world const& where);

    /// The next letter, waiting for room a millisecond. False: there was none. Whose inbox it is
    /// lives, and whatever else happens is a complaint.
    bool to_the_living();
    /// Some letters for whom they reach: nobody may be there, or who is there may be stopped or
    /// dead. Checks what is said of those that ended.
    void to_the_victim(std::uint64_t count);
    /// What is said of it is known: nobody is there any more.
    void expect_nobody();

  private:
    send_result send(std::chrono::nanoseconds time);
    void ended(bool died);

    ledger const& ledger_;
    complaints& wrong_;
    std::uint64_t from_;
    std::uint64_t inbox_;
    bool drops_;
    std::uint64_t depth_;
    sender<parcel> out_;
    std::uint64_t receiver_ = 0; ///< who it is that the two are about:
    std::uint64_t sent_here_ = 0;
    std::uint64_t lost_before_ = 0;
};

} // namespace partywall::test
