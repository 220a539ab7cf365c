// SPDX-License-Identifier: BSL-1.0
// Scenarios with a mistake in what stands around the templates: they must fail.
#pragma once

#include "scenarios.hpp"

namespace partywall::test::explore {

/// The receiver moves a lane's start on although the lane was not freed: its owner had opened it
/// after it was seen filling, and died.
named_scenario lane_that_moves_on_too_early();
/// The proof of death is asked for before the owner word is looked at: the owner is killed, one
/// recovers and claims, the other robs it.
named_scenario slot_with_the_proof_first();
/// The writer sleeps on the value of `freed` that the look after the arming found.
named_scenario room_bell_with_a_late_value();
/// A client does not count the replies that it has not given back.
named_scenario reply_credit_without_what_is_kept();
/// ... uses a slot again, in the same life, when it has given up its call.
named_scenario slot_used_again_before_its_reply();

} // namespace partywall::test::explore
