// SPDX-License-Identifier: BSL-1.0
// The lanes segment of one receiver, as its receiver makes it and as senders attach it.
#pragma once

#include "../endpoint/endpoint_failure.hpp"

#include <partywall/inbox/lanes_layout.hpp>
#include <partywall/oneway/oneway_options.hpp>
#include <partywall/registry/participant_core.hpp>
#include <partywall/ring/ring_geometry.hpp>
#include <partywall/wait/bell.hpp>

#include <cstdint>

namespace partywall::inline v0::detail {

/// Numbers of a lanes segment: ours, or checked and copied.
struct inbox_plan {
    lanes_constants constants{};
    std::uint64_t start_position = 0; ///< creation only
    std::uint64_t receiver = 0;       ///< ticket; creation only
    std::uint64_t bytes() const noexcept {
        return constants.cells_offset + constants.lane_count * constants.lane_bytes;
    }
};

/// Errors: bad_option.
result<inbox_plan, endpoint_failure> plan_inbox(std::string_view doing, payload_shape const& shape,
                                                receiver_options const& options,
                                                std::uint64_t type_fingerprint, fence_pair fences);

struct inbox_segment {
    mapping map;
    lanes_constants constants{};

    explicit operator bool() const noexcept { return static_cast<bool>(map); }
    inbox_control& control() const noexcept { return whole().control; }
    inbox_bell& bell() const noexcept { return whole().bell; }
    std::uint16_t* hints() const noexcept {
        return reinterpret_cast<std::uint16_t*>(map.data() + hints_offset);
    }
    lane_header* lanes() const noexcept {
        return reinterpret_cast<lane_header*>(map.data() +
                                              lane_headers_offset(constants.lane_count));
    }
    /// The cells of one lane; where they start is the lane's own.
    ring_geometry geometry(std::uint32_t lane) const noexcept;

  private:
    lanes_segment& whole() const noexcept { return *reinterpret_cast<lanes_segment*>(map.data()); }
};

result<inbox_segment, endpoint_failure> create_inbox(participant_core& participant,
                                                     std::uint64_t number, inbox_plan& plan,
                                                     memory_options const& memory,
                                                     std::string_view doing);
result<inbox_segment, endpoint_failure> attach_inbox(directory const& dir,
                                                     entry_info const& receiver, access how);

} // namespace partywall::inline v0::detail
