// SPDX-License-Identifier: BSL-1.0
// How a surveyor waits, whatever for.
#pragma once

#include <partywall/os/clock.hpp>
#include <partywall/survey/surveyor_core.hpp>

#include <algorithm>

namespace partywall::inline v0::detail {

/// Ends a wait: what was waited for is the case.
inline constexpr receive_errc over_now = receive_errc::refused;

/// A respondent has gone; source_ended() has dealt with it.
inline bool is_end_of_one(receive_errc e) noexcept {
    return e == receive_errc::peer_died || e == receive_errc::publisher_closed ||
           e == receive_errc::corrupt;
}

/// Deals with what comes until over(), or the time (timed_out).
template <class Over>
survey_errc surveyor_core::drive(Over over, std::uint64_t until_ns) noexcept {
    auto const once = [&]() noexcept {
        for (;;) {
            taken const t = take();
            if (t.error == receive_errc::none) [[likely]] {
                accept(t);
            } else if (t.error == receive_errc::empty) {
                if (!note_ends()) {
                    return error(over() ? over_now : receive_errc::empty);
                }
            } else if (!is_end_of_one(t.error)) {
                return t;
            }
            if (over()) {
                return error(over_now);
            }
        }
    };
    thorough_ = until_ns == 0; // who does not wait looks at everything
    taken t = once();
    std::uint64_t now = os::monotonic_ns();
    while (t.error == receive_errc::empty) {
        if (now >= next_due()) {
            expire(now);
            t = error(over() ? over_now : receive_errc::empty);
            continue;
        }
        if (now >= until_ns) {
            return survey_errc::timed_out;
        }
        t = wait_on(once, now, std::min(until_ns, next_due()));
        now = os::monotonic_ns();
        if (t.error == receive_errc::timed_out) {
            t = error(receive_errc::empty);
        }
    }
    switch (t.error) {
    case over_now: return survey_ok;
    case receive_errc::interrupted: return survey_errc::interrupted;
    case receive_errc::forked: return survey_errc::forked;
    default: return survey_errc::timed_out;
    }
}

} // namespace partywall::inline v0::detail
