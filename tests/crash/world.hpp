// SPDX-License-Identifier: BSL-1.0
// Where victims and survivors meet: a topic, and an inbox for each. And what must be known after a
// death.
#pragma once

#include "parcel.hpp"

#include <process/puppet.hpp>

#include <cstdint>
#include <string>

namespace partywall::test {

/// What the topic and the inboxes are, and whom the victim meets.
struct world {
    overflow policy = overflow::block; ///< of publishers and of senders
    std::uint64_t depth = 8;
    /// Nobody is there until the victim has died, completed or stopped; each round has a domain of
    /// its own.
    bool nobody = false;
    std::uint32_t lanes = 8; ///< of each inbox
    bool chunks = false;     ///< messages lie in chunks, and not in cells

    bool lossless() const noexcept { return policy != overflow::drop_oldest; }
};

static_assert(sizeof(parcel) > always_inline_bytes);

inline publisher_options publishes(world const& w) {
    publisher_options options = gated(w.depth, w.policy);
    options.block_for = 1ms;
    options.subscribers_max = 10; // eight, and those who come while somebody stands still
    options.inline_bytes_max = w.chunks ? 0 : inline_bytes_default;
    return options;
}
inline subscriber_options subscribes(world const& w) {
    return w.lossless() ? test::lossless() : test::lossy();
}
inline receiver_options receives(world const& w) {
    receiver_options options;
    options.depth = w.depth;
    options.senders_max = w.lanes;
    options.inline_bytes_max = w.chunks ? 0 : inline_bytes_default;
    return options;
}
inline sender_options posts(world const& w) {
    sender_options options;
    options.overflow = w.policy;
    options.block_for = 1ms;
    return options;
}

/// Inboxes have numbers: those of the survivors theirs, then one that operations open, and the
/// victim's own. 0 stands for the topic.
constexpr std::uint64_t third_inbox = 3;
constexpr std::uint64_t victims_inbox = 4;
constexpr std::uint64_t inboxes_max = 5;
inline std::string inbox_name(std::uint64_t inbox) { return "inbox/" + std::to_string(inbox); }

/// Words of the ledger. Whoever sends has a number: survivors 1 to 7; a victim's is larger, and
/// another in every round; a corpse's larger than any victim's.
namespace noted {
constexpr std::size_t senders_max = 8;
constexpr std::size_t words_of_sender = 20;
constexpr std::size_t sent(std::uint64_t sender) { return words_of_sender * sender; }
constexpr std::size_t done(std::uint64_t sender) { return words_of_sender * sender + 1; }
constexpr std::size_t incarnation(std::uint64_t sender) { return words_of_sender * sender + 2; }
constexpr std::size_t ticket(std::uint64_t sender) { return words_of_sender * sender + 3; }
/// Letters from one survivor to one inbox, whoever had it.
constexpr std::size_t posted(std::uint64_t sender, std::uint64_t inbox) {
    return words_of_sender * sender + 4 + inbox;
}
/// Whom the last one of these went to, noted before it is counted, ...
constexpr std::size_t posted_to(std::uint64_t sender, std::uint64_t inbox) {
    return words_of_sender * sender + 9 + inbox;
}
/// ... and the number of the first one that went there, noted before that.
constexpr std::size_t first_there(std::uint64_t sender, std::uint64_t inbox) {
    return words_of_sender * sender + 14 + inbox;
}
constexpr std::size_t of_victim =
    words_of_sender * senders_max; ///< 0 at the beginning of every round
constexpr std::size_t victim_sender = of_victim;
constexpr std::size_t victim_sent = of_victim + 1;
constexpr std::size_t victim_attempted = of_victim + 2;
constexpr std::size_t victim_armed = of_victim + 3;
constexpr std::size_t victim_done = of_victim + 4;
constexpr std::size_t victim_ticket = of_victim + 5;
constexpr std::size_t victim_sends_to = of_victim + 6; ///< an inbox; 0: the topic
constexpr std::size_t corpses_sent_to = of_victim + 7; ///< an inbox, letters_of_corpse each
/// The most that the victim can have taken of what a survivor posted to it.
constexpr std::size_t victim_took(std::uint64_t sender) { return of_victim + 8 + sender; }
/// Calls, by the number of the request: how often it was executed, and whether somebody was told
/// that it was not.
constexpr std::size_t requests_max = 16;
constexpr std::size_t executed(std::uint64_t request) { return victim_took(senders_max) + request; }
constexpr std::size_t said_no(std::uint64_t request) { return executed(requests_max) + request; }
constexpr std::size_t was_told = said_no(requests_max); ///< who lets a sleeping victim go on
constexpr std::size_t end_of_victim = was_told + 1;

constexpr std::uint64_t corpse_sender = 1'000'000; ///< plus its ticket
constexpr std::uint64_t letters_of_corpse = 3;
} // namespace noted

} // namespace partywall::test
