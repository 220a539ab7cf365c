// SPDX-License-Identifier: BSL-1.0
#include <partywall/participant.hpp>

#include "topic/topic_segments.hpp"

#include <utility>

namespace partywall::inline v0 {

result<participant, failure<join_errc>> join(std::string_view name, join_options const& options) {
    auto core = detail::participant_core::join(name, options, detail::topic_recovery_hooks);
    if (!core) {
        return std::move(core).error();
    }
    return participant(std::move(*core));
}

} // namespace partywall::inline v0
