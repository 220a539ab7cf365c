// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/calls/call_errc.hpp>
#include <partywall/survey/survey_errc.hpp>

#include <cstdint>
#include <span>
#include <string_view>

namespace partywall::inline v0 {

/// What became of a question at one respondent.
struct respondent_result {
    std::uint64_t respondent = 0; ///< incarnation: as survey_answer::respondent()
    std::uint64_t ticket = 0;     ///< of its participant: as entry_info::owner_ticket
    respondent_status status = respondent_status::silent;
    /// It was not expected: it came when the question had been asked, and heard it all the same.
    bool joined_late = false;
    server_fault fault = server_fault::none; ///< status failed: what went wrong, and what it says
    std::int32_t code = 0;
    std::string_view text; ///< valid as long as the survey
};

/// What a survey came to. Of the respondents that were expected exactly one of the counts counts
/// each; those that joined late are counted by `joined_late` alone.
struct survey_result {
    survey_ending ending = survey_ending::none;
    std::uint32_t expected = 0;
    std::uint32_t answered = 0;
    std::uint32_t declined = 0;
    std::uint32_t failed = 0;
    std::uint32_t busy = 0;
    std::uint32_t died = 0;
    std::uint32_t left = 0;
    std::uint32_t silent = 0;
    std::uint32_t overflowed = 0;
    std::uint32_t joined_late = 0;
    /// Each of those that were expected, once, and behind them those that joined late and said
    /// something. Valid as long as the survey.
    std::span<respondent_result const> respondents;
};

} // namespace partywall::inline v0
