// SPDX-License-Identifier: BSL-1.0
// Options of senders and receivers, with the defaults that suit most.
#pragma once

#include <partywall/endpoint/endpoint_options.hpp>
#include <partywall/limits.hpp>
#include <partywall/registry/metadata.hpp>
#include <partywall/wait/waiting.hpp>

#include <chrono>
#include <cstdint>

namespace partywall::inline v0 {

/// The receiver owns the memory: how many may send to it, and how much each may have under way.
struct receiver_options {
    /// Messages that each sender may have under way: rounded up to a power of two, at least 4.
    std::uint64_t depth = 256;
    /// Longest message, in bytes. For variable-length types only (`bytes`, `T[]`).
    std::uint64_t payload_bytes_max = 1024;
    /// Longer messages do not lie in their lane's ring but in its pool of chunks, each of which is
    /// as long as the longest message: sending by loan and receiving then cost the same for any
    /// size. A lane has a chunk for each message under way, each that may be held, and one more.
    std::uint64_t inline_bytes_max = inline_bytes_default;
    /// Senders at a time. Each has a lane, whose memory is there from the beginning.
    std::uint32_t senders_max = senders_default;
    /// Messages that may be held in place at a time.
    std::uint32_t samples_held_max = 2;
    partywall::wake wake = partywall::wake::sleepers;
    partywall::waiting waiting = partywall::waiting::spin_then_park;
    /// The longest spin of spin_then_park; how long it really is, is learned (see waiting).
    std::chrono::nanoseconds spin_for = spin_default;
    /// Whether a sender that closes in good order is an event (receive_errc::publisher_closed).
    bool report_close = false;
    /// Position of each lane's first message. Only tests have a reason to change it.
    std::uint64_t start_position = 0;
    partywall::memory_options memory = {};
    /// Shown to everybody who looks the name up.
    partywall::metadata metadata = {};
};

/// What a sender does when the receiver does not keep up is the sender's own choice.
struct sender_options {
    partywall::overflow overflow = partywall::overflow::block;
    /// How long a send waits for room under overflow::block.
    std::chrono::nanoseconds block_for = std::chrono::seconds(1);
    fencing fence = fencing::automatic;
    partywall::waiting waiting = partywall::waiting::spin_then_park;
    /// The longest spin of spin_then_park; how long it really is, is learned (see waiting).
    std::chrono::nanoseconds spin_for = spin_default;
    partywall::memory_options memory = {};
};

} // namespace partywall::inline v0
