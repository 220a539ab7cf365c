// SPDX-License-Identifier: BSL-1.0
// What the two halves of a sleep share, and how the end of a source is noted.
#pragma once

#include <partywall/endpoint/reading_end.hpp>

#include <atomic>
#include <cstdint>

namespace partywall::inline v0::detail {

/// Changes when a sample is given back by another thread than its reader's. One word for the
/// whole process: unlike a word of the reader's it outlives every reader. All that sleep
/// in this process wake and look, which is rare and cheap.
std::atomic<std::uint32_t>& kicks() noexcept;
void kick_sleepers() noexcept;
/// Adds the word of kick_sleepers(), which must know of who sleeps on it.
void add_kicks(wait_list& words) noexcept;
/// True: somebody woke us.
bool park_counted(wait_list& words, std::uint64_t until_ns) noexcept;
/// Who in this process waits through a descriptor, and must hear of a kick.
std::atomic<std::uint32_t>& ends_with_descriptors() noexcept;

/// There is a sign that a writer has ended: its death, or that its entry is gone. One that
/// closed in good order said so before, and by now its process may have left as well.
inline void mark_ended(source& s) noexcept {
    // acquire: pairs with the release in writing_end::say_closed(). Loaded after the sign was seen.
    s.dead = std_atomics::load(s.control->closed, std::memory_order_acquire) == 0;
    s.ending = true;
}

} // namespace partywall::inline v0::detail
