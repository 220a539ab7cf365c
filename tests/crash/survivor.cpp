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

survivor::survivor(std::string const& root, std::uint64_t id, world const& w)
    : id_(id), world_(w), ledger_(root), wrong_("survivor " + std::to_string(id)),
      me_(joined(root, "survivor")), pub_(me_.publisher<parcel>("t", publishes(w)).value()),
      sub_(me_.subscriber<parcel>("t", subscribes(w)).value()), books_(ledger_, wrong_, w, 0),
      mail_(me_, ledger_, wrong_, id, w), to_victim_(me_, ledger_, wrong_, id, victims_inbox, w) {
    ledger_[noted::incarnation(id)] = pub_.incarnation();
    ledger_[noted::ticket(id)] = me_.ticket();
}

void survivor::begin(std::uint64_t round, std::uint64_t count, std::set<std::uint64_t> others,
                     bool patient) {
    round_ = round;
    left_ = count;
    others_ = std::move(others);
    letters_left_.clear();
    for (std::uint64_t const other : others_) {
        letters_left_[other] = count;
    }
    to_victim_.to_the_victim(2);
    patient_ = patient;
    wrong_.start();
    last_sent_ns_ = os::monotonic_ns();
    until_ns_ = last_sent_ns_ + limit_ns(1s);
}

void survivor::send_one(publisher<parcel>& to, std::uint64_t sender) {
    std::uint64_t const number = ledger_.get(noted::sent(sender));
    if (auto const r = to.send(parcel::of(number, sender)); !r) {
        wrong_.add("send: " + std::string(to_string(r.error())));
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

post& survivor::way_to(std::uint64_t inbox) {
    return ways_.try_emplace(inbox, me_, ledger_, wrong_, id_, inbox, world_).first->second;
}
void survivor::post_to(std::uint64_t inbox, std::uint64_t count) {
    if (inbox == victims_inbox) {
        to_victim_.to_the_victim(count);
        return;
    }
    for (; count != 0; --count) {
        if (!way_to(inbox).to_the_living()) {
            wrong_.add("no room in " + inbox_name(inbox));
        }
    }
}

void survivor::open_inbox(std::uint64_t inbox, std::uint32_t lanes) {
    if (more_mail_) {
        return;
    }
    world w = world_;
    w.lanes = lanes;
    wrong_.start();
    std::uint64_t const begun_ns = os::monotonic_ns();
    more_mail_.emplace(me_, ledger_, wrong_, inbox, w);
    wrong_.add_if_slow("getting the name " + inbox_name(inbox), begun_ns, 1s);
}
void survivor::expect_everything() {
    std::uint64_t const until = os::monotonic_ns() + limit_ns(1s);
    while (!more_mail_->complete() && os::monotonic_ns() < until) {
        more_mail_->wait(1ms);
    }
    if (!more_mail_->complete()) {
        wrong_.add("does not get everything: " + more_mail_->state());
    }
}
void survivor::close_inbox_when_read() {
    if (more_mail_) {
        expect_everything();
        close_inbox();
    }
}
void survivor::open_post(std::uint64_t inbox, std::uint64_t count) {
    more_post_.emplace(me_, ledger_, wrong_, 3, inbox, world_);
    more_post_->to_the_victim(count);
}

void survivor::drain() {
    for (;;) {
        auto const s = sub_.try_receive();
        books_.enter(s, sub_.refusal());
        if (!s && s.error() != receive_errc::peer_died) {
            break;
        }
    }
    mail_.drain();
    if (more_mail_) {
        more_mail_->drain();
    }
}

void survivor::wait() { books_.enter(sub_.receive(1h), sub_.refusal()); }

bool survivor::try_to_send() {
    std::uint64_t const asked_ns = os::monotonic_ns();
    std::uint64_t const number = ledger_.get(noted::sent(id_));
    auto const r = pub_.send(parcel::of(number, id_), 1ms);
    std::uint64_t const now = os::monotonic_ns();
    wrong_.add_if_slow("a send with a deadline of 1 ms", asked_ns, 101ms);
    if (r) {
        ledger_[noted::sent(id_)] = number + 1;
        last_sent_ns_ = now;
        return true;
    }
    if (r.error() != send_errc::timed_out && r.error() != send_errc::full) {
        wrong_.add("send: " + std::string(to_string(r.error())));
        return false;
    }
    return !patient_ || now - last_sent_ns_ < 5 * ms;
}

/// A letter to each of the others, who have room or make some: no victim holds them up.
void survivor::try_to_post() {
    for (auto& [other, left] : letters_left_) {
        if (left != 0 && way_to(other).to_the_living()) {
            left -= 1;
        }
    }
    std::erase_if(letters_left_, [](auto const& one) { return one.second == 0; });
}

bool survivor::has_everything() const {
    return std::all_of(
               others_.begin(), others_.end(),
               [&](std::uint64_t other) { return ledger_.get(noted::done(other)) >= round_; }) &&
           books_.complete() && mail_.complete() && (!more_mail_ || more_mail_->complete());
}

std::string survivor::missing() const {
    return "nothing came for a second; had " + books_.state() + mail_.state() +
           "had still to send " + std::to_string(left_) + " and letters to " +
           std::to_string(letters_left_.size());
}

bool survivor::step() {
    drain();
    if (os::monotonic_ns() > until_ns_) {
        wrong_.add(missing());
        ledger_[noted::done(id_)] = round_;
        return false;
    }
    if (left_ != 0) {
        std::uint64_t const before = ledger_.get(noted::sent(id_));
        bool const goes_on = try_to_send();
        left_ = !goes_on ? 0 : left_ - (ledger_.get(noted::sent(id_)) - before);
    }
    try_to_post();
    if (left_ != 0 || !letters_left_.empty()) {
        return true;
    }
    ledger_[noted::done(id_)] = round_;
    if (has_everything()) {
        return false;
    }
    if (books_.complete()) {
        mail_.wait(1ms);
    } else {
        books_.enter(sub_.receive(1ms), sub_.refusal());
    }
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
        wrong_.add("the entry of a subscription that came meanwhile is gone");
    }
    std::uint64_t const sent = ledger_.get(noted::sent(id_));
    if (auto const r = pub_.send(parcel::of(sent, id_), 1ms)) {
        wrong_.add("a subscription that came meanwhile does not hold its messages");
        ledger_[noted::sent(id_)] = sent + 1;
    }
    read_guest();
    if (guest_next_ != ledger_.get(noted::sent(id_))) {
        wrong_.add("a subscription that came meanwhile does not get its messages");
    }
    guest_.reset();
}

void survivor::look() {
    books_.enter(sub_.receive(1ms), sub_.refusal());
    mail_.look();
    drain();
}

std::string survivor::settle() {
    (void)me_.recover();
    return std::to_string(open_descriptors()) + " " + std::to_string(mappings_below(me_.path()));
}

footprint survivor::memory() const {
    footprint f = footprint::now();
    f.entries = books_.entries() + mail_.entries();
    return f;
}

/// root, id, policy, depth, lanes, chunks
PARTYWALL_ROLE(crash_survivor) {
    world w;
    w.policy = static_cast<overflow>(context.number(2));
    w.depth = context.number(3);
    w.lanes = static_cast<std::uint32_t>(context.number(4));
    w.chunks = context.number(5) != 0;
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
        } else if (verb == "wait-letter") {
            self.wait_for_letter();
        } else if (verb == "post") {
            std::uint64_t inbox = 0;
            std::uint64_t count = 0;
            words >> inbox >> count;
            self.post_to(inbox, count);
        } else if (verb == "alone") {
            self.expect_no_victim();
        } else if (verb == "look") {
            self.look();
        } else if (verb == "settle") {
            answer = self.settle();
        } else if (verb == "footprint") {
            answer = self.memory().in_words();
        }
        std::string const complaints = self.take_complaints();
        context.send(complaints.empty() ? "ok " + answer : complaints);
    }
}

peer::peer(std::string const& root, std::uint64_t id, world const& w)
    : process_(
          spawn("crash_survivor",
                {root, std::to_string(id), std::to_string(static_cast<std::uint32_t>(w.policy)),
                 std::to_string(w.depth), std::to_string(w.lanes), w.chunks ? "1" : "0"})) {
    ticket_ = std::stoull(process_.receive());
}

void peer::leave() {
    process_.send("leave");
    EXPECT_EQ(process_.wait(), exited(0));
}

} // namespace partywall::test
