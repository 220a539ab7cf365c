// SPDX-License-Identifier: BSL-1.0
// What came in, by sender: in order, whole, none twice, none torn, none invented; and ends, which
// come after the last message, and once.
#pragma once

#include "world.hpp"

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace partywall::test {

/// What was wrong so far, one line each; empty if nothing was.
class complaints {
  public:
    explicit complaints(std::string who) : who_(std::move(who)) {}
    void add(std::string const& what) {
        if (text_.size() < 2000) {
            text_ += who_ + ": " + what + "\n";
        }
    }
    std::string take() { return std::exchange(text_, {}); }

    /// Times are measured from here on; what this process waited for a processor does not count.
    void start() { waited_ns_ = waited_for_processor_ns(); }
    /// Adds `what` if it took longer since `begun_ns`.
    void add_if_slow(std::string const& what, std::uint64_t begun_ns,
                     std::chrono::milliseconds limit);

  private:
    static std::uint64_t waited_for_processor_ns();

    std::uint64_t waited_ns_ = 0;
    std::string who_;
    std::string text_;
};

class books {
  public:
    /// Of the topic (0), or of an inbox. What was posted to an inbox before is nobody's any more.
    books(ledger const& noted, complaints& wrong, world const& where, std::uint64_t inbox);

    /// `refusal`: what the reader says about receive_errc::refused.
    void enter(sample<parcel> const& s, std::string_view refusal = {});
    /// Survivors send at this very moment, so one letter of each to whoever had the inbox before may not
    /// be noted yet. Then the first one that comes to `receiver` is the one after that.
    void begin_while_others_send(std::uint64_t receiver);
    /// Whether there is all that survivors and the victim have sent.
    bool complete() const;
    /// How much there is in them.
    std::uint64_t entries() const { return next_.size() + dead_.size(); }
    /// "3 of 5 from 1, ..."
    std::string state() const;
    /// Messages of that sender, received and missed.
    std::uint64_t next_of(std::uint64_t sender) const;

  private:
    std::uint64_t sent_by(std::uint64_t sender) const;
    void enter_end(std::uint64_t incarnation);

    ledger const& ledger_;
    complaints& wrong_;
    world world_;
    std::uint64_t inbox_;
    std::map<std::uint64_t, std::uint64_t> next_; ///< received and missed, by sender
    std::uint64_t receiver_ = 0;        ///< whom letters come to, if others sent meanwhile
    std::set<std::uint64_t> not_begun_; ///< whose first letter may be one later
    std::set<std::uint64_t> dead_;
};

} // namespace partywall::test
