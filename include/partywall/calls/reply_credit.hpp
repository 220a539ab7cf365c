// SPDX-License-Identifier: BSL-1.0
// How a client sees to it that no server finds its lane of replies full. Not for users.
//
// The replies that may still come and those that are not given back are together no more than the
// lane has cells. What was given back before a request was sent the server sees, because it has
// seen the request:
//
//   client: cursor of the lane, release;  stamp of the request, release
//   server: stamp of the request, acquire;  cursor of the lane, acquire (gate::scan())
#pragma once

#include <cstdint>

namespace partywall::inline v0::detail {

/// Whether `need` more replies may be asked for, where `open` may still come. `lane`: cells(),
/// unflushed() and flush(), which gives back what nobody holds.
template <class Lane>
bool has_reply_credit(std::uint64_t open, std::uint64_t need, Lane&& lane) {
    if (open + need + lane.unflushed() > lane.cells()) {
        lane.flush();
    }
    return open + need + lane.unflushed() <= lane.cells();
}

} // namespace partywall::inline v0::detail
