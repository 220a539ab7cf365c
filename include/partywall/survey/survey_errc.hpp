// SPDX-License-Identifier: BSL-1.0
// How questions fail to be asked, how surveys end, and what became of each respondent.
#pragma once

#include <partywall/export.hpp>
#include <partywall/result.hpp>

#include <cstdint>
#include <string_view>
#include <type_traits>

namespace partywall::inline v0 {

/// Why a question was not asked.
enum class survey_errc : std::uint8_t {
    too_many_surveys = 1, ///< surveys_max of this surveyor are held: let go of one
    too_large,            ///< the question is longer than request_bytes_max
    no_memory,            ///< the list of respondents could not be read
    timed_out,            ///< wait_for_respondents(): they did not come
    interrupted,          ///< interrupt() was called
    closed,               ///< the surveyor was closed, or moved from
    forked,               ///< the surveyor belongs to the parent process
};

/// Why a survey is over.
enum class survey_ending : std::uint8_t {
    none = 0,       ///< it is not
    all_answered,   ///< nobody who was expected has still to say something: each has answered,
                    ///< declined, failed, left, died, or lost the question
    enough,         ///< survey_options::at_least answers came
    deadline,       ///< the time was up
    quiet,          ///< survey_options::quiet_for passed since the last answer
    no_respondents, ///< nobody was there when it was asked: it was over at once
    cancelled,      ///< cancel(), or interrupt() while it was waited for
    closed,         ///< the surveyor was closed meanwhile
};

/// What became of the question at one respondent.
enum class respondent_status : std::uint8_t {
    silent = 1, ///< expected, and nothing came from it before the survey was over
    answered,
    declined,   ///< its handler had nothing to say to this
    failed,     ///< its handler failed: respondent_result::fault, code, text
    busy,       ///< it was asked, and refused: too much deferred, draining, or too late
    died,       ///< before it answered
    left,       ///< it closed before it answered
    overflowed, ///< its answer, or the question, may have been lost for want of room: more were under
                ///< way than the ring or its lane holds
};

/// A text for people; a zero follows it.
[[nodiscard]] PARTYWALL_API std::string_view to_string(survey_errc e) noexcept;
[[nodiscard]] PARTYWALL_API std::string_view to_string(survey_ending e) noexcept;
[[nodiscard]] PARTYWALL_API std::string_view to_string(respondent_status s) noexcept;

template <>
struct is_error_enum<survey_errc> : std::true_type {};

} // namespace partywall::inline v0
