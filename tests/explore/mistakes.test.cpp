// SPDX-License-Identifier: BSL-1.0
// What is no memory order, but must be as it is as well.
#include "mistakes.hpp"

#include "support/watchdog.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace partywall::test::explore {
namespace {

void expect_failure(named_scenario const& one, way const& how = {}) {
    watchdog::extend(std::chrono::minutes(5));
    outcome const result = one.run(how);
    say(first_line(result.violation), result);
    EXPECT_NE(result.violation, "");
}

TEST(Mistakes, LaneThatBeginsFurtherOnAlthoughItWasNotFreedLosesMessages) {
    expect_failure(lane_that_moves_on_too_early());
}

TEST(Mistakes, ProofOfDeathBeforeTheOwnerWordRobsTheLiving) {
    expect_failure(slot_with_the_proof_first());
}

TEST(Mistakes, SleepingOnAValueReadAfterTheArmingLosesTheWakeUp) {
    // The reader may have answered the arming already, for a cursor that was not enough.
    expect_failure(room_bell_with_a_late_value());
}

TEST(Mistakes, CountingOnlyTheRepliesThatMayComeFillsTheirLane) {
    expect_failure(reply_credit_without_what_is_kept());
}

TEST(Mistakes, UsingASlotAgainBeforeItsReplyCameTakesThatForTheNextOnes) {
    expect_failure(slot_used_again_before_its_reply());
}

TEST(Mistakes, JoiningWithoutASecondLookAtThePositionLosesTheCell) {
    scenarios const all = gate_scenarios(false);
    auto const join = std::find_if(all.begin(), all.end(),
                                   [](named_scenario const& s) { return s.name == "GateJoin"; });
    ASSERT_NE(join, all.end());
    way how;
    how.mutate = [](access& a) { // the only word that the joiner loads twice
        a.repeat = a.thread == 1 && a.kind == access_kind::load && a.nth == 1;
    };
    expect_failure(*join, how);
}

TEST(Mistakes, ReleaseStoreAsTheMarkDoesNotReplaceTheFenceBehindIt) {
    way how;
    how.mutate = [](access& a) {
        bool const writer = a.thread == 0;
        a.skip = writer && a.kind == access_kind::fence;
        if (writer && a.kind == access_kind::store && a.nth % 2 == 0) {
            a.order = std::memory_order_release; // of a stamp: the marks are its even stores
        }
    };
    expect_failure(ring_scenarios(false).front(), how);
}

} // namespace
} // namespace partywall::test::explore
