// SPDX-License-Identifier: BSL-1.0
#include <partywall/participant.hpp>

#include "topic/topic_segments.hpp"

#include <utility>

namespace partywall::inline v0 {

result<participant, failure<join_errc>> join(std::string_view name, join_options const& options) {
    detail::recovery_hooks hooks = detail::topic_recovery_hooks;
    hooks.clean_record = &detail::clean_breaker_record;
    auto core = detail::participant_core::join(name, options, hooks);
    if (!core) {
        return std::move(core).error();
    }
    return participant(std::move(*core));
}

} // namespace partywall::inline v0
