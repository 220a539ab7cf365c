// SPDX-License-Identifier: BSL-1.0
#include "books.hpp"

#include <partywall/os/clock.hpp>
#include <support/counts.hpp>

#include <fstream>

namespace partywall::test {

std::uint64_t complaints::waited_for_processor_ns() {
    std::ifstream file("/proc/thread-self/schedstat"); // "ran waited slices"; may be missing
    std::uint64_t ran = 0;
    std::uint64_t waited = 0;
    file >> ran >> waited;
    return waited;
}

void complaints::add_if_slow(std::string const& what, std::uint64_t begun_ns,
                             std::chrono::milliseconds limit) {
    auto const limit_ns = static_cast<std::uint64_t>(scaled(limit).count()) * 1'000'000;
    std::uint64_t const took_ns = os::monotonic_ns() - begun_ns;
    if (took_ns > limit_ns && took_ns > limit_ns + waited_for_processor_ns() - waited_ns_) {
        add(what + " took " + std::to_string(took_ns / 1'000'000) + " ms");
    }
}

books::books(ledger const& noted, complaints& wrong, world const& where, std::uint64_t inbox)
    : ledger_(noted), wrong_(wrong), world_(where), inbox_(inbox) {
    for (std::uint64_t sender = 1; inbox != 0 && sender < noted::senders_max; ++sender) {
        next_[sender] = sent_by(sender);
    }
}

void books::begin_while_others_send(std::uint64_t receiver) {
    receiver_ = receiver;
    for (auto const& [sender, next] : next_) {
        not_begun_.insert(sender);
    }
}

std::uint64_t books::sent_by(std::uint64_t sender) const {
    return ledger_.get(inbox_ == 0 ? noted::sent(sender) : noted::posted(sender, inbox_));
}

std::uint64_t books::next_of(std::uint64_t sender) const {
    auto const at = next_.find(sender);
    return at == next_.end() ? 0 : at->second;
}

void books::enter(sample<parcel> const& s, std::string_view refusal) {
    if (!s) {
        switch (s.error()) {
        case receive_errc::empty:
        case receive_errc::timed_out: break;
        case receive_errc::peer_died: enter_end(s.publisher()); break;
        default:
            wrong_.add("receive: " + std::string(to_string(s.error())) + " " +
                       std::string(refusal));
        }
        return;
    }
    if (!s->whole()) {
        wrong_.add("a message is torn");
        return;
    }
    std::uint64_t& next = next_[s->sender];
    // Who sends the next letter has noted whom the last one went to.
    if (not_begun_.erase(s->sender) != 0 && s->number == next + s.missed() + 1 &&
        (ledger_.get(noted::posted_to(s->sender, inbox_)) != receiver_ ||
         ledger_.get(noted::first_there(s->sender, inbox_)) > next)) {
        next += 1;
    }
    if (s->number != next + s.missed() || (world_.lossless() && s.missed() != 0)) {
        wrong_.add("sender " + std::to_string(s->sender) + ": got number " +
                   std::to_string(s->number) + " and not " + std::to_string(next) + ", missed " +
                   std::to_string(s.missed()));
    }
    next = s->number + 1;
    if (s->sender == ledger_.get(noted::victim_sender) &&
        s->number >= ledger_.get(noted::victim_attempted)) {
        wrong_.add("a message that the victim never sent");
    }
}

void books::enter_end(std::uint64_t incarnation) {
    std::uint64_t const ticket = incarnation >> 24;
    if (!dead_.insert(incarnation).second) {
        wrong_.add("was told twice of one death");
    }
    for (std::uint64_t other = 1; other < noted::senders_max; ++other) {
        if (ledger_.get(noted::ticket(other)) == ticket) {
            wrong_.add("was told that survivor " + std::to_string(other) + " died");
        }
    }
    if (inbox_ == 0) {
        return; // a topic's lossy reader may have come too late
    }
    // Whatever the policy: nobody but us frees a lane.
    if (ticket == ledger_.get(noted::victim_ticket) &&
        ledger_.get(noted::victim_sends_to) == inbox_ &&
        next_of(ledger_.get(noted::victim_sender)) < ledger_.get(noted::victim_sent)) {
        wrong_.add("was told of the victim's death before its last message: " + state());
    }
    if (ticket != ledger_.get(noted::victim_ticket) &&
        ledger_.get(noted::corpses_sent_to) == inbox_ &&
        next_of(noted::corpse_sender + ticket) != noted::letters_of_corpse) {
        wrong_.add("has " + std::to_string(next_of(noted::corpse_sender + ticket)) +
                   " letters of a corpse");
    }
}

bool books::complete() const {
    for (std::uint64_t sender = 1; sender < noted::senders_max; ++sender) {
        if (next_of(sender) != sent_by(sender)) {
            return false;
        }
    }
    // A topic's lossy reader may find that it has come and gone before anybody looked.
    return ledger_.get(noted::victim_sends_to) != inbox_ || (inbox_ == 0 && !world_.lossless()) ||
           next_of(ledger_.get(noted::victim_sender)) >= ledger_.get(noted::victim_sent);
}

std::string books::state() const {
    std::string text = inbox_ == 0 ? "topic: " : inbox_name(inbox_) + ": ";
    for (auto const& [sender, next] : next_) {
        bool const is_victim = sender == ledger_.get(noted::victim_sender);
        if (sender < noted::senders_max || is_victim) {
            text += std::to_string(next) + " of " +
                    std::to_string(is_victim ? ledger_.get(noted::victim_sent) : sent_by(sender)) +
                    " from " + std::to_string(sender) + ", ";
        }
    }
    return text;
}

} // namespace partywall::test
