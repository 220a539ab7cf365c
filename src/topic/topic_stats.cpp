// SPDX-License-Identifier: BSL-1.0
#include <partywall/topic/topic_stats.hpp>

#include "topic_segments.hpp"

#include <partywall/ring/ring_reader.hpp>
#include <partywall/segment/atomics.hpp>
#include <partywall/segment/owner_word.hpp>

namespace partywall::inline v0 {
namespace {

using detail::reader_role;
using detail::reader_slot;
using detail::ring_control;
using detail::topic_segments;
using owners = owner_word<>;

/// A slot that changes hands this often while it is read is left out.
constexpr int attempts_max = 16;

constexpr auto relaxed = std::memory_order_relaxed; // counters: stale is safe

/// How many positions lie between the start and what a word of the form 2*position+1 says.
std::uint64_t since_start(std::uint64_t word, std::uint64_t start) noexcept {
    return (word - detail::cursor_at(start)) / 2;
}

std::optional<reader_kind> kind_of(std::uint32_t role) noexcept {
    switch (static_cast<reader_role>(role)) {
    case reader_role::lossless: return reader_kind::lossless;
    case reader_role::lossy: return reader_kind::lossy;
    case reader_role::reservation: return reader_kind::reserved;
    case reader_role::none: break;
    }
    return std::nullopt;
}

/// One slot as it was at one moment; nothing if it is free, or changes all the time.
std::optional<reader_stats> read_slot(reader_slot const& slot, std::uint32_t index,
                                      topic_stats const& stats) noexcept {
    for (int attempt = 0; attempt < attempts_max; ++attempt) {
        owner const seen = owners::load(slot.owner);
        if (seen.phase() != slot_phase::ready || seen.ticket() == 0) {
            return std::nullopt;
        }
        reader_stats one;
        one.slot = index;
        one.ticket = seen.ticket();
        auto const kind = kind_of(std_atomics::load(slot.role, relaxed));
        auto const subscriber = std_atomics::load(slot.subscription_ticket, relaxed);
        one.received = std_atomics::load(slot.received, relaxed);
        one.missed = std_atomics::load(slot.missed, relaxed);
        one.sleeps = std_atomics::load(slot.sleeps, relaxed);
        one.corrupt = std_atomics::load(slot.corrupt, relaxed);
        auto const cursor = std_atomics::load(slot.cursor, relaxed);
        if (!owners::unchanged(slot.owner, seen)) {
            continue;
        }
        if (!kind) {
            return std::nullopt;
        }
        one.kind = *kind;
        if (one.kind == reader_kind::reserved) {
            one.ticket = subscriber;
        }
        if (one.kind != reader_kind::lossy && cursor != detail::cursor_none) {
            // It may have moved on since the publisher's end was read.
            std::uint64_t const at = since_start(cursor, stats.start_position);
            one.lag = stats.sent > at ? stats.sent - at : 0;
        }
        return one;
    }
    return std::nullopt;
}

} // namespace

result<topic_stats, failure<endpoint_errc>> read_topic_stats(directory const& where,
                                                             entry_info const& publisher) {
    auto const t = detail::attach_topic(where, publisher, access::read_only);
    if (!t) {
        return t.error();
    }
    topic_stats stats;
    stats.ring_bytes = t->ring.size();
    stats.readers_bytes = t->readers.size();
    stats.depth = t->geometry.cell_count;
    stats.payload_bytes_max = t->geometry.message_bytes_max();
    stats.start_position = t->geometry.start_position;
    stats.wake = t->wakes ? wake::sleepers : wake::never;
    ring_control const& control = t->control();
    // acquire: pairs with the release in publisher_core::close(); all its counters come before.
    std::uint64_t const closed = std_atomics::load(control.closed, std::memory_order_acquire);
    stats.closed = closed != 0;
    stats.sent = stats.closed ? since_start(closed, stats.start_position)
                              : detail::ring_reader<>(t->geometry, stats.start_position)
                                        .find_end(stats.start_position) -
                                    stats.start_position;
    stats.rejected = std_atomics::load(control.rejected, relaxed);
    stats.blocked_count = std_atomics::load(control.blocked_count, relaxed);
    stats.blocked_ns = std_atomics::load(control.blocked_ns, relaxed);
    stats.wakes = std_atomics::load(control.wakes, relaxed);
    stats.scans = std_atomics::load(control.scans, relaxed);
    stats.readers_reclaimed = std_atomics::load(control.readers_reclaimed, relaxed);
    stats.readers_max = t->slot_count;
    for (std::uint32_t i = 0; i < t->slot_count; ++i) {
        if (auto one = read_slot(t->slots()[i], i, stats)) {
            stats.readers.push_back(*one);
        }
    }
    return stats;
}

} // namespace partywall::inline v0
