// SPDX-License-Identifier: BSL-1.0
#include "topic_segments.hpp"

#include <partywall/ring/reader_seat.hpp>

#include <partywall/detail/mutant.hpp>

#include <utility>

namespace partywall::inline v0::detail {

result<mapping, endpoint_failure> attach_readers(directory const& dir, entry_info const& publisher,
                                                 access how, std::uint32_t& slot_count) {
    segment_id const id{segment_kind::readers, publisher.owner_ticket, publisher.number};
    auto readers = attach_segment(dir, {id, readers_layout_version, readers_fingerprint}, how);
    if (!readers) {
        return from_segment(readers.error(), "cannot attach topic '" + publisher.name + "'");
    }
    auto const corrupt = [&](char const* what) {
        return fail(endpoint_errc::corrupt, "cannot attach topic '" + publisher.name +
                                                "': " + file_name(id) + " has " + what);
    };
    if (readers->size() < reader_slots_offset) {
        return corrupt("no room for its own header");
    }
    // Copied once, checked, never read again.
    readers_constants constants;
    copy_words<>::load(reinterpret_cast<std::byte*>(&constants),
                       readers->data() + offsetof(readers_segment, constants), sizeof constants);
    if (constants.slot_bytes != sizeof(reader_slot) || constants.slot_count == 0 ||
        constants.slot_count > subscribers_max ||
        readers->size() != reader_slots_offset + constants.slot_count * sizeof(reader_slot)) {
        return corrupt("an impossible number of reader slots");
    }
    slot_count = constants.slot_count;
    return std::move(*readers);
}

result<topic_segments, endpoint_failure>
attach_topic(directory const& dir, entry_info const& publisher, access readers_access) {
    topic_segments t;
    segment_id const id{segment_kind::ring, publisher.owner_ticket, publisher.number};
    auto ring = attach_segment(dir, {id, ring_layout_version, ring_fingerprint}, access::read_only);
    if (!ring) {
        return from_segment(ring.error(), "cannot attach topic '" + publisher.name + "'");
    }
    auto const corrupt = [&](char const* what) {
        return fail(endpoint_errc::corrupt, "cannot attach topic '" + publisher.name +
                                                "': " + file_name(id) + " has " + what);
    };
    if (ring->size() < ring_cells_offset) {
        return corrupt("no room for its own header");
    }
    // Copied once, checked, never read again.
    ring_constants c;
    copy_words<>::load(reinterpret_cast<std::byte*>(&c),
                       ring->data() + offsetof(ring_segment, constants), sizeof c);
    t.geometry = {ring->data() + ring_cells_offset,
                  c.cell_count,
                  c.stride,
                  c.payload_bytes_max,
                  c.start_position,
                  c.payload_offset,
                  c.variable_length != 0,
                  0,
                  {}};
    if (!complete(t.geometry, c.pool, ring->data(), ring_cells_offset, ring->size(),
                  c.reader_slots)) {
        return corrupt("an impossible geometry");
    }
    t.pinning_slots = c.pool.pinning_slots;
    t.pins_per_slot = c.pool.pins_per_slot;
    if (c.fences != static_cast<std::uint32_t>(fence_pair::sleeper) &&
        c.fences != static_cast<std::uint32_t>(fence_pair::publisher)) {
        return corrupt("an unknown fence mode");
    }
    t.type_fingerprint = c.type_fingerprint;
    t.fences = static_cast<fence_pair>(c.fences);
    t.wakes = c.wakes == static_cast<std::uint32_t>(wake::sleepers);

    auto readers = attach_readers(dir, publisher, readers_access, t.slot_count);
    if (!readers) {
        return readers.error();
    }
    t.ring = std::move(*ring);
    t.readers = std::move(*readers);
    return t;
}

bool subscription_lives(participant_core& participant, std::string_view topic,
                        std::uint64_t incarnation, std::uint64_t ticket) noexcept {
    try {
        for (entry_info const& e : participant.entries(entry_kind::topic_subscription, topic)) {
            if (e.incarnation == incarnation && e.owner_ticket == ticket) {
                return !participant.proven_dead(ticket);
            }
        }
        return false;
    } catch (...) {
        return true; // out of memory is no proof
    }
}

namespace {

/// Whether `slot`, whose owner word was `seen`, is held by nobody who lives.
bool slot_may_go(participant_core& participant, entry_info const& publisher,
                 reader_slot const& slot, owner seen) noexcept {
    if (seen.is_free()) {
        return false;
    }
    constexpr auto relaxed = std::memory_order_relaxed; // published with `ready`
    bool const reservation = seen.ticket() == publisher.owner_ticket &&
                             seen.phase() == slot_phase::ready &&
                             std_atomics::load(slot.role, relaxed) ==
                                 static_cast<std::uint32_t>(reader_role::reservation);
    // A reservation has the ticket of its publisher, dead or alive, and is its subscription's.
    return reservation ? !subscription_lives(participant, publisher.name,
                                             std_atomics::load(slot.subscription, relaxed),
                                             std_atomics::load(slot.subscription_ticket, relaxed))
                       : participant.proven_dead(seen.ticket());
}

} // namespace

void reclaim_slots(participant_core& participant, entry_info const& publisher, reader_slot* slots,
                   std::uint32_t slot_count) noexcept {
    for (std::uint32_t i = 0; i < slot_count; ++i) {
        owner const seen = owner_word<>::load(slots[i].owner);
        if (slot_may_go(participant, publisher, slots[i], seen)) {
            // Fails if the word has changed since: then the question was answered for nobody.
            reader_seat<>::reclaim(slots[i], seen, participant.ticket());
        }
    }
}

bool reservation_waits(participant_core& participant, std::string_view topic,
                       reader_slot const* slots, std::uint32_t slot_count,
                       std::uint64_t owner_ticket) noexcept {
    for (std::uint32_t i = 0; i < slot_count; ++i) {
        owner const seen = owner_word<>::load(slots[i].owner);
        if (seen.phase() != slot_phase::ready || seen.ticket() != owner_ticket) {
            continue;
        }
        constexpr auto relaxed = std::memory_order_relaxed; // published with `ready`
        auto const role = std_atomics::load(slots[i].role, relaxed);
        auto const subscription = std_atomics::load(slots[i].subscription, relaxed);
        auto const ticket = std_atomics::load(slots[i].subscription_ticket, relaxed);
        if (!owner_word<>::unchanged(slots[i].owner, seen)) {
            return true; // being taken this very moment; look again later
        }
        if (role == static_cast<std::uint32_t>(reader_role::reservation) &&
            subscription_lives(participant, topic, subscription, ticket)) {
            return true;
        }
    }
    return false;
}

namespace {

char const* policy_name(std::uint32_t policy) noexcept {
    switch (static_cast<overflow>(policy)) {
    case overflow::drop_oldest: return "drop_oldest";
    case overflow::block: return "block";
    case overflow::reject: return "reject";
    }
    return "unknown";
}

std::string who(entry_info const& e) {
    return (e.kind == entry_kind::topic_publisher ? "a publisher" : "a lossless subscription") +
           std::string(" of participant ") + std::to_string(e.owner_ticket);
}

endpoint_failure type_mismatch(std::string_view topic, type_info const& mine,
                               entry_info const& other) {
    return fail(endpoint_errc::type_mismatch, "topic '" + std::string(topic) + "': this side has " +
                                                  describe(mine) + ", " + who(other) + " has " +
                                                  describe(other.type));
}

endpoint_failure option_mismatch(std::string_view topic, std::string const& mine,
                                 std::string const& theirs, entry_info const& other) {
    return fail(endpoint_errc::option_mismatch, "topic '" + std::string(topic) +
                                                    "': this side wants " + mine + ", " +
                                                    who(other) + " has " + theirs);
}

std::string describe_options(entry_info const& e) {
    return std::string("overflow ") + policy_name(e.policy) + ", depth " + std::to_string(e.depth) +
           ", payload_bytes_max " + std::to_string(e.payload_bytes_max);
}

bool counts(participant_core& participant, entry_info const& other, entry_info const* mine) {
    if (mine != nullptr && other.index == mine->index && other.owner == mine->owner) {
        return false;
    }
    return other.state != health::closed && !participant.proven_dead(other.owner_ticket);
}

} // namespace

result<void, endpoint_failure> check_topic(participant_core& participant, entry_info const* mine,
                                           std::string_view topic, type_info const& type,
                                           bool any_type, bool lossless) {
    bool const publishing = mine != nullptr && mine->kind == entry_kind::topic_publisher;
    auto const drops = static_cast<std::uint32_t>(overflow::drop_oldest);
    for (entry_info const& other : participant.entries(entry_kind::topic_publisher, topic)) {
        if (!counts(participant, other, mine)) {
            continue;
        }
        if (!any_type && other.type.fingerprint != type.fingerprint &&
            !PARTYWALL_MUTANT(wrong_type_accepted)) {
            return type_mismatch(topic, type, other);
        }
        if (publishing && (other.policy != mine->policy || other.depth != mine->depth ||
                           other.payload_bytes_max != mine->payload_bytes_max)) {
            return option_mismatch(topic, describe_options(*mine), describe_options(other), other);
        }
        if (lossless && other.policy == drops) {
            return option_mismatch(topic, "lossless delivery", describe_options(other), other);
        }
    }
    if (!publishing && !lossless) {
        return {};
    }
    for (entry_info const& other : participant.entries(entry_kind::topic_subscription, topic)) {
        if (!counts(participant, other, mine) || (other.flags & subscription_lossless) == 0) {
            continue;
        }
        if (other.type.fingerprint != type.fingerprint) {
            return type_mismatch(topic, type, other);
        }
        if (publishing && mine->policy == drops) {
            return option_mismatch(topic, describe_options(*mine), "lossless delivery", other);
        }
    }
    return {};
}

std::atomic<std::uint32_t>& lingering_publishers() noexcept {
    static std::atomic<std::uint32_t> count{0};
    return count;
}

namespace {

/// Whether what could not be attached for this reason cannot be attached ever: it is not there, or
/// nobody could read it. Descriptors and memory come back.
bool is_hopeless(endpoint_errc code) noexcept {
    return code == endpoint_errc::domain_gone || code == endpoint_errc::corrupt ||
           code == endpoint_errc::incompatible;
}

bool entry_may_go(participant_core& participant, entry_info const& e) {
    if (e.kind != entry_kind::topic_publisher) {
        return true;
    }
    std::uint32_t slot_count = 0;
    auto const readers = attach_readers(participant.dir(), e, access::read_only, slot_count);
    if (!readers) {
        // Not to be able to look is no proof that nobody waits for what was sent.
        return is_hopeless(readers.error().code);
    }
    return !reservation_waits(participant, e.name, topic_segments::slots_of(*readers), slot_count,
                              e.owner_ticket);
}

bool clean_inside(participant_core& participant, entry_info const& e) {
    if (e.kind != entry_kind::topic_publisher && e.kind != entry_kind::surveyor) {
        return true;
    }
    std::uint32_t slot_count = 0;
    auto const readers = attach_readers(participant.dir(), e, access::read_write, slot_count);
    if (!readers) {
        endpoint_errc const code = readers.error().code;
        return is_hopeless(code) || code == endpoint_errc::permission;
    }
    reclaim_slots(participant, e, topic_segments::slots_of(*readers), slot_count);
    return true;
}

template <class F>
auto guarded(F f, decltype(f()) otherwise) noexcept {
    try {
        return f();
    } catch (...) { // out of memory: recovery is idempotent and comes again
        return otherwise;
    }
}

} // namespace

recovery_hooks const topic_recovery_hooks{
    [](participant_core& p, entry_info const& e) {
        return guarded([&] { return entry_may_go(p, e); }, false);
    },
    [](participant_core& p, entry_info const& e) {
        return guarded([&] { return clean_inside(p, e); }, false);
    },
};

} // namespace partywall::inline v0::detail
