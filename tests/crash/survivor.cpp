// SPDX-License-Identifier: BSL-1.0
#include "survivor.hpp"

#include <partywall/os/clock.hpp>
#include <support/counts.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace partywall::test {
namespace {

constexpr std::uint64_t ms = 1'000'000;

std::uint64_t limit_ns(std::chrono::milliseconds limit) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(scaled(limit)).count());
}

std::size_t open_descriptors() {
    namespace fs = std::filesystem;
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
}

/// Those of files of the domain, whether they still have a name or not.
std::size_t mappings_below(std::string const& directory) {
    std::ifstream maps("/proc/self/maps");
    std::size_t count = 0;
    for (std::string line; std::getline(maps, line);) {
        count += line.find(directory + "/") != std::string::npos ? 1 : 0;
    }
    return count;
}

} // namespace

publisher_options publishes(world const& w) {
    publisher_options options = gated(w.depth, w.policy);
    options.block_for = 1ms;
    options.subscribers_max = 8;
    return options;
}
subscriber_options subscribes(world const& w) {
    return w.lossless() ? test::lossless() : test::lossy();
}

survivor::survivor(std::string const& root, std::uint64_t id, world const& w)
    : id_(id), world_(w), ledger_(root), me_(joined(root, "survivor")),
      pub_(me_.publisher<parcel>("t", publishes(w)).value()),
      sub_(me_.subscriber<parcel>("t", subscribes(w)).value()) {
    ledger_[noted::incarnation(id)] = pub_.incarnation();
}

void survivor::complain(std::string const& what) {
    if (complaints_.size() < 2000) {
        complaints_ += "survivor " + std::to_string(id_) + ": " + what + "\n";
    }
}

void survivor::account(sample<parcel> const& s) {
    if (!s) {
        switch (s.error()) {
        case receive_errc::empty:
        case receive_errc::timed_out: break;
        case receive_errc::peer_died:
            if (!dead_.insert(s.publisher()).second) {
                complain("was told twice of one death");
            }
            for (std::uint64_t other = 1; other < noted::senders_max; ++other) {
                if (ledger_.get(noted::incarnation(other)) == s.publisher()) {
                    complain("was told that survivor " + std::to_string(other) + " died");
                }
            }
            break;
        default: complain("receive: " + std::string(to_string(s.error())) + " " + sub_.refusal());
        }
        return;
    }
    if (!s->whole()) {
        complain("a message is torn");
        return;
    }
    account_of& from = from_[s->sender];
    if (s->number != from.next + s.missed() || (world_.lossless() && s.missed() != 0)) {
        complain("sender " + std::to_string(s->sender) + ": got number " +
                 std::to_string(s->number) + " and not " + std::to_string(from.next) + ", missed " +
                 std::to_string(s.missed()));
    }
    from.next = s->number + 1;
    from.received += 1;
    bool const is_victim = s->sender >= noted::senders_max;
    if (is_victim && s->sender == ledger_.get(noted::victim_sender) &&
        s->number >= ledger_.get(noted::victim_attempted)) {
        complain("a message that the victim never sent");
    }
}

void survivor::begin(std::uint64_t round, std::uint64_t count, std::set<std::uint64_t> others,
                     bool patient) {
    round_ = round;
    left_ = count;
    others_ = std::move(others);
    patient_ = patient;
    last_sent_ns_ = os::monotonic_ns();
    until_ns_ = last_sent_ns_ + limit_ns(1s);
}

void survivor::send_one(publisher<parcel>& to, std::uint64_t sender) {
    std::uint64_t const number = ledger_.get(noted::sent(sender));
    if (auto const r = to.send(parcel::of(number, sender)); !r) {
        complain("send: " + std::string(to_string(r.error())));
        return;
    }
    ledger_[noted::sent(sender)] = number + 1;
}

void survivor::send(std::uint64_t count) {
    for (; count != 0; --count) {
        send_one(pub_, id_);
    }
}

void survivor::open_extra(std::uint64_t count) {
    extra_.emplace(me_.publisher<parcel>("t", publishes(world_)).value());
    ledger_[noted::incarnation(3)] = extra_->incarnation();
    for (; count != 0; --count) {
        send_one(*extra_, 3);
    }
}

void survivor::drain() {
    for (;;) {
        auto const s = sub_.try_receive();
        account(s);
        if (!s && s.error() != receive_errc::peer_died) {
            return;
        }
    }
}

void survivor::wait() { account(sub_.receive(1h)); }

bool survivor::try_to_send() {
    std::uint64_t const asked_ns = os::monotonic_ns();
    std::uint64_t const number = ledger_.get(noted::sent(id_));
    auto const r = pub_.send(parcel::of(number, id_), 1ms);
    std::uint64_t const now = os::monotonic_ns();
    if (now - asked_ns > limit_ns(101ms)) {
        complain("a send with a deadline of 1 ms took " + std::to_string((now - asked_ns) / ms) +
                 " ms");
    }
    if (r) {
        ledger_[noted::sent(id_)] = number + 1;
        last_sent_ns_ = now;
        return true;
    }
    if (r.error() != send_errc::timed_out && r.error() != send_errc::full) {
        complain("send: " + std::string(to_string(r.error())));
        return false;
    }
    return !patient_ || now - last_sent_ns_ < 5 * ms;
}

bool survivor::has_everything() const {
    auto const received = [&](std::uint64_t sender) {
        auto const at = from_.find(sender);
        return at == from_.end() ? 0 : at->second.next;
    };
    for (std::uint64_t const other : others_) {
        if (ledger_.get(noted::done(other)) < round_) {
            return false;
        }
    }
    for (std::uint64_t sender = 1; sender < noted::senders_max; ++sender) {
        if (received(sender) != ledger_.get(noted::sent(sender))) {
            return false;
        }
    }
    // Lossy: it may have come and gone before anybody looked.
    return !world_.lossless() ||
           received(ledger_.get(noted::victim_sender)) >= ledger_.get(noted::victim_sent);
}

std::string survivor::missing() const {
    std::string text = "nothing came for a second; had";
    for (auto const& [sender, from] : from_) {
        if (sender < noted::senders_max || sender == ledger_.get(noted::victim_sender)) {
            std::uint64_t const sent =
                ledger_.get(sender < noted::senders_max ? noted::sent(sender) : noted::victim_sent);
            text += " " + std::to_string(from.next) + " of " + std::to_string(sent) + " from " +
                    std::to_string(sender) + ",";
        }
    }
    return text + " had still to send " + std::to_string(left_);
}

bool survivor::step() {
    drain();
    if (os::monotonic_ns() > until_ns_) {
        complain(missing());
        ledger_[noted::done(id_)] = round_;
        return false;
    }
    if (left_ != 0) {
        std::uint64_t const before = ledger_.get(noted::sent(id_));
        bool const goes_on = try_to_send();
        left_ = !goes_on ? 0 : left_ - (ledger_.get(noted::sent(id_)) - before);
        if (left_ == 0) {
            ledger_[noted::done(id_)] = round_;
        }
        return true;
    }
    ledger_[noted::done(id_)] = round_;
    if (has_everything()) {
        return false;
    }
    account(sub_.receive(1ms));
    return true;
}

void survivor::open_guest() {
    guest_.emplace(me_.subscriber<parcel>("t", lossless()).value());
    guest_next_ = ledger_.get(noted::sent(id_));
}

void survivor::read_guest() {
    while (auto const s = guest_->try_receive()) {
        if (s->sender == id_) {
            guest_next_ = s->whole() && s->number == guest_next_ ? guest_next_ + 1 : ~0ULL / 2;
        }
    }
}

void survivor::fill() {
    drain();
    read_guest();
    for (std::uint64_t i = 0; i < world_.depth; ++i) {
        send_one(pub_, id_);
        drain();
    }
}

void survivor::close_guest() {
    auto const entries = me_.core()->entries(entry_kind::topic_subscription, "t");
    if (std::count_if(entries.begin(), entries.end(), [&](entry_info const& one) {
            return one.owner_ticket == me_.ticket();
        }) != 2) {
        complain("the entry of a subscription that came meanwhile is gone");
    }
    std::uint64_t const sent = ledger_.get(noted::sent(id_));
    if (auto const r = pub_.send(parcel::of(sent, id_), 1ms)) {
        complain("a subscription that came meanwhile does not hold its messages");
        ledger_[noted::sent(id_)] = sent + 1;
    }
    read_guest();
    if (guest_next_ != ledger_.get(noted::sent(id_))) {
        complain("a subscription that came meanwhile does not get its messages");
    }
    guest_.reset();
}

void survivor::look() {
    account(sub_.receive(1ms));
    drain();
}

std::string survivor::settle() {
    (void)me_.recover();
    return std::to_string(open_descriptors()) + " " + std::to_string(mappings_below(me_.path()));
}

/// root, id, policy, depth
PARTYWALL_ROLE(crash_survivor) {
    world w;
    w.policy = static_cast<overflow>(context.number(2));
    w.depth = context.number(3);
    survivor self(context.arg(0), context.number(1), w);
    context.send(std::to_string(self.ticket()));
    for (;;) {
        std::istringstream words(context.receive());
        std::string verb;
        words >> verb;
        if (verb == "leave") {
            return 0;
        }
        std::string answer;
        if (verb == "check") {
            std::uint64_t round = 0;
            std::uint64_t count = 0;
            std::uint64_t other = 0;
            bool patient = false;
            words >> round >> count >> other >> patient;
            self.begin(round, count, {other}, patient);
            while (self.step()) {
            }
        } else if (verb == "drain") {
            self.drain();
        } else if (verb == "wait") {
            self.wait();
        } else if (verb == "look") {
            self.look();
        } else if (verb == "settle") {
            answer = self.settle();
        }
        std::string const complaints = self.take_complaints();
        context.send(complaints.empty() ? "ok " + answer : complaints);
    }
}

peer::peer(std::string const& root, std::uint64_t id, world const& w)
    : process_(spawn("crash_survivor", {root, std::to_string(id),
                                        std::to_string(static_cast<std::uint32_t>(w.policy)),
                                        std::to_string(w.depth)})) {
    ticket_ = std::stoull(process_.receive());
}

void peer::leave() {
    process_.send("leave");
    EXPECT_EQ(process_.wait(), exited(0));
}

} // namespace partywall::test
