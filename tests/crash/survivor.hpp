// SPDX-License-Identifier: BSL-1.0
// Those who live on. A survivor publishes on the topic that the victim works on, and subscribes to
// it; it has an inbox, and posts to those of the others. In a check it sends to every other survivor
// both ways and receives from them, and keeps account.
#pragma once

#include "footprint.hpp"
#include "mailbox.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace partywall::test {

class survivor {
  public:
    survivor(std::string const& root, std::uint64_t id, world const& w);

    /// One check: `count` messages to everybody, and as many letters. `others` take part in it too,
    /// each in its process or by turns of step(). `patient`: somebody is stopped and may hold up the
    /// topic, which is to be borne.
    void begin(std::uint64_t round, std::uint64_t count, std::set<std::uint64_t> others,
               bool patient);
    /// False when the check is over. May wait for a millisecond.
    bool step();

    void send(std::uint64_t count);
    void post_to(std::uint64_t inbox, std::uint64_t count);
    /// Everything that is there now.
    void drain();
    /// The next message or letter or end, however long it takes.
    void wait();
    void wait_for_letter() { mail_.wait(1h); }
    /// Another inbox in this process, for as long as nobody closes it.
    void open_inbox(std::uint64_t inbox, std::uint32_t lanes);
    void open_inbox(std::uint64_t inbox) { open_inbox(inbox, world_.lanes); }
    /// All that was sent to it is there within a second.
    void expect_everything();
    void close_inbox() { more_mail_.reset(); }
    void close_inbox_when_read();
    /// Another way to an inbox from this process: of sender 3, which sends `count` letters.
    void open_post(std::uint64_t inbox, std::uint64_t count);
    void close_post() { more_post_.reset(); }
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

    /// What this process has in memory.
    footprint memory() const;

    /// There is no victim, nor anything of it: what is said of its inbox must be so too.
    void expect_no_victim() { to_victim_.expect_nobody(); }

    std::string take_complaints() { return wrong_.take(); }
    std::uint64_t ticket() const { return me_.ticket(); }
    participant& me() { return me_; }
    subscriber<parcel>& in() { return sub_; }

  private:
    post& way_to(std::uint64_t inbox);
    void send_one(publisher<parcel>& to, std::uint64_t sender);
    bool try_to_send();
    void try_to_post();
    bool has_everything() const;
    std::string missing() const;

    std::uint64_t id_;
    world world_;
    ledger ledger_;
    complaints wrong_;
    participant me_;
    publisher<parcel> pub_;
    subscriber<parcel> sub_;
    books books_;
    mailbox mail_;
    post to_victim_;
    std::map<std::uint64_t, post> ways_; ///< by inbox
    std::optional<publisher<parcel>> extra_;
    std::optional<mailbox> more_mail_;
    std::optional<post> more_post_;
    std::optional<subscriber<parcel>> guest_;
    std::uint64_t guest_next_ = 0;

    std::uint64_t round_ = 0;
    std::uint64_t left_ = 0;
    std::map<std::uint64_t, std::uint64_t> letters_left_; ///< by inbox
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
    child const& process() const { return process_; }
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
