// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/endpoint/endpoint_errc.hpp>
#include <partywall/export.hpp>
#include <partywall/registry/entry_info.hpp>
#include <partywall/result.hpp>
#include <partywall/segment/directory.hpp>

#include <cstdint>
#include <vector>

namespace partywall::inline v0 {

/// One sender of one receiver, as its lane says. Brought up to date now and then, not per message.
struct sender_stats {
    std::uint32_t lane = 0;
    std::uint64_t ticket = 0;
    std::uint64_t incarnation = 0;   ///< sample::sender()
    std::uint32_t overflow = 0;      ///< enum class overflow
    bool closed = false;             ///< in good order; not yet read to the end
    std::uint64_t received = 0;      ///< messages taken
    std::uint64_t missed = 0;        ///< overwritten before they could be taken
    std::uint64_t rejected = 0;      ///< sends that ended without room
    std::uint64_t blocked_count = 0; ///< sends that found no room at first
    std::uint64_t blocked_ns = 0;    ///< and how long they waited, in total
    std::uint64_t wakes = 0;         ///< times that it woke the receiver
};

/// The counters of one receiver, or server, and of its senders.
struct inbox_stats {
    std::uint64_t bytes = 0;    ///< of the file
    std::uint64_t received = 0; ///< of all senders there ever were
    std::uint64_t missed = 0;
    std::uint64_t sleeps = 0;
    std::uint64_t lanes_freed = 0; ///< senders that have come and gone
    std::uint32_t senders_max = 0;
    // Of a server's inbox, whose senders are clients; 0 in any other.
    std::uint64_t expired = 0;   ///< requests that were not executed: too late
    std::uint64_t cancelled = 0; ///< ... given up by their clients
    std::uint64_t refused = 0;   ///< ... no room for them, or the server was draining
    std::uint64_t failed = 0;    ///< requests that were answered with an error
    std::uint64_t lost = 0;      ///< answers that found nobody
    std::vector<sender_stats> senders;
};

/// Reads the counters of a receiver or server, a dead one included, as long as its file is there. Maps it
/// read-only and leaves no trace.
///
/// Use when   a monitor or a tool wants figures.
/// Callers    any thread.
/// Cost       attaching and releasing a segment: some five system calls.
/// Peer dies  the figures are what it left.
/// Errors     domain_gone (its file is not there, any more), incompatible, corrupt, permission,
///            no_memory, system. May throw std::bad_alloc.
[[nodiscard]] PARTYWALL_API result<inbox_stats, failure<endpoint_errc>>
read_inbox_stats(directory const& where, entry_info const& receiver);

} // namespace partywall::inline v0
