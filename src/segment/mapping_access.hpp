// SPDX-License-Identifier: BSL-1.0
// The one way to make a mapping.
#pragma once

#include <partywall/segment/segment.hpp>

#include <cstdint>

namespace partywall::inline v0::detail {

struct mapping_access {
    /// Maps `bytes` of the open file. The error is an errno value.
    static result<mapping, int> make(int fd, std::uint64_t bytes, access how);
    static void set_incarnation(mapping& made, std::uint64_t incarnation) noexcept {
        made.incarnation_ = incarnation;
    }
};

} // namespace partywall::inline v0::detail
