// SPDX-License-Identifier: BSL-1.0
#include "mailbox.hpp"

#include <partywall/os/clock.hpp>

namespace partywall::test {

mailbox::mailbox(participant& me, ledger const& noted, complaints& wrong, std::uint64_t inbox,
                 world const& where)
    : in_(me.receiver<parcel>(inbox_name(inbox), receives(where)).value()),
      books_(noted, wrong, where, inbox) {}

void mailbox::drain() {
    for (;;) {
        auto const s = in_.try_receive();
        books_.enter(s, refusal());
        if (!s && s.error() != receive_errc::peer_died) {
            return;
        }
    }
}

void mailbox::look() {
    wait(1ms);
    drain();
    drain();
}

post::post(participant& me, ledger const& noted, complaints& wrong, std::uint64_t from,
           std::uint64_t inbox, world const& where)
    : ledger_(noted), wrong_(wrong), from_(from), inbox_(inbox), drops_(!where.lossless()),
      depth_(where.depth), out_(me.sender<parcel>(inbox_name(inbox), posts(where)).value()) {}

send_result post::send(std::chrono::nanoseconds time) {
    std::uint64_t const number = ledger_.get(noted::posted(from_, inbox_));
    std::uint64_t const asked_ns = os::monotonic_ns();
    auto const r = out_.send(parcel::of(number, from_), time);
    wrong_.add_if_slow("a send to " + inbox_name(inbox_), asked_ns, 101ms);
    if (r) {
        if (ledger_.get(noted::posted_to(from_, inbox_)) != out_.receiver()) {
            ledger_[noted::first_there(from_, inbox_)] = number;
            ledger_[noted::posted_to(from_, inbox_)] = out_.receiver();
        }
        ledger_[noted::posted(from_, inbox_)] = number + 1;
    }
    return r;
}

bool post::to_the_living() {
    auto const r = send(1ms);
    if (!r && r.error() != send_errc::timed_out && r.error() != send_errc::full) {
        wrong_.add("a send to " + inbox_name(inbox_) + ": " + std::string(to_string(r.error())) +
                   " " + out_.refusal());
    }
    return r.has_value();
}

void post::to_the_victim(std::uint64_t count) {
    for (; count != 0; --count) {
        auto const r = send(0ns);
        if (r) {
            if (receiver_ != out_.receiver()) {
                receiver_ = out_.receiver();
                sent_here_ = 0;
                lost_before_ = out_.lost();
            }
            sent_here_ += 1;
        } else if (r.error() == send_errc::peer_died || r.error() == send_errc::no_receiver) {
            ended(r.error() == send_errc::peer_died);
        } else if (r.error() != send_errc::timed_out && r.error() != send_errc::full) {
            wrong_.add("a send to the victim: " + std::string(to_string(r.error())) + " " +
                       out_.refusal());
        }
    }
}

/// Of what was sent, whatever is not lost was taken; or, under drop_oldest, overwritten, which the
/// receiver alone could have said.
void post::ended(bool died) {
    if (receiver_ == 0) {
        if (died) {
            wrong_.add("was told twice that the receiver of " + inbox_name(inbox_) + " died");
        }
        return;
    }
    std::uint64_t const lost = out_.lost() - lost_before_;
    std::uint64_t const took = ledger_.get(noted::victim_took(from_));
    std::uint64_t const overwritten = drops_ && sent_here_ > depth_ ? sent_here_ - depth_ : 0;
    bool const is_victim = receiver_ >> 24 == ledger_.get(noted::victim_ticket);
    if (lost > sent_here_ || (is_victim && sent_here_ - lost > took + overwritten)) {
        wrong_.add(inbox_name(inbox_) + ": sent " + std::to_string(sent_here_) + ", lost " +
                   std::to_string(lost) + " at most, and the victim took " + std::to_string(took));
    }
    receiver_ = 0;
}

void post::expect_nobody() {
    to_the_victim(1); // and lets go
    auto const r = send(0ns);
    if (r || r.error() != send_errc::no_receiver) {
        wrong_.add("a send to the dead: " +
                   (r ? "sent" : std::string(to_string(r.error())) + " " + out_.refusal()));
    }
}

} // namespace partywall::test
