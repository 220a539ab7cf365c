// SPDX-License-Identifier: BSL-1.0
// How a subscriber gets into a publisher's ring: finding publishers, taking a slot or a
// reservation, choosing where to begin.
#pragma once

#include "topic_segments.hpp"

#include <partywall/topic/subscriber_core.hpp>

#include <memory>

namespace partywall::inline v0::detail {

struct subscriber_attach {
    /// Looks the topic up again: attaches publishers that are new, notes those that ended.
    /// `initial`: the first look, whose failures are the caller's and which starts behind what is
    /// already there; a publisher that comes later is read from its first message.
    static result<bool, endpoint_failure> refresh(subscriber_core& core, bool initial);
    /// Gives back the place that the publisher reserved for a subscription that joined by itself.
    static void free_surplus(subscriber_core const& core, source& s) noexcept;

  private:
    static result<std::unique_ptr<source>, endpoint_failure>
    attach(subscriber_core& core, entry_info const& publisher, bool initial, bool ended);
    static result<void, endpoint_failure>
    check(subscriber_core const& core, topic_segments const& t, entry_info const& publisher);
    static bool take_seat(subscriber_core& core, source& s, topic_segments const& t,
                          entry_info const& publisher, bool ended, bool& reserved);
    static bool take_reservation(subscriber_core const& core, reader_slot& slot, source& s,
                                 fence_pair pair, bool surplus);
    static reader_slot* find_reservation(subscriber_core const& core, reader_slot* slots,
                                         std::uint32_t count, std::uint64_t publisher_ticket);
    static void place(subscriber_core const& core, source& s, bool initial, bool reserved);
    static void note_ends(subscriber_core& core, std::vector<entry_info> const& publishers,
                          bool& changed);
    static void prune(std::vector<std::uint64_t>& incarnations,
                      std::vector<entry_info> const& publishers);
};

} // namespace partywall::inline v0::detail
