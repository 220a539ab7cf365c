// SPDX-License-Identifier: BSL-1.0
// Every limit of partywall, in one place. Exceeding one is an error with a name of its own,
// never undefined behaviour; docs/limits.md lists them with the errors.
#pragma once

#include <cstddef>
#include <cstdint>

namespace partywall::inline v0 {

/// Cache line that the layouts are built on. A constant of ours: the standard's differs by
/// compiler flags, and two processes must agree.
inline constexpr std::size_t line_bytes = 64;
/// Distance between words of different writers: two lines, since adjacent lines are prefetched.
inline constexpr std::size_t spacing_bytes = 128;

/// Endpoint names ("market/eurusd"), in bytes.
inline constexpr std::size_t name_bytes_max = 200;
/// Domain names; shorter, since a percent-encoded domain is one file name.
inline constexpr std::size_t domain_bytes_max = 64;
/// Participant names, in bytes (longer ones are refused, not cut).
inline constexpr std::size_t participant_name_bytes_max = 64;
/// Type names as they are compared and shown.
inline constexpr std::size_t type_name_bytes_max = 120;
/// Keys of metadata, in bytes.
inline constexpr std::size_t metadata_key_bytes_max = 64;
/// Metadata of one registry entry: all keys and values, encoded.
inline constexpr std::size_t metadata_bytes_max = 400;

/// Processes of one domain at a time.
inline constexpr std::uint32_t participants_max = 512;
/// Registry entries (publishers, lossless subscriptions, ...) of one domain at a time.
inline constexpr std::uint32_t entries_max = 1024;
/// Records that several participants use together (breakers of scope host), of one domain at a time.
inline constexpr std::uint32_t records_max = 128;
/// Endpoints that one participant creates in its life, and descriptors that it waits through:
/// their numbers are 24 bits.
inline constexpr std::uint64_t endpoints_max = (std::uint64_t{1} << 24) - 1;
/// Tickets are 40 bits and never used again: 10^12 joins per domain.
inline constexpr std::uint64_t ticket_max = (std::uint64_t{1} << 40) - 1;

/// Cells of one ring.
inline constexpr std::uint64_t cells_min = 4;
inline constexpr std::uint64_t cells_max = std::uint64_t{1} << 24;
/// Payload of one message.
inline constexpr std::uint64_t payload_bytes_max_limit = std::uint64_t{1} << 36;
/// Messages up to this length lie in the ring's cells whatever the options say, longer ones than
/// the option `inline_bytes_max` in a pool of chunks.
inline constexpr std::uint64_t always_inline_bytes = 56;
static_assert(always_inline_bytes == line_bytes - 8, "what fits one line with its stamp");
/// Where a message in a chunk begins to cost no more than one in its cell (docs/decisions/0009).
inline constexpr std::uint64_t inline_bytes_default = 1024;
/// Chunks of one pool.
inline constexpr std::uint64_t chunks_max = (std::uint64_t{1} << 24) - 2;
/// Large messages that one subscriber may hold while its publisher goes on, at most.
inline constexpr std::uint32_t pins_per_subscriber_max = 8;
/// Bytes of one segment.
inline constexpr std::uint64_t segment_bytes_max = std::uint64_t{1} << 40;
/// Subscribers of one publisher: the default, and the most that an option may ask for.
inline constexpr std::uint32_t subscribers_default = 64;
inline constexpr std::uint32_t subscribers_max = 1024;
/// Senders to one receiver: the default, and the most that an option may ask for.
inline constexpr std::uint32_t senders_default = 64;
inline constexpr std::uint32_t senders_max = 1024;
/// Publishers that one subscriber reads at a time.
inline constexpr std::uint32_t publishers_per_topic_max = 56;
/// Samples that one subscriber may hold at a time, at most.
inline constexpr std::uint32_t samples_held_limit = 32;

/// Clients of one server: the default, and the most that an option may ask for.
inline constexpr std::uint32_t clients_default = 64;
inline constexpr std::uint32_t clients_max = 1024;
static_assert(clients_max <= senders_max);
/// Servers of one name that one client is attached to, at most.
inline constexpr std::uint32_t servers_per_client_max = 32;
/// Calls that one client may have under way, at most.
inline constexpr std::uint32_t calls_per_client_max = 1 << 16;
/// Threads that run one server's handler, at most, and requests that wait for them.
inline constexpr std::uint32_t workers_max = 256;
inline constexpr std::uint32_t workers_queue_max = 1 << 15;
/// Bytes that a request and a reply carry beside their message.
inline constexpr std::size_t call_header_bytes = 16;
/// Text of a call's error, in bytes; longer ones are cut.
inline constexpr std::size_t call_text_bytes_max = 88;

/// Respondents of one surveyor: the default, and the most that an option may ask for.
inline constexpr std::uint32_t respondents_default = 64;
inline constexpr std::uint32_t respondents_max = 1024;
static_assert(respondents_max <= senders_max && respondents_max <= subscribers_max);
/// Surveys that one surveyor may hold at a time, at most.
inline constexpr std::uint32_t surveys_per_surveyor_max = 1 << 10;

/// Buckets of a breaker's time window.
inline constexpr std::uint32_t breaker_buckets_max = 16;
/// Results of a breaker's count window.
inline constexpr std::uint32_t breaker_window_calls_max = 4096;
/// Calls below which a breaker judges no rate, at most: what one bucket surely holds.
inline constexpr std::uint32_t breaker_minimum_calls_max = 4096;
/// Probes that a half-open breaker admits at a time, and results that it decides by, at most.
inline constexpr std::uint32_t breaker_permits_max = 16;
inline constexpr std::uint32_t breaker_probe_calls_max = 4096;

/// Words that one wait sleeps on (the kernel's own limit for futex_waitv).
inline constexpr std::size_t wait_words_max = 128;
/// Processes whose ends one descriptor tells of, which takes a descriptor each.
inline constexpr std::size_t processes_told_max = 32;

} // namespace partywall::inline v0
