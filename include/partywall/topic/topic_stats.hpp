// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/endpoint/endpoint_errc.hpp>
#include <partywall/export.hpp>
#include <partywall/registry/entry_info.hpp>
#include <partywall/result.hpp>
#include <partywall/segment/directory.hpp>
#include <partywall/topic/topic_options.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace partywall::inline v0 {

/// How a reader is attached to a publisher. Readers that only look are seen by nobody.
enum class reader_kind : std::uint8_t {
    lossless, ///< its cursor holds the publisher back
    lossy,    ///< takes a place and counts, and holds nobody back
    reserved, ///< a place that the publisher keeps for a lossless subscription still to come
};

/// One reader of one publisher, as its slot says. Counters are brought up to date by their
/// readers now and then, not per message: they may lag behind.
struct reader_stats {
    std::uint32_t slot = 0;
    reader_kind kind = reader_kind::lossy;
    /// Who reads; for reserved places, the participant whose subscription is to come.
    std::uint64_t ticket = 0;
    std::uint64_t received = 0;
    std::uint64_t missed = 0;
    std::uint64_t sleeps = 0;
    std::uint64_t corrupt = 0;
    /// Messages that were sent and that it still needs. Nothing for lossy readers: nobody but
    /// they themselves know where they are.
    std::optional<std::uint64_t> lag;
};

/// The counters of one publisher and of its readers.
struct topic_stats {
    std::uint64_t ring_bytes = 0;    ///< of the file
    std::uint64_t readers_bytes = 0; ///< of the file
    std::uint64_t depth = 0;
    std::uint64_t payload_bytes_max = 0;
    std::uint64_t start_position = 0;
    partywall::wake wake = partywall::wake::sleepers;
    std::uint64_t sent = 0;
    bool closed = false;                 ///< in good order
    std::uint64_t rejected = 0;          ///< sends that ended without room
    std::uint64_t blocked_count = 0;     ///< sends that found no room at first
    std::uint64_t blocked_ns = 0;        ///< and how long they waited, in total
    std::uint64_t wakes = 0;             ///< times that sleeping readers were woken
    std::uint64_t scans = 0;             ///< looks at the readers' cursors
    std::uint64_t readers_reclaimed = 0; ///< places taken back from dead readers
    std::uint32_t readers_max = 0;
    std::vector<reader_stats> readers;
};

/// Reads the counters of a publisher, dead ones included, as long as its files are there. Maps
/// them read-only, takes no place, and leaves no trace.
///
/// Use when   a monitor or a tool wants figures.
/// Not when   messages are wanted: subscriber, with delivery::looking.
/// Callers    any thread.
/// Cost       attaching and releasing two segments: some ten system calls.
/// Peer dies  the figures are what it left.
/// Errors     domain_gone (its files are not there, any more), incompatible, corrupt, permission,
///            no_memory, system. May throw std::bad_alloc.
[[nodiscard]] PARTYWALL_API result<topic_stats, failure<endpoint_errc>>
read_topic_stats(directory const& where, entry_info const& publisher);

} // namespace partywall::inline v0
