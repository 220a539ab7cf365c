// SPDX-License-Identifier: BSL-1.0
// Options of servers, clients and single calls, with the defaults that suit most.
#pragma once

#include <partywall/breaker/breaker_options.hpp>
#include <partywall/endpoint/endpoint_options.hpp>
#include <partywall/limits.hpp>
#include <partywall/registry/metadata.hpp>
#include <partywall/wait/waiting.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

namespace partywall::inline v0 {

/// Bytes that are handed on beside a message, as they are: a trace id, for example.
using call_header = std::array<std::uint8_t, call_header_bytes>;

/// The server owns the memory of requests: how many may call it, and how much each may have waiting.
struct server_options {
    /// Requests that each client may have waiting: rounded up to a power of two, at least 4.
    std::uint64_t depth = 64;
    /// Longest request, in bytes. For variable-length types only (`bytes`, `T[]`).
    std::uint64_t request_bytes_max = 1024;
    /// Longer requests lie in chunks (see receiver_options).
    std::uint64_t inline_bytes_max = inline_bytes_default;
    /// Clients at a time. Each has a lane, whose memory is there from the beginning.
    std::uint32_t clients_max = clients_default;
    /// Requests whose answer is deferred, at a time; beyond it calls are `overloaded`, not executed.
    std::uint32_t deferred_max = 1024;
    /// Threads that run the handler; 0: it runs in run() and poll(). More than one must be able to
    /// run it at a time. Each request is copied, and so is each answer.
    std::uint32_t workers = 0;
    /// Requests that those have in hand or wait for them, at a time; beyond it as deferred_max.
    std::uint32_t workers_queue = 64;
    /// Draining from the beginning until ready() is called, where something has to be done first.
    bool starts_ready = true;
    partywall::wake wake = partywall::wake::sleepers;
    partywall::waiting waiting = partywall::waiting::spin_then_park;
    /// The longest spin of spin_then_park; how long it really is, is learned (see waiting).
    std::chrono::nanoseconds spin_for = spin_default;
    partywall::memory_options memory = {};
    /// Position of each client's first request. Only tests have a reason to change it.
    std::uint64_t start_position = 0;
    /// Shown to everybody who looks the name up.
    partywall::metadata metadata = {};
};

/// Which of several servers of one name gets a call.
enum class balance : std::uint8_t {
    round_robin = 1, ///< in turn
    /// Of two that are drawn, the one with fewer calls of this client under way and fewer requests
    /// of others that it has still to answer.
    least_busy,
};

/// What a call does that finds no room.
enum class when_full : std::uint8_t {
    fail = 1, ///< `overloaded` at once
    wait,     ///< waits for room until its deadline
};

/// The client owns the memory of replies: how many calls it may have under way.
struct client_options {
    /// Of a call that says nothing else. Every call has one.
    std::chrono::nanoseconds deadline = std::chrono::seconds(1);
    /// Calls under way at a time. One that was given up counts until its server has dealt with it.
    std::uint32_t calls_max = 64;
    /// Servers that it is attached to at a time.
    std::uint32_t servers_max = 8;
    /// Longest reply, in bytes. For variable-length types only (`bytes`, `T[]`).
    std::uint64_t reply_bytes_max = 1024;
    /// Longer replies lie in chunks (see receiver_options).
    std::uint64_t inline_bytes_max = inline_bytes_default;
    /// Replies that may be held in place at a time.
    std::uint32_t replies_held_max = 4;
    partywall::balance balance = partywall::balance::round_robin;
    partywall::when_full when_full = partywall::when_full::fail;
    /// Whether a call waits for a server, up to its deadline, instead of failing at once.
    bool wait_for_ready = false;
    /// A circuit breaker before each server, which docs/breakers.md describes: a call that none of
    /// them lets through is `circuit_open`.
    bool with_breaker = true;
    /// Its rules; nothing: breaker_options::for_deadline(deadline). Scope host: one breaker before
    /// all servers of the name, which all clients of the domain share that choose so too.
    std::optional<breaker_options> breaker = std::nullopt;
    fencing fence = fencing::automatic;
    partywall::waiting waiting = partywall::waiting::spin_then_park;
    /// The longest spin of spin_then_park; how long it really is, is learned (see waiting).
    std::chrono::nanoseconds spin_for = spin_default;
    partywall::memory_options memory = {};
    /// Position of each server's first reply. Only tests have a reason to change it.
    std::uint64_t start_position = 0;
    /// Generation of each slot's first call. Only tests have a reason to change it.
    std::uint32_t first_generation = 0;
};

/// Options of one call; what is not said is the client's.
struct call_options {
    /// From now on; 0: the client's. A call_context that is given as well can only shorten it.
    std::chrono::nanoseconds deadline{};
    /// Handed on to the handler beside the request.
    call_header header{};
    bool wait_for_ready = false;
    bool wait_for_room = false;
    /// Of a stream: replies that may be sent and not yet read, 1 to the client's calls_max. It and
    /// one more are kept free for the stream among the client's 2 x calls_max replies per server.
    std::uint32_t window = 16;
};

} // namespace partywall::inline v0
