// SPDX-License-Identifier: BSL-1.0
// What the registry says about one endpoint: values, copied out of shared memory and checked.
#pragma once

#include <partywall/limits.hpp>
#include <partywall/registry/health.hpp>
#include <partywall/registry/metadata.hpp>

#include <cstdint>
#include <string>

namespace partywall::inline v0 {

/// Kinds of registry entries. Values are part of the registry's layout.
enum class entry_kind : std::uint32_t {
    topic_publisher = 1,
    topic_subscription = 2,
    inbox = 3,
    service = 4,
    surveyor = 5,
    respondent = 6,
};

/// What the messages of an endpoint are. Two endpoints fit when their fingerprints are equal;
/// the rest is for people and for bounds.
struct type_info {
    std::uint64_t fingerprint = 0;
    std::uint32_t size = 0; ///< 0: variable
    std::uint32_t alignment = 0;
    /// Kept up to type_name_bytes_max bytes; a longer one is cut, since the fingerprint decides.
    std::string name;

    friend bool operator==(type_info const&, type_info const&) = default;
};

/// What an endpoint tells the registry when it is created.
struct entry_spec {
    entry_kind kind = entry_kind::topic_publisher;
    std::string name;
    type_info type;
    std::uint64_t number = 0; ///< number of its segments, 0: it has none
    std::uint32_t policy = 0; ///< meaning depends on the kind
    std::uint32_t flags = 0;  ///< meaning depends on the kind
    std::uint64_t depth = 0;
    std::uint64_t payload_bytes_max = 0;
    health initial = health::starting;
    metadata meta;
};

/// An entry as it was read.
struct entry_info : entry_spec {
    std::uint32_t index = 0;        ///< of its slot
    std::uint64_t owner = 0;        ///< value of its owner word: names this life of the slot
    std::uint64_t owner_ticket = 0; ///< the participant that created it
    std::uint64_t incarnation = 0;  ///< tells it from every other endpoint, dead ones included
    health state = health::starting;
};

/// The incarnation of the endpoint that participant `ticket` created with segment `number`.
/// Unique in a domain, since numbers end at endpoints_max; grows from a dead endpoint to its
/// successor, since tickets grow.
constexpr std::uint64_t incarnation_of(std::uint64_t ticket, std::uint64_t number) noexcept {
    return (ticket << 24) | (number & endpoints_max);
}

} // namespace partywall::inline v0
