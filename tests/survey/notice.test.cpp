// SPDX-License-Identifier: BSL-1.0
// How long a survey waits for a respondent that was killed. Times are printed and recorded, and judged
// by nobody: the test fails only where somebody waits for ever.
#include "support.hpp"

#include <partywall/os/clock.hpp>
#include <process/puppet.hpp>
#include <support/counts.hpp>
#include <support/role.hpp>
#include <support/sandbox.hpp>
#include <support/watchdog.hpp>

#include <atomic>
#include <csignal>

namespace partywall::test {
namespace {

/// Root. Says that it was asked, and never answers.
PARTYWALL_ROLE(survey_mute) {
    participant me = joined(context.arg(0), "mute");
    auto r = me.respondent<ask, told>("s", [&](ask const& a) {
        context.send("asked");
        context.hang();
        return told::of(a.number);
    });
    PARTYWALL_ROLE_CHECK(r.has_value());
    context.send("there");
    (void)r->run();
    return 1;
}

using SurveyNotice = SurveyTest;

TEST_F(SurveyNotice, WaitsNoLongerForWhoWasKilled) {
    watchdog::extend(10min);
    surveyor_options options = asking();
    options.waiting = waiting::park;
    auto s = surveyor_of(options);
    times until_told;
    for (std::uint64_t i = count(20, 1000); i != 0; --i) {
        child dies = spawn("survey_mute", {root.path()});
        dies.expect("there");
        auto survey = s.ask(ask::of(i)).value();
        dies.expect("asked");
        std::uint64_t killed_ns = 0;
        std::atomic<std::uint64_t> told_ns{0};
        while_asleep(
            [&] {
                EXPECT_EQ(survey.next(), nullptr);
                told_ns = os::monotonic_ns();
            },
            [&] {
                killed_ns = os::monotonic_ns();
                dies.kill(SIGKILL);
            });
        until_told.add(told_ns - killed_ns);
        EXPECT_EQ(survey.ending(), survey_ending::all_answered);
        EXPECT_EQ(survey.result().died, 1u);
        EXPECT_EQ(dies.wait(), killed_by(SIGKILL));
        (void)me.recover();
    }
    until_told.report("kill of a respondent to the end of the survey");
}

} // namespace
} // namespace partywall::test
