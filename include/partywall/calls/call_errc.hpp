// SPDX-License-Identifier: BSL-1.0
// How calls end that do not end with a reply.
#pragma once

#include <partywall/export.hpp>
#include <partywall/result.hpp>

#include <cstdint>
#include <string_view>
#include <type_traits>

namespace partywall::inline v0 {

/// Why there is no reply. Whether the request was executed is said beside it (call_error::executed);
/// docs/calls.md has a table of both, and of what to do next.
enum class call_errc : std::uint8_t {
    deadline = 1,  ///< no reply until the deadline
    peer_died,     ///< the server died
    cancelled,     ///< cancel() was called
    no_server,     ///< nobody serves under that name, or who did has closed
    overloaded,    ///< no room: in the server's lane, in its limit, or among this client's calls
    circuit_open,  ///< a breaker refused it
    server_error,  ///< the server says so: call_error::fault, code(), text()
    draining,      ///< every server there is finishes what it has
    refused,       ///< a server is there that cannot be used: see client::refusal()
    too_large,     ///< the request is longer than the server takes
    too_many_held, ///< replies_held_max replies are held: release one
    interrupted,   ///< interrupt() was called
    corrupt,       ///< what came back is nothing that a correct server writes
    no_memory,     ///< a reply that came early could not be kept: it is lost
    end_of_stream, ///< no failure: there are no more replies
    closed,        ///< the client was closed, or moved from
    forked,        ///< the client belongs to the parent process
};

/// What went wrong in the server (call_errc::server_error).
enum class server_fault : std::uint8_t {
    none = 0,
    failed,     ///< the handler failed the call: code() and text() are its own
    threw,      ///< the handler threw; text() is the exception's
    unanswered, ///< a deferred reply was let go without an answer
    too_large,  ///< the reply was longer than the client's reply_bytes_max
    declined,   ///< the handler had nothing to say to this: what surveys have it for
};

/// A text for people; a zero follows it.
[[nodiscard]] PARTYWALL_API std::string_view to_string(call_errc e) noexcept;
[[nodiscard]] PARTYWALL_API std::string_view to_string(server_fault f) noexcept;

template <>
struct is_error_enum<call_errc> : std::true_type {};

} // namespace partywall::inline v0
