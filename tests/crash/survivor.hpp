// SPDX-License-Identifier: BSL-1.0
// Those who live on. A survivor publishes on the topic that the victim works on, and subscribes to
// it; in a check it sends to every other survivor and receives from them, and keeps account.
#pragma once

#include "parcel.hpp"

#include <process/puppet.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace partywall::test {

/// What the topic is, and whom the victim meets.
struct world {
    overflow policy = overflow::block;
    std::uint64_t depth = 8;
    /// Nobody is there until the victim has died, completed or stopped; each round has a domain of
    /// its own.
    bool nobody = false;

    bool lossless() const noexcept { return policy != overflow::drop_oldest; }
};

/// What must be known after a death, in words of the ledger. Whoever sends has a number: survivors
/// 1 to 7; a victim's is larger, and another in every round.
namespace noted {
constexpr std::size_t senders_max = 8;
constexpr std::size_t sent(std::uint64_t sender) { return 16 * sender; }
constexpr std::size_t done(std::uint64_t sender) { return 16 * sender + 1; }
constexpr std::size_t incarnation(std::uint64_t sender) { return 16 * sender + 2; }
constexpr std::size_t victim_sender = 16 * senders_max;
constexpr std::size_t victim_sent = victim_sender + 1;
constexpr std::size_t victim_attempted = victim_sender + 2;
constexpr std::size_t victim_armed = victim_sender + 3;
constexpr std::size_t victim_done = victim_sender + 4;
constexpr std::size_t victim_ticket = victim_sender + 5;
} // namespace noted

publisher_options publishes(world const& w);
subscriber_options subscribes(world const& w);

class survivor {
  public:
    survivor(std::string const& root, std::uint64_t id, world const& w);

    /// One check: `count` messages to everybody. `others` take part in it too, each in its process
    /// or by turns of step(). `patient`: somebody is stopped and may hold everybody back, which is
    /// to be borne.
    void begin(std::uint64_t round, std::uint64_t count, std::set<std::uint64_t> others,
               bool patient);
    /// False when the check is over. May wait for a millisecond.
    bool step();

    void send(std::uint64_t count);
    /// Everything that is there now.
    void drain();
    /// The next message or end, however long it takes.
    void wait();
    /// A second publisher in this process, number 3, which sends `count` messages.
    void open_extra(std::uint64_t count);
    void close_extra() { extra_.reset(); }
    /// A closed publisher that was kept for somebody goes at its own participant's next call.
    bool has_had_extra() const { return ledger_.get(noted::incarnation(3)) != 0; }
    /// A second subscription in this process, and whether it is still as good as new after others
    /// have gone on: its slot and its entry may have been theirs before. Full: everybody else has
    /// read what fill() sent.
    void open_guest();
    void read_guest();
    void fill();
    void close_guest();
    /// Waits for a moment and reads what is there: ends of the dead are dealt with here, as in any
    /// program that receives now and then.
    void look();
    /// Recovers, and counts "descriptors mappings" of this process.
    std::string settle();

    /// What was wrong so far, one line each; empty if nothing was.
    std::string take_complaints() { return std::exchange(complaints_, {}); }
    std::uint64_t ticket() const { return me_.ticket(); }
    participant& me() { return me_; }
    subscriber<parcel>& in() { return sub_; }

  private:
    void complain(std::string const& what);
    void account(sample<parcel> const& s);
    void send_one(publisher<parcel>& to, std::uint64_t sender);
    bool try_to_send();
    bool has_everything() const;
    std::string missing() const;

    std::uint64_t id_;
    world world_;
    ledger ledger_;
    participant me_;
    publisher<parcel> pub_;
    subscriber<parcel> sub_;
    std::optional<publisher<parcel>> extra_;
    std::optional<subscriber<parcel>> guest_;
    std::uint64_t guest_next_ = 0;

    struct account_of {
        std::uint64_t next = 0; ///< received and missed
        std::uint64_t received = 0;
    };
    std::map<std::uint64_t, account_of> from_;
    std::set<std::uint64_t> dead_;
    std::string complaints_;

    std::uint64_t round_ = 0;
    std::uint64_t left_ = 0;
    std::set<std::uint64_t> others_;
    bool patient_ = false;
    std::uint64_t until_ns_ = 0;
    std::uint64_t last_sent_ns_ = 0;
};

/// A survivor in a process of its own.
class peer {
  public:
    peer(std::string const& root, std::uint64_t id, world const& w);

    std::uint64_t ticket() const { return ticket_; }
    pid_t pid() const { return process_.pid(); }
    void say(std::string const& command) { process_.send(command); }
    std::string hear() { return process_.receive(); }
    std::string ask(std::string const& command) {
        say(command);
        return hear();
    }
    void leave();

  private:
    child process_;
    std::uint64_t ticket_ = 0;
};

} // namespace partywall::test
