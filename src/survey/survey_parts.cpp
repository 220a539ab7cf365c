// SPDX-License-Identifier: BSL-1.0
#include "survey_parts.hpp"

#include <partywall/survey/survey_errc.hpp>

namespace partywall::inline v0 {

std::string_view to_string(survey_errc e) noexcept {
    switch (e) {
    case survey_errc::too_many_surveys: return "too many surveys";
    case survey_errc::too_large: return "question too large";
    case survey_errc::no_memory: return "no memory";
    case survey_errc::timed_out: return "timed out";
    case survey_errc::interrupted: return "interrupted";
    case survey_errc::closed: return "closed";
    case survey_errc::forked: return "forked child";
    }
    return "no error";
}

std::string_view to_string(survey_ending e) noexcept {
    switch (e) {
    case survey_ending::none: return "not over";
    case survey_ending::all_answered: return "all answered";
    case survey_ending::enough: return "enough answers";
    case survey_ending::deadline: return "deadline";
    case survey_ending::quiet: return "quiet";
    case survey_ending::no_respondents: return "no respondents";
    case survey_ending::cancelled: return "cancelled";
    case survey_ending::closed: return "closed";
    }
    return "unknown";
}

std::string_view to_string(respondent_status s) noexcept {
    switch (s) {
    case respondent_status::silent: return "silent";
    case respondent_status::answered: return "answered";
    case respondent_status::declined: return "declined";
    case respondent_status::failed: return "failed";
    case respondent_status::busy: return "busy";
    case respondent_status::died: return "died";
    case respondent_status::left: return "left";
    case respondent_status::overflowed: return "overflowed";
    }
    return "unknown";
}

namespace detail {

result<void, endpoint_failure> check_survey(participant_core& participant, entry_info const& mine,
                                            std::string_view doing) {
    for (entry_kind const kind : {entry_kind::surveyor, entry_kind::respondent}) {
        for (entry_info const& e : participant.entries(kind, mine.name)) {
            if (e.incarnation != mine.incarnation && e.type.fingerprint != mine.type.fingerprint &&
                !participant.proven_dead(e.owner_ticket)) {
                return fail(endpoint_errc::type_mismatch,
                            std::string(doing) + ": this side has " + describe(mine.type) +
                                ", participant " + std::to_string(e.owner_ticket) + " has " +
                                describe(e.type));
            }
        }
    }
    return {};
}

} // namespace detail
} // namespace partywall::inline v0
