// SPDX-License-Identifier: BSL-1.0
// Who takes part in the life of a registry slot.
#pragma once

#include "scenarios.hpp"

namespace partywall::test::explore {

enum class proof_order { after_the_word, before_the_word };
enum class slot_part {
    owns,      ///< claims the slot when it is free, uses it, frees it; recovers it from the dead
    recoverer, ///< only recovers
};

named_scenario deaths_of(std::string name, std::vector<slot_part> const& parts, unsigned mortals,
                         unsigned deaths_max, proof_order asked);

} // namespace partywall::test::explore
