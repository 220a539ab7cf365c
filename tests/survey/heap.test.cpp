// SPDX-License-Identifier: BSL-1.0
// Asking, answering and reading the answers do not use the heap.
#include "support.hpp"

#include <support/counting_new.hpp>
#if PARTYWALL_TEST_COUNTS_NEW
#include <support/counts.hpp>

#include <vector>

namespace partywall::test {
namespace {

class SurveyHeap : public SurveyTest {
  protected:
    /// Rounds in which not every respondent gave the right answer.
    std::uint64_t rounds_gone_wrong(asks& s, std::vector<answers>& all, std::uint64_t rounds) {
        std::uint64_t wrong = 0;
        for (std::uint64_t i = 0; i < rounds; ++i) {
            auto survey = s.ask(ask::of(i));
            std::size_t right = 0;
            for (answers& a : all) {
                (void)a.poll();
            }
            for (auto const& answer : *survey) {
                right += answer->answers(i) ? 1 : 0;
            }
            auto const r = survey->result();
            wrong += right == all.size() && r.answered == all.size() ? 0 : 1;
        }
        return wrong;
    }
};

TEST_F(SurveyHeap, IsNotUsedByEitherSideOfASurvey) {
    auto s = surveyor_of();
    std::vector<answers> all;
    all.push_back(willing());
    all.push_back(willing());
    all.push_back(willing());
    EXPECT_EQ(rounds_gone_wrong(s, all, 100), 0U);
    std::uint64_t const before = allocations;
    EXPECT_EQ(rounds_gone_wrong(s, all, count(2'000, 1'000'000)), 0U);
    EXPECT_EQ(allocations, before);
}

TEST_F(SurveyHeap, IsSeenBeingUsed) { // or the test above could not fail
    auto s = surveyor_of();
    std::vector<std::vector<std::uint64_t>> memory;
    std::vector<answers> all;
    all.push_back(respondent_with([&memory](ask const& a) {
        memory.emplace_back(1, a.number);
        return told::of(a.number);
    }));
    std::uint64_t const before = allocations;
    EXPECT_EQ(rounds_gone_wrong(s, all, 20), 0U);
    EXPECT_GE(allocations, before + 20);
}

} // namespace
} // namespace partywall::test

#endif
