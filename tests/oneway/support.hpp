// SPDX-License-Identifier: BSL-1.0
// What the tests of this room share: the message of tests/topic, and an inbox to be tampered with.
#pragma once

#include <partywall/inbox/lanes_layout.hpp>
#include <topic/support.hpp>

#include <span>

namespace partywall::test {

inline receiver_options lanes_of(std::uint64_t depth, std::uint32_t senders = 8) {
    receiver_options options;
    options.depth = depth;
    options.senders_max = senders;
    return options;
}
inline sender_options sending(overflow policy, std::chrono::nanoseconds block_for = 1h) {
    sender_options options;
    options.overflow = policy;
    options.block_for = block_for;
    return options;
}

/// A receiver's segment, mapped writable as only a hostile process would.
class tampered_inbox {
  public:
    tampered_inbox(participant const& as, entry_info const& receiver)
        : map_(attach(as, receiver)) {}
    tampered_inbox(participant const& as, std::string const& name)
        : tampered_inbox(as, as.core()->entries(entry_kind::inbox, name).at(0)) {}

    detail::lanes_segment& segment() const {
        return *reinterpret_cast<detail::lanes_segment*>(map_.data());
    }
    detail::lane_header& lane(std::uint32_t index) const {
        return reinterpret_cast<detail::lane_header*>(
            map_.data() + detail::lane_headers_offset(segment().constants.lane_count))[index];
    }
    detail::lane_header* lanes() const { return &lane(0); }
    std::uint32_t lane_count() const { return segment().constants.lane_count; }
    std::uint16_t& hint(std::uint32_t index) const {
        return reinterpret_cast<std::uint16_t*>(map_.data() + detail::hints_offset)[index];
    }
    /// Of all lanes.
    std::uint64_t& cell(std::uint32_t lane, std::uint64_t index) const {
        return *reinterpret_cast<std::uint64_t*>(map_.data() + segment().constants.cells_offset +
                                                 lane * segment().constants.lane_bytes +
                                                 index * segment().constants.stride);
    }
    std::span<std::byte> bytes() const { return {map_.data(), map_.size()}; }
    /// The lane of that participant; the number of lanes if it has none.
    std::uint32_t lane_of(std::uint64_t ticket) const {
        std::uint32_t i = 0;
        while (i < lane_count() && owner_word<>::load(lane(i).owner).ticket() != ticket) {
            i += 1;
        }
        return i;
    }
    std::uint32_t used_lanes() const {
        std::uint32_t used = 0;
        for (std::uint32_t i = 0; i < lane_count(); ++i) {
            used += owner_word<>::load(lane(i).owner).is_free() ? 0 : 1;
        }
        return used;
    }

  private:
    static mapping attach(participant const& as, entry_info const& e) {
        return attach_segment(as.core()->dir(),
                              {{segment_kind::lanes, e.owner_ticket, e.number},
                               detail::lanes_layout_version,
                               detail::lanes_fingerprint},
                              access::read_write)
            .value();
    }
    mapping map_;
};

} // namespace partywall::test
