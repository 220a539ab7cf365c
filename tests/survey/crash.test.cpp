// SPDX-License-Identifier: BSL-1.0
// A respondent, and a surveyor, that are killed at each of their stores to shared memory and each of
// their system calls. Those that are left must not wait for it, and nothing of it may stay.
#include "support.hpp"

#include <crash/store_trap.hpp>
#include <support/counts.hpp>
#include <support/role.hpp>

#include <csignal>
#include <filesystem>

namespace partywall::test {
namespace {

/// Root, what it does, action, point. Says "ready", waits for "go", does it trapped, says "done".
PARTYWALL_ROLE(survey_victim) {
    std::string const& root = context.arg(0);
    std::string const& what = context.arg(1);
    participant me = joined(root, "victim");
    trap_record& record = open_trap_record(root);
    auto const handler = [](ask const& a) { return told::of(a.number); };
    std::unique_ptr<answers> r;
    std::unique_ptr<asks> s;
    if (what == "answers") {
        r = std::make_unique<answers>(me.respondent<ask, told>("s", handler).value());
    } else if (what == "asks") {
        s = std::make_unique<asks>(me.surveyor<ask, told>("s", asking()).value());
    }
    context.send("ready");
    context.expect("go");
    store_trap::arm(root + "/d", record,
                    context.arg(2) == "kill" ? trap_action::kill : trap_action::count,
                    context.number(3));
    if (what == "comes") {
        r = std::make_unique<answers>(me.respondent<ask, told>("s", handler).value());
    } else if (what == "answers") {
        (void)r->poll(1);
        r.reset();
    } else {
        if (what == "comes and asks") {
            s = std::make_unique<asks>(me.surveyor<ask, told>("s", asking()).value());
        }
        auto survey = s->ask(ask::of(1)).value();
        for (auto& answer : survey) {
            PARTYWALL_ROLE_CHECK(answer->answers(1));
        }
        PARTYWALL_ROLE_CHECK(survey.result().answered == 1);
        s.reset();
    }
    store_trap::disarm();
    context.send("done");
    context.expect("leave");
    return 0;
}

struct SurveyCrash : SurveyTest {
    void SetUp() override {
        if (char const* const why = store_trap::unsupported()) {
            GTEST_SKIP() << why;
        }
    }
    child start(std::string const& what, std::uint64_t at) {
        child c = spawn("survey_victim",
                        {root.path(), what, at == 0 ? "count" : "kill", std::to_string(at)});
        c.expect("ready");
        return c;
    }
    /// True: it was killed at its point.
    static bool end(child& c) {
        exit_status const killed = killed_by(SIGKILL);
        try {
            c.expect("done");
        } catch (std::exception const&) {
            EXPECT_EQ(c.wait(), killed);
            return true;
        }
        c.send("leave");
        EXPECT_EQ(c.wait(), exited(0));
        return false;
    }
    std::size_t files() const {
        std::size_t count = 0;
        for (auto const& one : std::filesystem::directory_iterator(root.path() + "/d")) {
            (void)one;
            count += 1;
        }
        return count;
    }
    /// Whatever the dead left is gone after one recovery.
    void expect_nothing_left(std::size_t files_before, std::size_t entries_before) {
        (void)me.recover();
        EXPECT_EQ(files(), files_before);
        EXPECT_EQ(me.snapshot().entries.size(), entries_before);
        EXPECT_EQ(me.snapshot().participants.size(), 1u);
    }
    /// Points, from 1, at which to kill: all of them with full counts.
    template <class Round>
    void at_each_point(std::string const& what, Round round) {
        round(start(what, 0));
        std::uint64_t const points = open_trap_record(root.path()).points.load();
        EXPECT_GT(points, 10u);
        std::uint64_t const stride = std::max<std::uint64_t>(1, points / count(16, points));
        std::size_t killed = 0;
        for (std::uint64_t at = 1 + run_seed() % stride; at <= points + stride; at += stride) {
            SCOPED_TRACE(what + ", killed at point " + std::to_string(at) + " of " +
                         std::to_string(points));
            open_trap_record(root.path()).points.store(0);
            open_trap_record(root.path()).stores.store(0);
            killed += round(start(what, at)) ? 1 : 0;
            if (HasFailure()) {
                return;
            }
        }
        EXPECT_GT(killed, 5u);
    }
};

TEST_F(SurveyCrash, ARespondentThatIsKilledAnywhereWhileItAnswersHasOneStatusAndLeavesNothing) {
    auto s = surveyor_of();
    answers honest = willing();
    std::size_t const files_before = files();
    std::size_t const entries_before = me.snapshot().entries.size();
    at_each_point("answers", [&](child c) {
        auto survey = s.ask(ask::of(3)).value();
        c.send("go");
        EXPECT_EQ(honest.poll(), 1u);
        bool const killed = end(c);
        for (auto& answer : survey) {
            EXPECT_TRUE(answer->answers(3));
        }
        auto const r = survey.result();
        expect_whole(r);
        EXPECT_EQ(r.ending, survey_ending::all_answered);
        EXPECT_EQ(r.expected, 2u);
        EXPECT_EQ(status_of(r, honest.incarnation()), respondent_status::answered);
        EXPECT_EQ(r.answered + r.died, 2u);
        EXPECT_TRUE(killed || r.answered == 2);
        auto next = s.ask(ask::of(4)).value();
        EXPECT_EQ(honest.poll(), 1u);
        EXPECT_EQ(next.result().answered, 1u);
        EXPECT_EQ(next.ending(), survey_ending::all_answered);
        expect_nothing_left(files_before, entries_before);
        return killed;
    });
}

TEST_F(SurveyCrash, ARespondentThatIsKilledAnywhereWhileItComesHoldsNobodyUp) {
    auto s = surveyor_of();
    answers honest = willing();
    std::size_t const files_before = files();
    std::size_t const entries_before = me.snapshot().entries.size();
    at_each_point("comes", [&](child c) {
        c.send("go");
        bool const killed = end(c);
        auto survey = s.ask(ask::of(3)).value();
        EXPECT_EQ(honest.poll(), 1u);
        auto const r = survey.result();
        expect_whole(r);
        EXPECT_EQ(r.ending, survey_ending::all_answered);
        EXPECT_EQ(r.answered, 1u);
        EXPECT_EQ(r.died + r.left, r.expected - 1);
        expect_nothing_left(files_before, entries_before);
        return killed;
    });
}

/// For both ways of asking.
template <class Test>
void surveyors_die(Test& test, std::string const& what) {
    answers honest = test.willing();
    std::size_t const files_before = test.files();
    std::size_t const entries_before = test.me.snapshot().entries.size();
    test.at_each_point(what, [&](child c) {
        std::uint64_t const executed = honest.executed();
        bool killed = false;
        {
            running runs(honest);
            c.send("go");
            killed = test.end(c);
        }
        for (int i = 0; i < 1000 && honest.surveyor_count() != 0; ++i) {
            (void)honest.run_for(1ms);
        }
        EXPECT_EQ(honest.surveyor_count(), 0u);
        EXPECT_LE(honest.executed(), executed + 1); // at most once
        EXPECT_TRUE(killed || honest.executed() == executed + 1);
        test.expect_nothing_left(files_before, entries_before);
        return killed;
    });
}

TEST_F(SurveyCrash, ASurveyorThatIsKilledAnywhereWhileItAsksIsLeft) {
    surveyors_die(*this, "asks");
}
TEST_F(SurveyCrash, ASurveyorThatIsKilledAnywhereFromItsMakingToItsEndIsLeft) {
    surveyors_die(*this, "comes and asks");
}

} // namespace
} // namespace partywall::test
