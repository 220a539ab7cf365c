// SPDX-License-Identifier: BSL-1.0
// `survey` and `respond`: one question to many commands, their answers as they come, and what becomes
// of those who do not answer.
#include "serving.hpp"

#include <boost/json.hpp>

#include <csignal>
#include <memory>
#include <sstream>
#include <utility>

namespace partywall::test {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::UnorderedElementsAre;

class SurveyCommand : public Serving {
  protected:
    std::unique_ptr<tool> respond(std::string const& name, arguments const& command,
                                  arguments options = {}) {
        options.insert(options.end(), {"--name", name});
        return start("respond", entry_kind::respondent, std::move(options), command, ++started_);
    }
    static std::vector<std::string> lines(std::string const& text) {
        std::vector<std::string> all;
        std::istringstream in(text);
        for (std::string line; std::getline(in, line);) {
            all.push_back(line);
        }
        return all;
    }

  private:
    std::ptrdiff_t started_ = 0;
};

TEST_F(SurveyCommand, PrintsWhoAnsweredAndWhat) {
    auto const upper = respond("upper", {"tr", "a-z", "A-Z"});
    auto const same = respond("same", {"cat"});
    finished const survey = partywall({"survey", "x", "hello", "--wait", "50s"});
    EXPECT_EQ(survey.status, exited(0)) << survey.err;
    EXPECT_THAT(lines(survey.out),
                UnorderedElementsAre(EndsWith(".1\tHELLO"), EndsWith("\thello")));
    EXPECT_EQ(survey.err, "partywall: survey of 'x': all answered, 2 of 2 answered\n");
    finished const quiet = partywall({"survey", "x", "-q", "--wait", "50s"}, "one\ntwo\n");
    EXPECT_EQ(quiet.status, exited(0));
    EXPECT_EQ(quiet.err, "");
    EXPECT_THAT(lines(quiet.out), UnorderedElementsAre(EndsWith("\tONE"), EndsWith("\tTWO"),
                                                       EndsWith("\tone"), EndsWith("\ttwo")));
    EXPECT_THAT(lines(partywall({"survey", "x", "", "--wait", "50s"}).out),
                UnorderedElementsAre(EndsWith("\t"), EndsWith("\t")));
    expect_end(*upper, SIGTERM);
    expect_end(*same, SIGINT);
    EXPECT_EQ(upper->err(), "");
    expect_nothing_left();
}

TEST_F(SurveyCommand, PrintsEachAnswerWhenItComes) {
    auto const quick = respond("quick", {"cat"});
    auto const patient = respond("patient", patient_command());
    tool survey(root(), {"survey", "x", "hello", "--wait", "1h"}, to_pipe());
    EXPECT_THAT(survey.read_line(), EndsWith("\thello"));
    await_begun();
    open_gate();
    EXPECT_THAT(survey.read_line(), EndsWith("\tdone"));
    EXPECT_EQ(survey.wait(), exited(0)) << survey.err();
}

TEST_F(SurveyCommand, FirstEndsItWithTheFirstAnswer) {
    auto const stopped = respond("stopped", {"cat"});
    auto const quick = respond("quick", {"cat"});
    stopped->stop();
    finished const survey = partywall({"survey", "x", "hello", "--first", "--wait", "1h"});
    EXPECT_EQ(survey.status, exited(0)) << survey.err;
    EXPECT_THAT(lines(survey.out), ElementsAre(EndsWith("\thello")));
    EXPECT_THAT(survey.err, has("enough"));
    EXPECT_THAT(survey.err, has(".1 (stopped): silent\n"));
    finished const quiet =
        partywall({"survey", "x", "-q", "hello", "--quiet-for", "1ms", "--wait", "1h"});
    EXPECT_EQ(quiet.status, exited(1)) << "one answer of two: not all that was asked for";
    EXPECT_THAT(quiet.err, has("1 of 2 answered"));
    finished const two =
        partywall({"survey", "x", "hello", "--at-least", "2", "--quiet-for", "1ms"});
    EXPECT_EQ(two.status, exited(1));
    stopped->resume();
    EXPECT_EQ(partywall({"survey", "x", "hello", "--at-least", "2", "--wait", "50s"}).status,
              exited(0));
}

TEST_F(SurveyCommand, SaysOfEachThatDidNotAnswerWhy) {
    auto const fails = respond("fails", script("echo no such share >&2; echo more >&2; exit 3"));
    auto const declines = respond("declines", script("exit 1"), {"--decline", "1"});
    auto const answers = respond("answers", {"cat"});
    finished const survey = partywall({"survey", "x", "hello", "--wait", "50s"});
    EXPECT_EQ(survey.status, exited(1));
    EXPECT_THAT(survey.out, EndsWith("\thello\n"));
    EXPECT_THAT(survey.err, has("partywall: survey of 'x': all answered, 1 of 3 answered\n"));
    EXPECT_THAT(survey.err, has(".1 (fails): failed (failed, code 3): no such share\n"));
    EXPECT_THAT(survey.err, has(".1 (declines): declined\n"));
    EXPECT_EQ(lines(survey.err).size(), 3U);
    // Who declines, has said all that it has to say.
    expect_end(*fails, SIGTERM);
    EXPECT_EQ(partywall({"survey", "x", "hello", "--wait", "50s"}).status, exited(0));
    expect_end(*answers, SIGTERM);
    EXPECT_EQ(partywall({"survey", "x", "hello", "--wait", "50s"}).status, exited(1));
    EXPECT_EQ(declines->err(), "");
}

TEST_F(SurveyCommand, HearsOfARespondentsDeathAtOnce) {
    auto const patient = respond("patient", patient_command());
    auto const quick = respond("quick", {"cat"});
    tool survey(root(), {"survey", "x", "hello", "--wait", "1h"});
    await_begun();
    patient->kill(SIGKILL);
    EXPECT_EQ(patient->wait(), killed_by(SIGKILL));
    EXPECT_EQ(survey.wait(), exited(1));
    EXPECT_THAT(survey.out(), EndsWith("\thello\n"));
    EXPECT_THAT(survey.err(), has(": died\n"));
    open_gate(); // the command goes on to its end
}

TEST_F(SurveyCommand, NobodyThereIsKnownAtOnce) {
    finished const nobody = partywall({"survey", "x", "hello", "--wait", "1h"});
    EXPECT_EQ(nobody.status, exited(3));
    EXPECT_EQ(nobody.out, "");
    EXPECT_EQ(nobody.err, "partywall: survey of 'x': no respondents, 0 of 0 answered\n");
    auto const one = respond("one", {"cat"});
    finished const few =
        partywall({"survey", "x", "hello", "--wait-for", "2", "--timeout", "50ms"});
    EXPECT_EQ(few.status, exited(3));
    EXPECT_EQ(few.err, "partywall: 1 of 2 respondents of 'x' came within 50 ms\n");
    tool survey(root(), {"survey", "x", "hello", "--wait-for", "2", "--wait", "50s"});
    await_joined(survey);
    auto const two = respond("two", {"cat"});
    EXPECT_EQ(survey.wait(), exited(0)) << survey.err();
    EXPECT_EQ(lines(survey.out()).size(), 2U);
}

TEST_F(SurveyCommand, KillsTheCommandAndItsChildrenWhenTheTimeIsUp) {
    // The child keeps a pipe open for as long as it lives, and `pub` reads to the pipe's end.
    std::string const held = fifo("held");
    auto const one = respond("one", script("sleep 3600 > \"$1\" & wait", {held}));
    tool watches(root(), {"pub", "y", "--file", held});
    finished const survey = partywall({"survey", "x", "hello", "--wait", "3s"});
    EXPECT_EQ(survey.status, exited(1));
    EXPECT_THAT(survey.err, has("deadline, 0 of 1 answered\n"));
    EXPECT_THAT(survey.err, has(".1 (one): silent\n"));
    EXPECT_EQ(watches.wait(), exited(0)) << watches.err();
    expect_end(*one, SIGTERM); // still there
}

TEST_F(SurveyCommand, RespondentsDrainWhenTheyAreTerminated) {
    auto const one = respond("one", patient_command(), {"--drain", "50s"});
    tool survey(root(), {"survey", "x", "hello", "--wait", "1h"});
    await_begun();
    one->kill(SIGTERM);
    eventually([&] {
        auto const all = entries("x");
        return std::any_of(all.begin(), all.end(),
                           [](entry_info const& e) { return e.state == health::draining; });
    });
    EXPECT_EQ(partywall({"survey", "x", "another"}).status, exited(3)) << "it is not expected";
    open_gate();
    EXPECT_EQ(survey.wait(), exited(0)) << survey.err();
    EXPECT_THAT(survey.out(), EndsWith("\tdone\n"));
    EXPECT_EQ(one->wait(), exited(143)) << one->err();
    expect_nothing_left();
}

TEST_F(SurveyCommand, RespondentsEndAfterAsManyQuestionsAsTheyAreTold) {
    auto const one = respond("one", {"cat"}, {"--count", "2"});
    EXPECT_EQ(partywall({"survey", "x", "a", "--wait", "50s"}).status, exited(0));
    EXPECT_EQ(partywall({"survey", "x", "b", "--wait", "50s"}).status, exited(0));
    EXPECT_EQ(one->wait(), exited(0)) << one->err();
    expect_nothing_left();
}

TEST_F(SurveyCommand, AnswersAreBounded) {
    auto const one = respond("one", script("head -c \"$(cat)\" /dev/zero"), {"--answer-max", "1K"});
    EXPECT_EQ(partywall({"survey", "x", "1024", "--wait", "50s"}).status, exited(0));
    finished const over = partywall({"survey", "x", "9999999999", "--wait", "50s"});
    EXPECT_EQ(over.status, exited(1));
    EXPECT_THAT(over.err, has("code 125): killed: more than 1 KiB of output\n"));
    finished const here =
        partywall({"survey", "x", "1000", "--answer-max", "100", "--wait", "50s"});
    EXPECT_THAT(here.err, has("failed (reply too large, code 0)"));
}

TEST_F(SurveyCommand, SignalsEndASurvey) {
    auto const one = respond("one", patient_command(), {"--drain", "0"});
    tool survey(root(), {"survey", "x", "hello", "--wait", "1h"});
    await_begun();
    expect_end(survey, SIGINT);
    tool waits(root(), {"survey", "y", "hello", "--wait-for", "1"});
    await_joined(waits);
    expect_end(waits, SIGTERM);
    expect_end(*one, SIGTERM);
    expect_nothing_left();
}

TEST_F(SurveyCommand, OtherTypesEndWith5) {
    auto const me = join("tester", where()).value();
    auto typed = me.respondent<int, int>("x", [](int i) { return i; }).value();
    finished const survey = partywall({"survey", "x", "hello"});
    EXPECT_EQ(survey.status, exited(5)) << survey.err;
}

TEST_F(SurveyCommand, SurveyorsAndRespondentsAreListed) {
    auto const me = join("tester", where()).value();
    surveyor_options options;
    options.metadata = {{"unit", "EUR"}};
    auto surveyor = me.surveyor<int, int>("quotes", options).value();
    auto one = me.respondent<int, int>("quotes", [](int i) { return i; }).value();
    auto two = me.respondent<int, int>("quotes", [](int i) { return i + 1; },
                                       {.metadata = {{"desk", "FX"}}})
                   .value();
    for (int i = 0; i < 3; ++i) {
        auto survey = surveyor.ask(i).value();
        one.poll();
        two.poll();
        EXPECT_EQ(survey.result().answered, 2U);
    }
    finished const shown = partywall({"list"});
    EXPECT_EQ(shown.status, exited(0)) << shown.err;
    EXPECT_THAT(shown.out, has("topics: 0\n"));
    EXPECT_THAT(shown.out, has("surveys: 1\nquotes\n  surveyor of 1: alive, ready, type "));
    EXPECT_THAT(shown.out, has("asked 3, answers "));
    EXPECT_THAT(shown.out, has("2 of 64 respondents"));
    EXPECT_THAT(shown.out, has("respondent " + std::to_string(me.ticket()) + "." +
                               std::to_string(one.incarnation() & endpoints_max) + ": answers "));
    EXPECT_THAT(shown.out, has("unit=EUR"));
    EXPECT_THAT(shown.out, has("desk=FX"));
    finished const plain = partywall({"list", "--plain"});
    EXPECT_THAT(plain.out, has("\t0\nrespondent\tquotes\t1\t"));
    json::value const all = json::parse(partywall({"list", "--json"}).out);
    EXPECT_TRUE(all.at("topics").as_array().empty());
    ASSERT_EQ(all.at("surveys").as_array().size(), 1U);
    json::value const& survey = all.at("surveys").at(0);
    EXPECT_EQ(survey.at("name"), "quotes");
    ASSERT_EQ(survey.at("surveyors").as_array().size(), 1U);
    json::value const& asks = survey.at("surveyors").at(0);
    EXPECT_EQ(asks.at("health"), "ready");
    EXPECT_EQ(asks.at("problem"), json::value(nullptr));
    EXPECT_EQ(asks.at("counters").at("asked").to_number<int>(), 3);
    EXPECT_TRUE(asks.at("counters").at("answers").is_number()); // may lag behind
    EXPECT_EQ(asks.at("respondents").as_array().size(), 2U);
    EXPECT_EQ(asks.at("readers").as_array().size(), 2U);
    ASSERT_EQ(survey.at("respondents").as_array().size(), 2U);
    EXPECT_EQ(survey.at("respondents").at(0).at("alive"), true);
}

} // namespace
} // namespace partywall::test
