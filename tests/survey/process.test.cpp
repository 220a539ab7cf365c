// SPDX-License-Identifier: BSL-1.0
// Respondents and surveyors in processes of their own that are killed and stopped.
#include "support.hpp"

#include <support/role.hpp>

#include <csignal>
#include <map>
#include <random>
#include <sstream>

namespace partywall::test {
namespace {

/// Numbers from here on are not answered: the respondent says "executing", and hangs.
constexpr std::uint64_t hangs_from = 1'000'000;
/// And from here on it answers, and then says so and hangs.
constexpr std::uint64_t answers_and_hangs_from = 2'000'000;

/// Root. Answers until it is killed; "run" and "hang" follow.
PARTYWALL_ROLE(survey_respondent) {
    participant me = joined(context.arg(0), "respondent");
    std::vector<deferred<told>> owed;
    auto r = me.respondent<ask, told>("s", [&](ask const& a) {
        PARTYWALL_ROLE_CHECK(a.whole());
        if (a.number >= hangs_from && a.number < answers_and_hangs_from) {
            context.send("executing");
            context.hang();
        }
        return told::of(a.number);
    });
    PARTYWALL_ROLE_CHECK(r.has_value());
    context.send(std::to_string(r->incarnation()));
    for (;;) {
        std::istringstream line(context.receive());
        std::string verb;
        std::size_t count = 0;
        line >> verb >> count;
        if (verb == "run") {
            (void)r->run();
        }
        if (verb != "poll") {
            return 0;
        }
        for (std::size_t done = 0; done < count;) {
            done += r->poll(count - done);
        }
        context.send("polled");
    }
}

/// Root. Asks when it is told to, and says so.
PARTYWALL_ROLE(survey_surveyor) {
    participant me = joined(context.arg(0), "surveyor");
    auto s = me.surveyor<ask, told>("s", asking()).value();
    context.send("made");
    std::vector<survey<told>> held;
    for (;;) {
        std::istringstream line(context.receive());
        std::string verb;
        std::uint64_t number = 0;
        line >> verb >> number;
        if (verb != "ask") {
            return 0;
        }
        PARTYWALL_ROLE_CHECK(s.wait_for_respondents(1, 1h).has_value());
        held.push_back(s.ask(ask::of(number)).value());
        context.send("asked");
    }
}

struct SurveyProcess : SurveyTest {
    struct other {
        child process;
        std::uint64_t incarnation = 0;
    };
    other start(std::string const& then = "") {
        other o{spawn("survey_respondent", {root.path()}), 0};
        o.incarnation = std::stoull(o.process.receive());
        if (!then.empty()) {
            o.process.send(then);
        }
        return o;
    }
    static void kill(child& c) {
        c.kill(SIGKILL);
        EXPECT_EQ(c.wait(), killed_by(SIGKILL));
    }
};

TEST_F(SurveyProcess, AnswersComeFromOtherProcesses) {
    auto s = surveyor_of();
    other a = start("run");
    other b = start("run");
    for (std::uint64_t i = 0; i < 200; ++i) {
        auto survey = s.ask(ask::of(i)).value();
        std::size_t count = 0;
        for (auto& answer : survey) {
            EXPECT_TRUE(answer->answers(i));
            count += 1;
        }
        EXPECT_EQ(count, 2u);
        EXPECT_EQ(survey.ending(), survey_ending::all_answered);
    }
}

TEST_F(SurveyProcess, WhoDiesWhileItAnswersIsNotWaitedFor) {
    auto s = surveyor_of();
    other a = start("run");
    other b = start("run");
    std::jthread killer;
    auto survey = s.ask(ask::of(hangs_from)).value();
    a.process.expect("executing");
    b.process.expect("executing");
    killer = std::jthread([&] { a.process.kill(SIGKILL); });
    EXPECT_EQ(survey.next(50ms), nullptr);
    EXPECT_FALSE(survey.over()); // the other one lives
    b.process.kill(SIGKILL);
    EXPECT_EQ(survey.next(), nullptr);
    EXPECT_EQ(survey.ending(), survey_ending::all_answered);
    auto const r = survey.result();
    expect_whole(r);
    EXPECT_EQ(r.died, 2u);
}

TEST_F(SurveyProcess, WhoDiesBeforeItEverLookedIsNotWaitedForEither) {
    other a = start();
    auto s = surveyor_of();
    auto survey = s.ask(ask::of(1)).value();
    EXPECT_EQ(survey.next(5ms), nullptr);
    EXPECT_FALSE(survey.over());
    kill(a.process);
    EXPECT_EQ(survey.result().died, 1u);
    EXPECT_EQ(survey.ending(), survey_ending::all_answered);
}

TEST_F(SurveyProcess, TheLastAnswerOfTheDeadCounts) {
    auto s = surveyor_of();
    other a = start();
    auto survey = s.ask(ask::of(5)).value();
    a.process.send("poll 1");
    a.process.expect("polled");
    kill(a.process);
    auto const* const answer = survey.next();
    ASSERT_NE(answer, nullptr);
    EXPECT_TRUE((*answer)->answers(5));
    EXPECT_EQ(status_of(survey.result(), a.incarnation), respondent_status::answered);
    auto later = s.ask(ask::of(6)).value();
    EXPECT_EQ(later.next(), nullptr); // nobody is there, or who is expected turns out to be dead
    EXPECT_EQ(later.result().died, later.result().expected);
    EXPECT_EQ(s.respondents(), 0u);
}

TEST_F(SurveyProcess, TheDeadAreExpectedNoMore) {
    auto s = surveyor_of();
    other a = start("run");
    other b = start("run");
    EXPECT_EQ(s.ask(ask::of(1)).value().result().answered, 2u);
    kill(a.process);
    auto survey = s.ask(ask::of(2)).value(); // perhaps expected: then it has died
    EXPECT_EQ(status_of(survey.result(), b.incarnation), respondent_status::answered);
    EXPECT_EQ(survey.ending(), survey_ending::all_answered);
    auto next = s.ask(ask::of(3)).value();
    EXPECT_EQ(next.result().expected, 1u);
}

TEST_F(SurveyProcess, AStoppedRespondentIsSilentAndItsLateAnswerIsNobodys) {
    auto s = surveyor_of();
    other a = start("run");
    EXPECT_EQ(s.ask(ask::of(1)).value().result().answered, 1u);
    a.process.stop();
    {
        auto survey = s.ask(ask::of(2), within(20ms)).value();
        EXPECT_EQ(survey.result().silent, 1u);
        EXPECT_EQ(survey.ending(), survey_ending::deadline);
    }
    a.process.resume();
    auto survey = s.ask(ask::of(3)).value();
    for (auto& answer : survey) {
        EXPECT_TRUE(answer->answers(3));
    }
    EXPECT_EQ(survey.result().answered, 1u);
}

TEST_F(SurveyProcess, ASurveyorThatDiesIsLeftAndItsPlaceIsTakenByTheNext) {
    answers a = willing();
    for (int round = 0; round < 3; ++round) {
        child asker = spawn("survey_surveyor", {root.path()});
        asker.expect("made");
        asker.send("ask 1");
        asker.expect("asked");
        EXPECT_EQ(a.poll(1), 1u);
        EXPECT_EQ(a.executed(), static_cast<std::uint64_t>(round) + 1);
        asker.send("ask 2");
        asker.expect("asked");
        kill(asker);
        while (a.surveyor_count() != 0) {
            (void)a.run_for(1ms);
        }
        EXPECT_EQ(a.executed(), static_cast<std::uint64_t>(round) + 1); // its work is dropped
        EXPECT_EQ(a.cancelled(), static_cast<std::uint64_t>(round) + 1);
    }
    me.recover();
    std::size_t surveyors = 0;
    for (entry_info const& e : me.snapshot().entries) {
        surveyors += e.kind == entry_kind::surveyor ? 1 : 0;
    }
    EXPECT_EQ(surveyors, 0u);
}

TEST_F(SurveyProcess, ARespondentThatDiesAndComesAgainNeedsNobodysHelp) {
    auto s = surveyor_of(); // room for eight
    for (int round = 0; round < 12; ++round) {
        other a = start("run");
        auto survey = s.ask(ask::of(1)).value();
        EXPECT_EQ(status_of(survey.result(), a.incarnation), respondent_status::answered) << round;
        kill(a.process);
        while (s.respondents() != 0) {
            std::this_thread::yield();
        }
    }
}

TEST_F(SurveyProcess, OfThirtyTwoRespondentsEightAreKilledAndEveryOneHasItsStatus) {
    surveyor_options options = asking();
    options.respondents_max = 32;
    auto s = surveyor_of(options);
    std::vector<other> all;
    for (int i = 0; i < 32; ++i) {
        all.push_back(start(i < 8 ? "" : "run"));
    }
    ASSERT_TRUE(s.wait_for_respondents(32, 1h).has_value());
    auto survey = s.ask(ask::of(9)).value();
    std::size_t count = 0;
    while (count != 24) {
        auto const* const answer = survey.next();
        ASSERT_NE(answer, nullptr);
        EXPECT_TRUE((*answer)->answers(9));
        count += 1;
    }
    EXPECT_FALSE(survey.over());
    for (std::size_t i = 0; i < 8; ++i) {
        kill(all[i].process);
    }
    EXPECT_EQ(survey.next(), nullptr);
    EXPECT_EQ(survey.ending(), survey_ending::all_answered);
    auto const r = survey.result();
    expect_whole(r);
    EXPECT_EQ(r.expected, 32u);
    EXPECT_EQ(r.answered, 24u);
    EXPECT_EQ(r.died, 8u);
    for (std::size_t i = 0; i < all.size(); ++i) {
        EXPECT_EQ(status_of(r, all[i].incarnation),
                  i < 8 ? respondent_status::died : respondent_status::answered);
    }
    auto next = s.ask(ask::of(10)).value().result();
    EXPECT_EQ(next.answered, 24u);
    EXPECT_EQ(next.expected, 24u);
}

/// Surveys, kills and newcomers in any order: what was promised holds for each survey.
TEST_F(SurveyProcess, WhateverHappensEachWhoWasExpectedHasOneStatusAndAnswersAtMostOnce) {
    std::mt19937 random(20260801);
    surveyor_options roomy = asking();
    roomy.respondents_max = 64;
    auto s = surveyor_of(roomy);
    std::vector<other> alive;
    std::map<std::uint64_t, bool> killed;
    std::uint64_t number = 0;
    struct asked {
        std::uint64_t number;
        survey<told> what;
    };
    std::vector<asked> open;
    auto const check = [&](asked& a) {
        std::map<std::uint64_t, int> heard;
        for (auto& answer : a.what) {
            EXPECT_TRUE(answer->answers(a.number));
            heard[answer.respondent()] += 1;
        }
        auto const r = a.what.result();
        expect_whole(r);
        std::uint32_t answered = 0;
        for (respondent_result const& one : r.respondents) {
            EXPECT_EQ(heard[one.respondent], one.status == respondent_status::answered ? 1 : 0);
            answered += one.status == respondent_status::answered ? 1 : 0;
            if (one.status == respondent_status::died) {
                EXPECT_TRUE(killed[one.respondent]);
            }
            EXPECT_NE(one.status, respondent_status::failed);
        }
        EXPECT_EQ(heard.size(), r.respondents.size());
        if (r.ending == survey_ending::all_answered) {
            EXPECT_EQ(r.silent, 0u);
        }
        EXPECT_EQ(
            answered, r.answered + [&] {
                std::uint32_t late = 0;
                for (respondent_result const& one : r.respondents) {
                    late += one.joined_late && one.status == respondent_status::answered ? 1 : 0;
                }
                return late;
            }());
    };
    for (int step = 0; step < 300; ++step) {
        switch (random() % 8) {
        case 0:
            if (alive.size() < 6) {
                alive.push_back(start("run"));
                killed[alive.back().incarnation] = false;
            }
            break;
        case 1:
            if (!alive.empty() && random() % 2 == 0) {
                auto const at = alive.begin() + static_cast<long>(random() % alive.size());
                killed[at->incarnation] = true;
                if (random() % 2 == 0) {
                    kill(at->process);
                } else {
                    at->process.kill(SIGKILL); // and reaped when it goes out of the list
                }
                alive.erase(at);
            }
            break;
        case 2:
        case 3:
            while (open.size() > 4) {
                check(open.front());
                open.erase(open.begin());
            }
            break;
        default: {
            survey_options options = within(random() % 4 == 0 ? 1ms : 10s);
            options.at_least = random() % 3 == 0 ? 1 : 0;
            if (open.size() < 15) {
                number += 1;
                open.push_back({number, s.ask(ask::of(number), options).value()});
            }
        }
        }
    }
    for (asked& a : open) {
        check(a);
    }
    open.clear();
    EXPECT_EQ(s.held_surveys(), 0u);
    EXPECT_EQ(s.open_surveys(), 0u);
}

} // namespace
} // namespace partywall::test
