// SPDX-License-Identifier: BSL-1.0
// Operations under test. An operation is a name, a topic, and what a victim does:
//
//     {.name = "send_to_lossless_subscribers",
//      .where = {.policy = overflow::block, .depth = 8},
//      .run = [](victim& v) {
//          auto pub = v.me().publisher<parcel>("t", publishes(v.where())).value();
//          v.armed([&] { PARTYWALL_ROLE_CHECK(v.send(pub)); });
//      }},
//
// Everything before armed() is set-up. What armed() runs is done once for each of its stores and
// system calls, and ends there. What it makes has to outlive it: what happens after it is not
// looked at, and not trapped.
#pragma once

#include "store_trap.hpp"
#include "survivor.hpp"

#include <optional>
#include <string>
#include <vector>

namespace partywall::test {

class stage;

/// In the victim's process.
class victim {
  public:
    victim(role_context& context, world const& where);

    world const& where() const { return world_; }
    std::string const& root() const { return root_; }
    /// The victim's participant; joins at the first call, then called in set-up.
    participant& me();
    /// Joins where joining is what is trapped.
    participant& join();
    void leave() { me_.reset(); }

    /// Says "ready", waits for "go", and does it, trapped.
    template <class Operation>
    void armed(Operation const& operation) {
        get_ready();
        arm();
        operation();
        store_trap::disarm();
        complete();
    }

    /// What follows is sent to an inbox, and not to the topic.
    void sends_to(std::uint64_t inbox) { ledger_[noted::victim_sends_to] = inbox; }
    /// The next message; counted in the ledger before and after it is sent.
    template <class Handle>
    bool send(Handle& to) {
        bool const sent = to.send(next()).has_value();
        sent ? was_sent() : take_back();
        return sent;
    }
    parcel next(std::uint64_t attempted = 1);
    void was_sent(std::uint64_t count = 1);
    void take_back() { next_ -= 1; } ///< the next one was not sent
    /// Whether there is a whole message.
    static bool whole(sample<parcel> const& s) { return s && s->whole(); }

    /// What comes next of each survivor to the victim's inbox is what it sends from now on.
    void receives() { books_.emplace(ledger_, wrong_, world_, victims_inbox); }
    /// The same, when survivors send while the inbox is opened.
    void receives_while_others_send(receiver<parcel> const& in) {
        books_->begin_while_others_send(in.incarnation());
    }
    /// Whether that is a letter. It must be in order, whole, and not of a predecessor's; it is noted
    /// before it is given back.
    bool took(sample<parcel> const& s);
    /// Before receive_batch(): at most so many of a survivor.
    void will_take(std::uint64_t sender, std::uint64_t count) {
        ledger_[noted::victim_took(sender)].fetch_add(count);
    }

  private:
    void get_ready();
    void arm();
    void complete();

    role_context& context_;
    std::string root_;
    world world_;
    ledger ledger_;
    trap_record& record_;
    std::optional<participant> me_;
    std::uint64_t next_ = 0;
    complaints wrong_{"victim"};
    std::optional<books> books_;
};

struct operation {
    std::string name;
    world where = {};
    void (*run)(victim&) = nullptr;
    /// In the test, before there is a victim.
    void (*prepare)(stage&) = nullptr;
    /// In the test, once the victim is ready: what it is to find.
    void (*before)(stage&) = nullptr;
    /// In the test, when the victim sleeps: what lets it go on. It is then also killed, and
    /// stopped, asleep.
    void (*when_asleep)(stage&) = nullptr;
    /// In the test, again and again while a victim of a timed round lives.
    void (*meanwhile)(stage&) = nullptr;
    /// In the test, when the victim is dead or has completed, before the survivors check.
    void (*after)(stage&) = nullptr;
    /// There are corpses: the survivors find something to recover also while the victim is stopped.
    bool corpses = false;
    /// Tried at each of its points; else only what a test asks for.
    bool everywhere = true;
};

/// All of them.
std::vector<operation> const& operations();
operation const& operation_named(std::string const& name);

// One function per file of operations.
std::vector<operation> lifecycle_operations();
std::vector<operation> send_operations();
std::vector<operation> receive_operations();
std::vector<operation> recovery_operations();
std::vector<operation> whole_lives();
std::vector<operation> large_operations(std::vector<operation> const& others);
std::vector<operation> inbox_operations();
std::vector<operation> post_operations();
std::vector<operation> waiting_operations();
std::vector<operation> letter_operations();
std::vector<operation> breaker_operations();
std::vector<operation> call_operations();

} // namespace partywall::test
