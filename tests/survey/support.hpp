// SPDX-License-Identifier: BSL-1.0
// What the tests of this room share: respondents whose handlers do what a test says.
#pragma once

#include <calls/support.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace partywall::test {

inline surveyor_options asking(std::chrono::nanoseconds deadline = 1h) {
    surveyor_options options;
    options.deadline = deadline;
    options.respondents_max = 8;
    return options;
}
inline survey_options within(std::chrono::nanoseconds deadline) {
    survey_options options;
    options.deadline = deadline;
    return options;
}
inline survey_options enough(std::uint32_t count) {
    survey_options options;
    options.at_least = count;
    return options;
}

/// What became of the question at that respondent.
inline std::optional<respondent_result> of(survey_result const& r, std::uint64_t respondent) {
    for (respondent_result const& one : r.respondents) {
        if (one.respondent == respondent) {
            return one;
        }
    }
    return std::nullopt;
}
inline respondent_status status_of(survey_result const& r, std::uint64_t respondent) {
    auto const one = of(r, respondent);
    return one ? one->status : respondent_status{};
}
/// Each that was expected is counted once.
inline void expect_whole(survey_result const& r) {
    EXPECT_EQ(r.expected, r.answered + r.declined + r.failed + r.busy + r.died + r.left + r.silent +
                              r.overflowed);
    EXPECT_EQ(r.respondents.size(), r.expected + r.joined_late);
    for (std::size_t i = 0; i < r.respondents.size(); ++i) {
        EXPECT_EQ(r.respondents[i].joined_late, i >= r.expected);
        for (std::size_t k = 0; k < i; ++k) {
            EXPECT_NE(r.respondents[i].respondent, r.respondents[k].respondent);
        }
    }
}

using asks = surveyor<ask, told>;
using answers = respondent<ask, told>;

struct SurveyTest : testing::Test {
    scratch_root root;
    participant me = joined(root.path());

    asks surveyor_of(surveyor_options const& options = asking()) {
        return me.surveyor<ask, told>("s", options).value();
    }
    template <class Handler>
    answers respondent_with(Handler handler, respondent_options const& options = {}) {
        return me.respondent<ask, told>("s", std::move(handler), options).value();
    }
    answers willing() {
        return respondent_with([](ask const& a) { return told::of(a.number); });
    }
};

} // namespace partywall::test
