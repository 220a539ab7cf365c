// SPDX-License-Identifier: BSL-1.0
#include <partywall/oneway/inbox_stats.hpp>

#include "inbox_segment.hpp"

#include <partywall/segment/owner_word.hpp>

namespace partywall::inline v0 {

result<inbox_stats, failure<endpoint_errc>> read_inbox_stats(directory const& where,
                                                             entry_info const& receiver) {
    auto const attached = detail::attach_inbox(where, receiver, access::read_only);
    if (!attached) {
        return attached.error();
    }
    constexpr auto relaxed = std::memory_order_relaxed; // figures: stale is safe
    auto const load = [](auto const& word) { return std_atomics::load(word, relaxed); };
    detail::inbox_segment const& s = *attached;
    inbox_stats all;
    all.bytes = s.map.size();
    all.received = load(s.control().received);
    all.missed = load(s.control().missed);
    all.sleeps = load(s.control().sleeps);
    all.lanes_freed = load(s.control().lanes_freed);
    all.expired = load(s.control().expired);
    all.cancelled = load(s.control().cancelled);
    all.refused = load(s.control().refused);
    all.failed = load(s.control().failed);
    all.lost = load(s.control().lost);
    all.senders_max = s.constants.lane_count;
    for (std::uint32_t i = 0; i < s.constants.lane_count; ++i) {
        detail::lane_header const& h = s.lanes()[i];
        owner const seen = owner_word<>::load(h.owner);
        if (seen.phase() != slot_phase::ready) {
            continue;
        }
        sender_stats one;
        one.lane = i;
        one.ticket = seen.ticket();
        one.incarnation = load(h.incarnation);
        one.overflow = load(h.overflow);
        one.closed = load(h.control.closed) != 0;
        one.received = load(h.slot.received);
        one.missed = load(h.slot.missed);
        one.rejected = load(h.control.rejected);
        one.blocked_count = load(h.control.blocked_count);
        one.blocked_ns = load(h.control.blocked_ns);
        one.wakes = load(h.control.wakes);
        if (owner_word<>::unchanged(h.owner, seen)) {
            all.received += one.received;
            all.missed += one.missed;
            all.senders.push_back(one);
        }
    }
    return all;
}

} // namespace partywall::inline v0
