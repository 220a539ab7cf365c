// SPDX-License-Identifier: BSL-1.0
// What can go wrong with publishers and subscribers, one enum per operation.
#pragma once

#include <partywall/export.hpp>
#include <partywall/result.hpp>

#include <cstdint>
#include <string_view>
#include <type_traits>

namespace partywall::inline v0 {

/// Creating a publisher, a subscriber or a latest. The failure's message says which object and
/// why; for mismatches it names both sides.
enum class endpoint_errc : std::uint8_t {
    bad_name = 1,         ///< the topic's name breaks the rules of names
    bad_option,           ///< an option is out of its limits or contradicts another
    type_mismatch,        ///< the topic carries another type
    option_mismatch,      ///< the topic lives with another policy, depth or size
    too_many_subscribers, ///< every slot of a publisher is taken by a live subscriber
    too_many_publishers,  ///< the topic has more publishers than one subscriber can read
    too_many_entries,     ///< the domain's registry is full of the living
    no_space,             ///< the domain's file system has no room for the ring
    no_memory,            ///< this process could not map or allocate
    permission,           ///< a file of the domain may not be used
    incompatible,         ///< a segment has another layout or version
    domain_gone,          ///< somebody deleted the domain's registry
    forked,               ///< the participant belongs to the parent process
    corrupt,              ///< a segment holds what no correct process writes
    system,               ///< another system call failed; see os_error
    name_taken,           ///< a live receiver of that name is there
    no_receiver,          ///< nobody receives under that name
    no_lane,              ///< as many senders as the receiver has lanes for
};

/// Sending. Nothing was sent, and nothing of the message is visible, whatever the reason.
enum class send_errc : std::uint8_t {
    full = 1,    ///< overflow::reject, and a lossless subscriber still needs the next cell
    timed_out,   ///< overflow::block, and no room until the deadline
    too_large,   ///< longer than payload_bytes_max
    interrupted, ///< interrupt() was called
    closed,      ///< the handle was closed, or moved from
    forked,      ///< the handle belongs to the parent process
    peer_died,   ///< senders: the receiver died; what it had not taken is lost, and counted
    no_receiver, ///< senders: nobody receives under that name now
    refused,     ///< senders: a receiver is there that cannot be used: see sender::refusal()
};

/// Receiving. No error loses anything but `corrupt`, and that only of the publisher it names.
enum class receive_errc : std::uint8_t {
    none = 0,         ///< there is a message
    empty,            ///< nothing there, and the call does not wait
    timed_out,        ///< nothing came until the deadline
    peer_died,        ///< a publisher died; every message it sent was delivered before
    publisher_closed, ///< a publisher closed; only with report_close
    interrupted,      ///< interrupt() was called
    too_many_samples, ///< samples_held_max samples are held: release one
    refused,          ///< a publisher came that cannot be read: see subscriber::refusal()
    corrupt,          ///< a publisher's ring holds what no correct process writes; it was detached
    no_memory,        ///< no memory for a copy of the message, which is still to be taken
    closed,           ///< the subscriber was closed, or moved from
    forked,           ///< the subscriber belongs to the parent process
};

/// A text for people; a zero follows it.
[[nodiscard]] PARTYWALL_API std::string_view to_string(endpoint_errc e) noexcept;
[[nodiscard]] PARTYWALL_API std::string_view to_string(send_errc e) noexcept;
[[nodiscard]] PARTYWALL_API std::string_view to_string(receive_errc e) noexcept;

template <>
struct is_error_enum<endpoint_errc> : std::true_type {};
template <>
struct is_error_enum<send_errc> : std::true_type {};
template <>
struct is_error_enum<receive_errc> : std::true_type {};

} // namespace partywall::inline v0
