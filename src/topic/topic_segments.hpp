// SPDX-License-Identifier: BSL-1.0
// What publishers, subscribers and recovery share: a topic's segments and its rules.
#pragma once

#include "../endpoint/endpoint_failure.hpp"

#include <partywall/endpoint/payload.hpp>
#include <partywall/registry/participant_core.hpp>
#include <partywall/ring/readers_layout.hpp>
#include <partywall/ring/ring_geometry.hpp>
#include <partywall/ring/ring_layout.hpp>
#include <partywall/segment/copy_words.hpp>
#include <partywall/topic/topic_options.hpp>
#include <partywall/wait/bell.hpp>

#include <atomic>
#include <string>
#include <string_view>
#include <utility>

namespace partywall::inline v0::detail {

/// Flag of a topic_subscription entry: it holds publishers back.
inline constexpr std::uint32_t subscription_lossless = 1;

/// The two segments of one publisher, attached, with everything in them that is a number checked
/// and copied.
struct topic_segments {
    mapping ring;
    mapping readers;
    ring_geometry geometry;
    std::uint64_t type_fingerprint = 0;
    fence_pair fences = fence_pair::publisher;
    bool wakes = true;
    std::uint32_t slot_count = 0;
    std::uint32_t pinning_slots = 0;
    std::uint32_t pins_per_slot = 0;

    ring_control& control() const noexcept {
        return reinterpret_cast<ring_segment*>(ring.data())->control;
    }
    std::uint32_t& arm() const noexcept {
        return reinterpret_cast<readers_segment*>(readers.data())->arm;
    }
    std::uint32_t& wake_arm() const noexcept {
        return reinterpret_cast<readers_segment*>(readers.data())->wake_arm;
    }
    reader_slot* slots() const noexcept { return slots_of(readers); }
    static reader_slot* slots_of(mapping const& readers) noexcept {
        return reinterpret_cast<reader_slot*>(readers.data() + reader_slots_offset);
    }
};

/// `readers`: how the readers segment is mapped; the ring is mapped read-only in any case.
result<topic_segments, endpoint_failure> attach_topic(directory const& dir,
                                                      entry_info const& publisher,
                                                      access readers = access::read_write);
/// Only the readers segment, for recovery. Its checked number of slots in `slot_count`.
result<mapping, endpoint_failure> attach_readers(directory const& dir, entry_info const& publisher,
                                                 access how, std::uint32_t& slot_count);

/// Whether the subscription that a reservation names still exists and its owner is not proven
/// dead. Once it is not so, it never is again.
bool subscription_lives(participant_core& participant, std::string_view topic,
                        std::uint64_t incarnation, std::uint64_t ticket) noexcept;

/// Frees what the dead hold among the reader slots of `publisher`, and places that it reserved for
/// subscriptions that are over.
void reclaim_slots(participant_core& participant, entry_info const& publisher, reader_slot* slots,
                   std::uint32_t slot_count) noexcept;

/// Whether any reservation in these slots, made by participant `owner_ticket`, still waits for a
/// live subscription.
bool reservation_waits(participant_core& participant, std::string_view topic,
                       reader_slot const* slots, std::uint32_t slot_count,
                       std::uint64_t owner_ticket) noexcept;

/// Who is alive on a topic decides what others may bring. `mine` is the entry that asks (already
/// visible to everybody, so that of two that come at the same time at least one sees the other);
/// nullptr for a subscriber without an entry.
result<void, endpoint_failure> check_topic(participant_core& participant, entry_info const* mine,
                                           std::string_view topic, type_info const& type,
                                           bool any_type, bool lossless);

/// Closed publishers of this process whose entries had to stay for untaken reservations. While
/// there are any, creating an endpoint recovers first.
std::atomic<std::uint32_t>& lingering_publishers() noexcept;

extern recovery_hooks const topic_recovery_hooks;

} // namespace partywall::inline v0::detail
