// SPDX-License-Identifier: BSL-1.0
#include "inbox_segment.hpp"

#include <partywall/inbox/lane.hpp>
#include <partywall/segment/copy_words.hpp>

#include <algorithm>
#include <utility>

namespace partywall::inline v0::detail {
namespace {

/// Senders leave hints where looking at every lane would cost more than looking at these.
constexpr std::uint32_t lanes_without_hints = 64;

/// Lanes follow each other at an odd multiple of 128 bytes: the cells that the receiver looks at,
/// one per lane, lie in different sets of its cache.
constexpr std::uint64_t staggered(std::uint64_t bytes) noexcept {
    return (bytes + spacing_bytes - 1) / spacing_bytes * spacing_bytes | spacing_bytes;
}

void fill(std::byte* base, void* context) {
    auto const& p = *static_cast<inbox_plan const*>(context);
    auto& segment = *reinterpret_cast<lanes_segment*>(base);
    segment.constants = p.constants;
    auto* const lanes =
        reinterpret_cast<lane_header*>(base + lane_headers_offset(p.constants.lane_count));
    for (std::uint32_t i = 0; i < p.constants.lane_count; ++i) {
        lane<>::format(lanes[i], p.start_position, p.receiver);
    }
}

/// The cells and chunks of one lane; where its positions start is the lane's own. False: they are
/// impossible.
bool lane_at(std::byte* where, lanes_constants const& c, ring_geometry& g) noexcept {
    g = {where,
         c.cell_count,
         c.stride,
         c.payload_bytes_max,
         0,
         c.payload_offset,
         c.variable_length != 0,
         0,
         {}};
    return complete(g, c.pool, where, 0, c.lane_bytes, 1);
}

/// Whether the numbers fit each other and a segment of `bytes`. Every product is bounded before it
/// is formed: they may come from another process.
bool possible(lanes_constants const& c, std::uint64_t bytes) noexcept {
    if (c.lane_count == 0 || c.lane_count > senders_max || bytes > segment_bytes_max) {
        return false;
    }
    std::uint64_t const headers_end =
        lane_headers_offset(c.lane_count) + c.lane_count * sizeof(lane_header);
    if (c.cells_offset < headers_end || c.cells_offset % spacing_bytes != 0 ||
        c.cells_offset > bytes || c.lane_bytes % spacing_bytes != 0 ||
        c.lane_bytes > (bytes - c.cells_offset) / c.lane_count) {
        return false;
    }
    ring_geometry g;
    return c.cells_offset + c.lane_count * c.lane_bytes == bytes && lane_at(nullptr, c, g);
}

} // namespace

result<inbox_plan, endpoint_failure> plan_inbox(std::string_view doing, payload_shape const& shape,
                                                receiver_options const& o,
                                                std::uint64_t type_fingerprint, fence_pair fences) {
    auto const bad = [&](std::string reason) {
        return fail(endpoint_errc::bad_option, std::string(doing) + ": " + std::move(reason));
    };
    if (o.senders_max == 0 || o.senders_max > senders_max) {
        return bad("senders_max " + std::to_string(o.senders_max) + " is not in 1.." +
                   std::to_string(senders_max));
    }
    std::uint32_t const pins = std::min(o.samples_held_max, pins_per_subscriber_max);
    auto const cells =
        plan_cells(doing, shape, {o.depth, o.payload_bytes_max, o.inline_bytes_max, pins});
    if (!cells) {
        return cells.error();
    }
    inbox_plan p;
    lanes_constants& c = p.constants;
    c.cell_count = cells->cell_count;
    c.stride = cells->stride;
    c.payload_bytes_max = cells->payload_bytes_max;
    c.payload_offset = cells->payload_offset;
    c.type_fingerprint = type_fingerprint;
    c.variable_length = shape.variable_length ? 1 : 0;
    c.lane_count = o.senders_max;
    c.cells_offset = lane_headers_offset(c.lane_count) + c.lane_count * sizeof(lane_header);
    std::uint64_t const cells_end =
        (cells->bytes() + spacing_bytes - 1) / spacing_bytes * spacing_bytes;
    c.pool = describe_pool(*cells, cells_end, 1, pins);
    c.lane_bytes = staggered(cells_end + cells->pool.bytes());
    if (c.lane_bytes > (segment_bytes_max - c.cells_offset) / c.lane_count) {
        return bad(std::to_string(c.lane_count) + " lanes of " + std::to_string(c.lane_bytes) +
                   " bytes, for " + std::to_string(c.cell_count) + " messages of up to " +
                   std::to_string(cells->message_bytes_max()) +
                   " bytes each, are more than a segment may have (" +
                   std::to_string(segment_bytes_max) + " bytes)");
    }
    c.wakes = static_cast<std::uint32_t>(o.wake);
    c.fences = static_cast<std::uint32_t>(fences);
    c.hinted = c.lane_count > lanes_without_hints ? 1 : 0;
    p.start_position = o.start_position;
    return p;
}

ring_geometry inbox_segment::geometry(std::uint32_t lane) const noexcept {
    ring_geometry g;
    (void)lane_at(map.data() + constants.cells_offset + lane * constants.lane_bytes, constants, g);
    return g; // the constants are ours, or were checked
}

result<inbox_segment, endpoint_failure> create_inbox(participant_core& participant,
                                                     std::uint64_t number, inbox_plan& plan,
                                                     memory_options const& memory,
                                                     std::string_view doing) {
    std::uint64_t const ticket = participant.ticket();
    plan.receiver = ticket;
    // Lanes lie behind each other, each with its cells and chunks: what is reserved is all of them.
    std::uint64_t const backed =
        memory.backing == backing::reserved ? plan.constants.cells_offset : plan.bytes();
    auto map = create_segment(participant.dir(),
                              {{segment_kind::lanes, ticket, number},
                               lanes_layout_version,
                               lanes_fingerprint,
                               plan.bytes(),
                               incarnation_of(ticket, number),
                               backed},
                              fill, &plan);
    if (!map) {
        return from_segment(map.error(), doing);
    }
    return inbox_segment{std::move(*map), plan.constants};
}

result<inbox_segment, endpoint_failure> attach_inbox(directory const& dir,
                                                     entry_info const& receiver, access how) {
    segment_id const id{segment_kind::lanes, receiver.owner_ticket, receiver.number};
    auto map = attach_segment(dir, {id, lanes_layout_version, lanes_fingerprint}, how);
    if (!map) {
        return from_segment(map.error(), "cannot attach to receiver '" + receiver.name + "'");
    }
    auto const corrupt = [&](char const* what) {
        return fail(endpoint_errc::corrupt, "cannot attach to receiver '" + receiver.name +
                                                "': " + file_name(id) + " has " + what);
    };
    if (map->size() < sizeof(lanes_segment)) {
        return corrupt("no room for its own header");
    }
    inbox_segment s{std::move(*map), {}};
    // Copied once, checked, never read again.
    copy_words<>::load(reinterpret_cast<std::byte*>(&s.constants),
                       s.map.data() + offsetof(lanes_segment, constants), sizeof s.constants);
    if (!possible(s.constants, s.map.size())) {
        return corrupt("an impossible geometry");
    }
    return s;
}

} // namespace partywall::inline v0::detail
