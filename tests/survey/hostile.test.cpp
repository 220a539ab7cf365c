// SPDX-License-Identifier: BSL-1.0
// Answers that no respondent of ours sends: to nothing that was asked, twice, in another's name, and
// garbage. Who sends them has a lane of its own, as any respondent.
#include "support.hpp"

#include <calls/forger.hpp>

#include <cstring>
#include <random>
#include <vector>

namespace partywall::test {
namespace {

using detail::call_id;
using detail::reply_header;
using detail::reply_status;

class false_respondent {
  public:
    false_respondent(participant const& as, std::uint64_t surveyor, std::uint64_t incarnation)
        : forged_(as, surveyor, incarnation, overflow::drop_oldest) {}
    void send(reply_header const& header, told const& body = told::of(99)) {
        forged_.send(header, bytes_of(body));
    }

  private:
    forger<told> forged_;
};

struct HostileRespondent : SurveyTest {
    participant other = joined(root.path(), "other");
    asks s = surveyor_of();
    answers honest = willing();

    std::uint64_t some_incarnation(participant const& of) {
        return incarnation_of(of.ticket(), of.core()->next_number());
    }
};

TEST_F(HostileRespondent, AnswersToWhatWasNotAskedAreNobodys) {
    auto survey = s.ask(ask::of(1)).value(); // place 0, generation 0
    false_respondent forged(other, s.incarnation(), some_incarnation(other));
    forged.send(header(call_id(1, 0)));     // a free place
    forged.send(header(call_id(0, 1)));     // another generation
    forged.send(header(call_id(64, 0)));    // beyond the table
    forged.send(header(~std::uint64_t{0})); // far beyond
    s.poll();
    EXPECT_EQ(s.late_answers(), 4u);
    EXPECT_FALSE(survey.ready());
    EXPECT_EQ(honest.poll(), 1u);
    auto const r = survey.result();
    expect_whole(r);
    EXPECT_EQ(r.answered, 1u);
    EXPECT_EQ(r.joined_late, 0u);
}

TEST_F(HostileRespondent, NobodyCanAnswerForAnother) {
    auto survey = s.ask(ask::of(1)).value();
    // It says that it is the honest one; the ticket of its lane says that it is not.
    false_respondent forged(other, s.incarnation(), honest.incarnation());
    forged.send(header(call_id(0, 0)));
    s.poll();
    EXPECT_FALSE(survey.over());
    EXPECT_EQ(honest.poll(), 1u);
    for (auto& answer : survey) {
        if (!answer.joined_late()) {
            EXPECT_EQ(answer.respondent(), honest.incarnation());
            EXPECT_TRUE(answer->answers(1));
        } else {
            EXPECT_EQ(answer.ticket(), other.ticket());
        }
    }
    auto const r = survey.result();
    expect_whole(r);
    EXPECT_EQ(status_of(r, honest.incarnation()), respondent_status::answered);
}

TEST_F(HostileRespondent, OnlyTheFirstAnswerOfEachCounts) {
    auto survey = s.ask(ask::of(1), enough(3)).value();
    false_respondent forged(other, s.incarnation(), some_incarnation(other));
    for (int i = 0; i < 5; ++i) {
        forged.send(header(call_id(0, 0)));
    }
    s.poll();
    EXPECT_FALSE(survey.over());
    EXPECT_EQ(s.late_answers(), 4u);
    EXPECT_EQ(honest.poll(), 1u);
    EXPECT_EQ(survey.result().joined_late, 1u);
    EXPECT_EQ(survey.ending(), survey_ending::all_answered);
}

TEST_F(HostileRespondent, WhatItSaysThatItLostConcernsNobodyElse) {
    auto survey = s.ask(ask::of(1)).value();
    false_respondent forged(other, s.incarnation(), some_incarnation(other));
    reply_header all = header(0, reply_status::missed);
    std::uint64_t const range[2] = {0, ~std::uint64_t{0}};
    std::memcpy(all.user, range, sizeof range);
    forged.send(all);
    s.poll();
    EXPECT_FALSE(survey.over());
    EXPECT_EQ(honest.poll(), 1u);
    EXPECT_EQ(survey.result().answered, 1u);
}

TEST_F(HostileRespondent, AnyBytesAreAtMostAnAnswerOfTheirOwnSender) {
    std::mt19937_64 random(8);
    false_respondent forged(other, s.incarnation(), some_incarnation(other));
    for (std::uint64_t i = 0; i < 2'000; ++i) {
        auto survey = s.ask(ask::of(i)).value();
        for (int k = 0; k < 3; ++k) {
            std::uint64_t const words[4] = {random() % 4 == 0 ? random() : random() % 40, random(),
                                            random(), random()};
            reply_header h{};
            std::memcpy(&h, words, sizeof h);
            if (k != 0) {
                h.status = static_cast<std::uint16_t>(random() % 14);
            }
            forged.send(h, told{random(), random()});
        }
        EXPECT_EQ(honest.poll(), 1u);
        for (auto& answer : survey) {
            if (answer.respondent() == honest.incarnation()) {
                EXPECT_TRUE(answer->answers(i));
            }
        }
        auto const r = survey.result();
        expect_whole(r);
        EXPECT_EQ(r.expected, 1u);
        EXPECT_EQ(r.answered, 1u);
        EXPECT_LE(r.joined_late, 1u);
    }
}

} // namespace
} // namespace partywall::test
