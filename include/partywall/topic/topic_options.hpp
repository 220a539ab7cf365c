// SPDX-License-Identifier: BSL-1.0
// Options of publishers and subscribers, with the defaults that suit most.
#pragma once

#include <partywall/endpoint/endpoint_options.hpp>
#include <partywall/limits.hpp>
#include <partywall/registry/metadata.hpp>
#include <partywall/wait/waiting.hpp>

#include <chrono>
#include <cstdint>

namespace partywall::inline v0 {

struct publisher_options {
    partywall::overflow overflow = partywall::overflow::drop_oldest;
    /// Messages that the ring holds: rounded up to a power of two, at least 4.
    std::uint64_t depth = 256;
    /// Longest message, in bytes. For variable-length types only (`bytes`, `T[]`).
    std::uint64_t payload_bytes_max = 1024;
    /// Longer messages do not lie in the ring but in a pool of chunks, each of which is as long as
    /// the longest message: sending by loan and receiving then cost the same for any size.
    std::uint64_t inline_bytes_max = inline_bytes_default;
    /// Large messages that one subscriber may hold while the publisher goes on, at most
    /// pins_per_subscriber_max; and all subscribers together. Who may hold no more of them gets a
    /// copy (lossy), or holds the publisher back (lossless). Each costs memory for one message.
    std::uint32_t pins_per_subscriber = 2;
    std::uint32_t pins_max = 16;
    /// Subscribers and latest handles at a time; those that only look are not counted.
    std::uint32_t subscribers_max = subscribers_default;
    /// How long a send waits for room under overflow::block.
    std::chrono::nanoseconds block_for = std::chrono::seconds(1);
    partywall::wake wake = partywall::wake::sleepers;
    fencing fence = fencing::automatic;
    partywall::waiting waiting = partywall::waiting::spin_then_park;
    /// The longest spin of spin_then_park; how long it really is, is learned (see waiting).
    std::chrono::nanoseconds spin_for = spin_default;
    /// Position of the first message. Only tests have a reason to change it.
    std::uint64_t start_position = 0;
    partywall::memory_options memory = {};
    /// Shown to everybody who looks the topic up.
    partywall::metadata metadata = {};
};

/// What a subscriber may lose.
enum class delivery : std::uint32_t {
    lossy = 1,    ///< may be overtaken by the publisher, and learns by how much
    lossless = 2, ///< holds publishers back; needs a topic with `block` or `reject`
    looking = 3,  ///< takes no slot and is seen by nobody; for monitors and recorders
};

struct subscriber_options {
    partywall::delivery delivery = partywall::delivery::lossy;
    /// Messages from before the subscription that are wanted, as far as the ring still has them.
    std::uint64_t history = 0;
    partywall::waiting waiting = partywall::waiting::spin_then_park;
    /// The longest spin of spin_then_park; how long it really is, is learned (see waiting).
    std::chrono::nanoseconds spin_for = spin_default;
    /// Samples that may be held at a time, 1 to samples_held_limit.
    std::uint32_t samples_held_max = 2;
    /// Also report (once each) publishers that closed in good order: receive_errc::publisher_closed.
    bool report_close = false;
    /// Attach whatever the type; for monitors that take `bytes`. Not with `lossless`.
    bool any_type = false;
    partywall::memory_options memory = {};
};

} // namespace partywall::inline v0
