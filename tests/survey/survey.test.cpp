// SPDX-License-Identifier: BSL-1.0
// Asking, answering, and how surveys end, in one process and one thread: respondents answer when they
// are polled.
#include "support.hpp"

#include <gmock/gmock.h>

#include <stdexcept>

namespace partywall::test {
namespace {

struct Survey : SurveyTest {};

TEST_F(Survey, AnswersComeAndItIsOverWhenAllHaveAnswered) {
    auto s = surveyor_of();
    answers a = willing();
    answers b = willing();
    auto survey = s.ask(ask::of(7)).value();
    EXPECT_FALSE(survey.over());
    EXPECT_EQ(survey.try_next(), nullptr);
    EXPECT_EQ(a.poll(), 1u);
    EXPECT_EQ(b.poll(), 1u);
    std::vector<std::uint64_t> from;
    for (auto& answer : survey) {
        EXPECT_TRUE(answer->answers(7));
        EXPECT_EQ(answer.ticket(), me.ticket());
        EXPECT_FALSE(answer.joined_late());
        from.push_back(answer.respondent());
    }
    EXPECT_THAT(from, testing::UnorderedElementsAre(a.incarnation(), b.incarnation()));
    EXPECT_EQ(survey.ending(), survey_ending::all_answered);
    auto const r = survey.result();
    expect_whole(r);
    EXPECT_EQ(r.expected, 2u);
    EXPECT_EQ(r.answered, 2u);
    EXPECT_EQ(status_of(r, a.incarnation()), respondent_status::answered);
    EXPECT_EQ(a.executed(), 1u);
    EXPECT_EQ(s.asked(), 1u);
}

TEST_F(Survey, WhereNobodyIsItIsOverAtOnce) {
    auto s = surveyor_of();
    auto survey = s.ask(ask::of(1)).value();
    EXPECT_EQ(survey.ending(), survey_ending::no_respondents);
    EXPECT_EQ(survey.next(), nullptr);
    EXPECT_EQ(survey.result().expected, 0u);
    EXPECT_EQ(s.asked(), 0u);
}

TEST_F(Survey, IsOverWhenEnoughHaveAnswered) {
    auto s = surveyor_of();
    answers a = willing();
    answers b = willing();
    answers c = willing();
    auto survey = s.ask(ask::of(1), enough(2)).value();
    EXPECT_EQ(a.poll(), 1u);
    EXPECT_NE(survey.next(), nullptr);
    EXPECT_FALSE(survey.over());
    EXPECT_EQ(b.poll(), 1u);
    EXPECT_NE(survey.next(), nullptr);
    EXPECT_EQ(survey.ending(), survey_ending::enough);
    EXPECT_EQ(c.poll(), 1u); // it sees that nobody wants it any more
    EXPECT_EQ(c.executed(), 0u);
    EXPECT_EQ(c.cancelled(), 1u);
    auto const r = survey.result();
    expect_whole(r);
    EXPECT_EQ(r.answered, 2u);
    EXPECT_EQ(status_of(r, c.incarnation()), respondent_status::silent);
}

TEST_F(Survey, MoreThanThereAreIsNeverEnoughButAllAnsweredIsTheEnd) {
    auto s = surveyor_of();
    answers a = willing();
    auto survey = s.ask(ask::of(1), enough(5)).value();
    EXPECT_EQ(a.poll(), 1u);
    EXPECT_TRUE(survey.wait(1h));
    EXPECT_EQ(survey.ending(), survey_ending::all_answered);
}

TEST_F(Survey, EndsAtItsDeadline) {
    auto s = surveyor_of();
    answers a = willing();
    answers b = willing();
    auto const start = std::chrono::steady_clock::now();
    auto survey = s.ask(ask::of(1), within(20ms)).value();
    EXPECT_EQ(a.poll(), 1u);
    EXPECT_NE(survey.next(), nullptr);
    EXPECT_EQ(survey.next(), nullptr);
    EXPECT_GE(std::chrono::steady_clock::now() - start, 20ms);
    EXPECT_EQ(survey.ending(), survey_ending::deadline);
    auto const r = survey.result();
    expect_whole(r);
    EXPECT_EQ(status_of(r, a.incarnation()), respondent_status::answered);
    EXPECT_EQ(status_of(r, b.incarnation()), respondent_status::silent);
    EXPECT_EQ(b.poll(), 1u); // too late, and counted
    EXPECT_EQ(b.executed(), 0u);
    EXPECT_EQ(b.expired(), 1u);
}

TEST_F(Survey, EndsWhenItIsQuietSinceTheLastAnswer) {
    auto s = surveyor_of();
    answers a = willing();
    answers b = willing();
    survey_options options;
    options.quiet_for = 5ms;
    auto survey = s.ask(ask::of(1), options).value();
    EXPECT_EQ(survey.next(20ms), nullptr); // before the first answer only the deadline counts
    EXPECT_FALSE(survey.over());
    EXPECT_EQ(a.poll(), 1u);
    EXPECT_NE(survey.next(), nullptr);
    EXPECT_EQ(survey.next(), nullptr);
    EXPECT_EQ(survey.ending(), survey_ending::quiet);
    EXPECT_EQ(survey.result().silent, 1u);
}

TEST_F(Survey, IsCancelledByItsHandleAndByAnInterrupt) {
    auto s = surveyor_of();
    answers a = willing();
    auto one = s.ask(ask::of(1)).value();
    one.cancel();
    EXPECT_EQ(one.ending(), survey_ending::cancelled);
    EXPECT_EQ(one.next(), nullptr);
    auto two = s.ask(ask::of(2)).value();
    s.interrupt();
    EXPECT_EQ(two.next(), nullptr);
    EXPECT_EQ(two.ending(), survey_ending::cancelled);
    EXPECT_EQ(two.result().silent, 1u);
    EXPECT_EQ(a.poll(), 2u);
    EXPECT_EQ(a.cancelled(), 2u);
}

TEST_F(Survey, OutlivesItsSurveyorWithWhatItHas) {
    std::optional<asks> s(surveyor_of());
    answers a = willing();
    auto survey = s->ask(ask::of(1)).value();
    answers b = willing();
    EXPECT_EQ(a.poll(), 1u);
    s->poll();
    auto open = s->ask(ask::of(2)).value();
    s.reset();
    EXPECT_EQ(survey.ending(), survey_ending::all_answered);
    auto const* const answer = survey.next();
    ASSERT_NE(answer, nullptr);
    EXPECT_TRUE((*answer)->answers(1));
    EXPECT_EQ(open.ending(), survey_ending::closed);
    EXPECT_EQ(open.next(), nullptr);
    EXPECT_EQ(open.result().silent, 2u);
    EXPECT_EQ(a.poll(), 1u); // what is left of a surveyor that is gone is left out
    EXPECT_EQ(a.executed(), 1u);
    EXPECT_EQ(a.surveyor_count(), 0u);
}

TEST_F(Survey, RespondentsDeclineAndFailInEveryWay) {
    auto s = surveyor_of();
    answers none = respondent_with([](ask const&) -> std::optional<told> { return std::nullopt; });
    answers fails = respondent_with(
        [](ask const&) -> result<told, call_failure> { return call_failure(7, "no such thing"); });
    answers throws =
        respondent_with([](ask const&) -> told { throw std::runtime_error("broken"); });
    answers in_place = respondent_with(
        [](ask const& a, response<told>& out, call_context&) { *out = told::of(a.number); });
    answers declines =
        respondent_with([](ask const&, response<told>& out, call_context&) { out.decline(); });
    answers forgets = respondent_with([](ask const&, deferred<told>, call_context&) {});
    auto survey = s.ask(ask::of(3)).value();
    for (answers* const r : {&none, &fails, &throws, &in_place, &declines, &forgets}) {
        EXPECT_EQ(r->poll(), 1u);
    }
    std::size_t count = 0;
    for (auto& answer : survey) { // values only
        EXPECT_EQ(answer.respondent(), in_place.incarnation());
        EXPECT_TRUE(answer->answers(3));
        count += 1;
    }
    EXPECT_EQ(count, 1u);
    auto const r = survey.result();
    expect_whole(r);
    EXPECT_EQ(r.ending, survey_ending::all_answered);
    EXPECT_EQ(r.declined, 2u);
    EXPECT_EQ(r.failed, 3u);
    EXPECT_EQ(status_of(r, none.incarnation()), respondent_status::declined);
    EXPECT_EQ(status_of(r, declines.incarnation()), respondent_status::declined);
    auto const failed = of(r, fails.incarnation());
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->fault, server_fault::failed);
    EXPECT_EQ(failed->code, 7);
    EXPECT_EQ(failed->text, "no such thing");
    auto const threw = of(r, throws.incarnation());
    ASSERT_TRUE(threw);
    EXPECT_EQ(threw->fault, server_fault::threw);
    EXPECT_EQ(threw->text, "broken");
    EXPECT_EQ(of(r, forgets.incarnation())->fault, server_fault::unanswered);
    EXPECT_EQ(none.declined(), 1u);
    EXPECT_EQ(throws.failed(), 1u);
}

TEST_F(Survey, ACallMayBeDeclinedToo) {
    auto server = me.server<ask, told>("c", [](ask const&) -> std::optional<told> {
                        return std::nullopt;
                    }).value();
    auto client = me.client<ask, told>("c").value();
    auto call = client.call_async(ask::of(1));
    EXPECT_EQ(server.poll(), 1u);
    auto const r = call.get();
    ASSERT_FALSE(r.has_value());
    EXPECT_EQ(r.error(), call_errc::server_error);
    EXPECT_EQ(r.error().fault, server_fault::declined);
}

TEST_F(Survey, DeferredAnswersComeLaterAndFromOtherThreads) {
    auto s = surveyor_of();
    std::vector<deferred<told>> owed;
    answers r = respondent_with(
        [&](ask const&, deferred<told> d, call_context&) { owed.push_back(std::move(d)); });
    auto one = s.ask(ask::of(1)).value();
    auto two = s.ask(ask::of(2)).value();
    EXPECT_EQ(r.poll(), 2u);
    EXPECT_EQ(r.deferred(), 2u);
    std::thread([&] { EXPECT_TRUE(owed.at(1).answer(told::of(2))); }).join();
    ASSERT_NE(two.next(), nullptr);
    EXPECT_FALSE(one.over());
    EXPECT_TRUE(owed.at(0).decline());
    EXPECT_EQ(one.next(), nullptr);
    EXPECT_EQ(one.result().declined, 1u);
    EXPECT_EQ(r.deferred(), 0u);
}

TEST_F(Survey, WorkersAnswerToo) {
    auto s = surveyor_of();
    respondent_options options;
    options.workers = 2;
    answers r = respondent_with([](ask const& a) { return told::of(a.number); }, options);
    auto survey = s.ask(ask::of(5)).value();
    EXPECT_EQ(r.poll(), 1u);
    auto const* const answer = survey.next();
    ASSERT_NE(answer, nullptr);
    EXPECT_TRUE((*answer)->answers(5));
}

TEST_F(Survey, TooMuchThatIsDeferredIsRefused) {
    auto s = surveyor_of();
    std::vector<deferred<told>> owed;
    respondent_options options;
    options.deferred_max = 1;
    answers r = respondent_with(
        [&](ask const&, deferred<told> d, call_context&) { owed.push_back(std::move(d)); },
        options);
    auto one = s.ask(ask::of(1)).value();
    auto two = s.ask(ask::of(2)).value();
    EXPECT_EQ(r.poll(), 2u);
    EXPECT_EQ(two.result().busy, 1u);
    EXPECT_FALSE(one.over());
    EXPECT_EQ(r.refused(), 1u);
}

TEST_F(Survey, WhoDrainsIsExpectedNoMoreAndRefusesWhatItWasAsked) {
    auto s = surveyor_of();
    answers r = willing();
    auto before = s.ask(ask::of(1)).value();
    ASSERT_TRUE(r.drain());
    auto after = s.ask(ask::of(2)).value();
    EXPECT_EQ(after.ending(), survey_ending::no_respondents);
    EXPECT_EQ(r.poll(), 1u);
    EXPECT_EQ(before.result().busy, 1u);
    ASSERT_TRUE(r.ready());
    EXPECT_EQ(s.respondents(), 1u);
    EXPECT_TRUE(r.shutdown(1h));
}

TEST_F(Survey, WhoStartsLaterIsNotExpectedUntilItIsReady) {
    auto s = surveyor_of();
    respondent_options options;
    options.starts_ready = false;
    answers r = respondent_with([](ask const& a) { return told::of(a.number); }, options);
    EXPECT_EQ(s.ask(ask::of(1)).value().ending(), survey_ending::no_respondents);
    ASSERT_TRUE(r.ready());
    auto survey = s.ask(ask::of(2)).value();
    EXPECT_EQ(r.poll(), 1u);
    EXPECT_EQ(survey.result().answered, 1u);
}

TEST_F(Survey, TheFirstQuestionAfterARespondentJoinedReachesIt) {
    auto s = surveyor_of();
    for (std::uint64_t i = 0; i < 20; ++i) {
        answers r = willing();
        auto survey = s.ask(ask::of(i)).value();
        ASSERT_EQ(r.poll(), 1u) << i;
        EXPECT_EQ(survey.result().answered, 1u) << i;
    }
    EXPECT_EQ(s.respondents(), 0u);
}

TEST_F(Survey, TheFirstQuestionOfANewSurveyorReachesWhoWasThereBefore) {
    answers r = willing();
    auto s = surveyor_of();
    auto survey = s.ask(ask::of(1)).value(); // which the respondent has never looked at
    EXPECT_EQ(survey.ending(), survey_ending::none);
    EXPECT_EQ(r.poll(), 1u);
    EXPECT_EQ(survey.result().answered, 1u);
}

TEST_F(Survey, WhoJoinsLateAndAnswersIsReportedAsThat) {
    auto s = surveyor_of();
    answers early = willing();
    respondent_options options;
    options.starts_ready = false;
    answers late = respondent_with([](ask const& a) { return told::of(a.number); }, options);
    auto survey = s.ask(ask::of(1)).value();
    ASSERT_TRUE(late.ready());
    EXPECT_EQ(late.poll(), 1u);
    auto const* const answer = survey.next();
    ASSERT_NE(answer, nullptr);
    EXPECT_TRUE(answer->joined_late());
    EXPECT_FALSE(survey.over()); // who was expected has still to answer
    EXPECT_EQ(early.poll(), 1u);
    auto const r = survey.result();
    expect_whole(r);
    EXPECT_EQ(r.expected, 1u);
    EXPECT_EQ(r.joined_late, 1u);
    EXPECT_TRUE(of(r, late.incarnation())->joined_late);
}

TEST_F(Survey, WhoLeavesBeforeItAnswersIsNotWaitedFor) {
    auto s = surveyor_of();
    std::optional<answers> a(willing());
    std::uint64_t const incarnation = a->incarnation();
    auto survey = s.ask(ask::of(1)).value();
    a.reset();
    EXPECT_EQ(survey.next(), nullptr);
    EXPECT_EQ(survey.ending(), survey_ending::all_answered);
    EXPECT_EQ(status_of(survey.result(), incarnation), respondent_status::left);
}

TEST_F(Survey, WhoLeavesWithoutEverHavingLookedIsNotWaitedForEither) {
    std::optional<answers> a(willing());
    auto s = surveyor_of();
    auto survey = s.ask(ask::of(1)).value();
    a.reset();
    EXPECT_EQ(survey.result().left, 1u);
    EXPECT_EQ(survey.ending(), survey_ending::all_answered);
}

TEST_F(Survey, WhatWasAnsweredBeforeLeavingCounts) {
    auto s = surveyor_of();
    std::optional<answers> a(willing());
    auto survey = s.ask(ask::of(1)).value();
    EXPECT_EQ(a->poll(), 1u);
    a.reset();
    EXPECT_EQ(survey.result().answered, 1u);
}

TEST_F(Survey, ManyAreUnderWayAtATimeAndAnswersFindTheirOwn) {
    auto s = surveyor_of();
    answers a = willing();
    answers b = willing();
    std::vector<survey<told>> all;
    for (std::uint64_t i = 0; i < 16; ++i) {
        all.push_back(s.ask(ask::of(i)).value());
    }
    auto const more = s.ask(ask::of(16));
    ASSERT_FALSE(more.has_value());
    EXPECT_EQ(more.error(), survey_errc::too_many_surveys);
    EXPECT_EQ(a.poll(), 16u);
    EXPECT_EQ(b.poll(), 16u);
    EXPECT_EQ(s.poll(), 48u); // 32 answers, 16 ends
    for (std::uint64_t i = 16; i-- != 0;) {
        std::size_t count = 0;
        for (auto& answer : all[i]) {
            EXPECT_TRUE(answer->answers(i));
            count += 1;
        }
        EXPECT_EQ(count, 2u);
    }
    EXPECT_EQ(s.held_surveys(), 16u);
    all.clear();
    EXPECT_EQ(s.held_surveys(), 0u);
    EXPECT_TRUE(s.ask(ask::of(17)).has_value());
}

TEST_F(Survey, ManySurveyorsOfOneNameHearTheirOwnAnswersOnly) {
    auto s = surveyor_of();
    auto t = surveyor_of();
    answers a = willing();
    auto one = s.ask(ask::of(1)).value();
    auto two = t.ask(ask::of(2)).value();
    EXPECT_EQ(a.poll(), 2u);
    EXPECT_TRUE((*one.next())->answers(1));
    EXPECT_TRUE((*two.next())->answers(2));
    EXPECT_EQ(one.result().answered, 1u);
    EXPECT_EQ(two.result().answered, 1u);
    EXPECT_EQ(a.surveyor_count(), 2u);
}

TEST_F(Survey, LateAnswersReachNoLaterSurveyAlsoWhereGenerationsWrap) {
    surveyor_options options = asking();
    options.surveys_max = 1; // one place, used by all
    options.first_generation = ~std::uint32_t{0} - 2;
    auto s = surveyor_of(options);
    std::vector<deferred<told>> owed;
    answers a = respondent_with(
        [&](ask const&, deferred<told> d, call_context&) { owed.push_back(std::move(d)); });
    for (std::uint64_t i = 0; i < 8; ++i) {
        auto survey = s.ask(ask::of(i)).value();
        EXPECT_EQ(a.poll(), 1u);
        if (i != 0) {
            EXPECT_TRUE(owed.at(i - 1).answer(told::of(i - 1))); // to the one before
            s.poll();
            EXPECT_EQ(survey.try_next(), nullptr) << i;
            EXPECT_EQ(s.late_answers(), i);
        }
    }
}

TEST_F(Survey, WhoIsOvertakenByQuestionsSaysSoAndIsNotWaitedFor) {
    surveyor_options options = asking();
    options.depth = 4;
    options.surveys_max = 4;
    auto s = surveyor_of(options);
    answers a = willing();
    auto first = s.ask(ask::of(0)).value();
    std::vector<survey<told>> more;
    for (std::uint64_t i = 1; i < 4; ++i) {
        more.push_back(s.ask(ask::of(i)).value());
    }
    more.erase(more.begin()); // room for one more survey, which overwrites the first question
    more.push_back(s.ask(ask::of(4)).value());
    EXPECT_EQ(a.poll(), 4u);
    EXPECT_EQ(a.missed(), 1u);
    EXPECT_EQ(first.result().overflowed, 1u);
    EXPECT_EQ(first.ending(), survey_ending::all_answered);
    for (auto& survey : more) {
        EXPECT_EQ(survey.result().answered, 1u);
    }
}

TEST_F(Survey, AnswersThatWereOverwrittenInItsLaneAreReported) {
    surveyor_options options = asking();
    options.surveys_max = 2; // a lane of four answers
    auto s = surveyor_of(options);
    answers a = willing();
    auto first = s.ask(ask::of(0), within(1s)).value();
    for (std::uint64_t i = 1; i < 8; ++i) {
        auto other = s.ask(ask::of(i)).value();
        EXPECT_EQ(a.poll(), i == 1 ? 2u : 1u);
        other.cancel(); // nobody looks into the lane
    }
    EXPECT_EQ(first.next(10ms), nullptr);
    first.cancel();
    EXPECT_GE(s.lost_answers(), 1u);
    auto const r = first.result();
    expect_whole(r);
    EXPECT_EQ(r.overflowed, 1u);
    auto next = s.ask(ask::of(9), within(10ms)).value(); // not blamed for that
    EXPECT_EQ(next.result().silent, 1u);
}

TEST_F(Survey, DifferentTypesAreRefusedOnEitherSide) {
    auto s = surveyor_of();
    auto const r = me.respondent<ask, ask>("s", [](ask const& a) { return a; });
    ASSERT_FALSE(r.has_value());
    EXPECT_EQ(r.error().code, endpoint_errc::type_mismatch);
    answers a = willing();
    auto const t = me.surveyor<told, told>("s");
    ASSERT_FALSE(t.has_value());
    EXPECT_EQ(t.error().code, endpoint_errc::type_mismatch);
}

TEST_F(Survey, OtherStylesOfTheSameNameAreNotDisturbed) {
    auto s = surveyor_of();
    answers a = willing();
    auto p = me.publisher<ask>("s").value();
    auto sub = me.subscriber<ask>("s").value();
    auto rec = me.receiver<told>("s").value();
    auto sen = me.sender<told>("s").value();
    auto survey = s.ask(ask::of(1)).value();
    EXPECT_FALSE(sub.try_receive());
    ASSERT_TRUE(p.send(ask::of(2)));
    ASSERT_TRUE(sen.send(told::of(3)));
    EXPECT_TRUE(sub.try_receive());
    EXPECT_TRUE(rec.try_receive());
    EXPECT_EQ(a.poll(), 1u);
    EXPECT_EQ(survey.result().answered, 1u);
}

TEST_F(Survey, BadOptionsAreRefused) {
    surveyor_options options = asking();
    options.depth = 4; // less than surveys_max
    EXPECT_EQ((me.surveyor<ask, told>("s", options).error().code), endpoint_errc::bad_option);
    options = asking();
    options.respondents_max = 0;
    EXPECT_EQ((me.surveyor<ask, told>("s", options).error().code), endpoint_errc::bad_option);
    options = asking();
    options.deadline = 0ns;
    EXPECT_EQ((me.surveyor<ask, told>("s", options).error().code), endpoint_errc::bad_option);
}

TEST_F(Survey, TextsOfAnyLengthGoBothWays) {
    auto s = me.surveyor<bytes, bytes>("t").value();
    auto shouts = me.respondent<bytes, bytes>("t", [](std::span<std::byte const> q) {
                        std::string all(reinterpret_cast<char const*>(q.data()), q.size());
                        return all + "!";
                    }).value();
    auto floods = me.respondent<bytes, bytes>("t", [](std::span<std::byte const>) {
                        return std::string(5000, 'x');
                    }).value();
    auto survey = s.ask("hello").value();
    EXPECT_EQ(shouts.poll(), 1u);
    EXPECT_EQ(floods.poll(), 1u);
    auto const* const answer = survey.next();
    ASSERT_NE(answer, nullptr);
    EXPECT_EQ(answer->text(), "hello!");
    auto const r = survey.result();
    EXPECT_EQ(of(r, floods.incarnation())->fault, server_fault::too_large);
    EXPECT_EQ(s.ask(std::string(5000, 'y')).error(), survey_errc::too_large);
    EXPECT_EQ(s.held_surveys(), 1u);
}

TEST_F(Survey, WhoFindsNoRoomAtASurveyorAnswersTheOthersAndIsHeardWhenThereIsRoom) {
    surveyor_options options = asking();
    options.respondents_max = 1;
    auto narrow = surveyor_of(options);
    std::optional<answers> first(willing());
    auto wide = surveyor_of();
    answers second = willing();
    EXPECT_FALSE(second.refusal().empty());
    auto one = wide.ask(ask::of(1), enough(1)).value();
    EXPECT_EQ(second.poll(), 1u);
    EXPECT_NE(one.next(), nullptr);
    first.reset();
    while (second.surveyor_count() != 2) {
        narrow.poll(); // lets go of the lane
        second.run_for(1ms);
    }
    auto two = narrow.ask(ask::of(2)).value();
    EXPECT_EQ(second.poll(), 1u);
    EXPECT_EQ(two.result().answered, 1u);
}

TEST_F(Survey, LargeQuestionsAndAnswersLieInChunks) {
    auto s = me.surveyor<page, page>("p").value();
    auto r = me.respondent<page, page>("p", [](page const& p, response<page>& out, call_context&) {
                   *out = p;
                   out->words[511] += 1;
               }).value();
    for (std::uint64_t i = 0; i < 200; ++i) {
        page q{};
        q.words[0] = i;
        q.words[511] = i;
        auto survey = s.ask(q, enough(1)).value();
        ASSERT_EQ(r.poll(), 1u);
        auto const* const answer = survey.next();
        ASSERT_NE(answer, nullptr);
        EXPECT_EQ((*answer)->words[0], i);
        EXPECT_EQ((*answer)->words[511], i + 1);
    }
}

TEST_F(Survey, TheContextSaysWhoAsksUntilWhenAndHandsTheHeaderOn) {
    auto s = surveyor_of();
    std::uint64_t client = 0;
    bool expired = true;
    std::chrono::nanoseconds left{};
    answers a = respondent_with([&](ask const& q, call_context& context) {
        client = context.client();
        expired = context.expired() || context.cancelled();
        left = context.left();
        return told::of(q.number);
    });
    survey_options options = within(1min);
    options.header[3] = 9;
    auto survey = s.ask(ask::of(1), options).value();
    EXPECT_EQ(a.poll(), 1u);
    EXPECT_EQ(client, s.incarnation());
    EXPECT_FALSE(expired);
    EXPECT_GT(left, 0s);
    EXPECT_LE(left, 1min);
    EXPECT_EQ(survey.next()->header()[3], 9);
}

TEST_F(Survey, AHandlerSeesThatItsSurveyorHasClosedAndMayCloseItsOwnRespondent) {
    std::optional<asks> s(surveyor_of());
    std::optional<answers> a;
    bool gone = false;
    a.emplace(respondent_with([&](ask const& q, call_context& context) {
        EXPECT_EQ(a->poll(), 0u); // its own: one question at a time
        s.reset();
        gone = context.cancelled();
        a->close();
        return told::of(q.number);
    }));
    auto survey = s->ask(ask::of(1)).value();
    EXPECT_EQ(a->poll(), 1u);
    EXPECT_TRUE(gone);
    EXPECT_EQ(survey.ending(), survey_ending::closed);
}

TEST_F(Survey, AHandlerMayAskOthersAndInheritsTheDeadline) {
    auto inner = me.surveyor<ask, told>("inner", asking()).value();
    auto deep =
        me.respondent<ask, told>("inner", [](ask const& q) { return told::of(q.number); }).value();
    auto s = surveyor_of();
    answers a = respondent_with([&](ask const& q, call_context& context) {
        auto survey = inner.ask(q, context).value();
        EXPECT_EQ(deep.poll(), 1u);
        return **survey.next();
    });
    auto survey = s.ask(ask::of(4)).value();
    EXPECT_EQ(a.poll(), 1u);
    EXPECT_TRUE((*survey.next())->answers(4));
}

TEST_F(Survey, LetsGoOfWhatNobodyHolds) {
    auto s = surveyor_of();
    answers a = willing();
    for (std::uint64_t i = 0; i < 100; ++i) {
        (void)s.ask(ask::of(i)); // destroyed at once: cancelled
    }
    EXPECT_EQ(s.held_surveys(), 0u);
    EXPECT_EQ(s.open_surveys(), 0u);
    a.poll();
    EXPECT_EQ(a.executed(), 0u);
}

TEST_F(Survey, CanBeWaitedForInASetAndThroughADescriptor) {
    auto s = surveyor_of();
    answers a = willing();
    auto set = me.wait_set();
    ASSERT_TRUE(set.add(s, 1));
    ASSERT_TRUE(set.add(a, 2));
    a.poll();
    s.poll();
    EXPECT_FALSE(set.wait(0ns).has_value());
    auto survey = s.ask(ask::of(1)).value();
    auto const asked = set.wait(1h);
    ASSERT_TRUE(asked.has_value());
    ASSERT_EQ(asked->size(), 1u);
    EXPECT_EQ((*asked)[0].key, 2u);
    EXPECT_EQ(a.poll(), 1u);
    auto const told = set.wait(1h);
    ASSERT_TRUE(told.has_value());
    EXPECT_EQ((*told)[0].key, 1u);
    EXPECT_EQ(s.poll(), 2u);
    EXPECT_TRUE(survey.ready());
    EXPECT_NE(survey.try_next(), nullptr);
    EXPECT_TRUE(a.fd().has_value());
    EXPECT_TRUE(s.fd().has_value());
}

TEST_F(Survey, WaitsForRespondentsToCome) {
    auto s = surveyor_of();
    EXPECT_EQ(s.wait_for_respondents(1, 5ms).error(), survey_errc::timed_out);
    s.interrupt();
    EXPECT_EQ(s.wait_for_respondents(1, 1h).error(), survey_errc::interrupted);
    std::optional<answers> a;
    std::thread other([&] { a.emplace(willing()); });
    EXPECT_TRUE(s.wait_for_respondents(1, 1h).has_value());
    other.join();
}

} // namespace
} // namespace partywall::test
