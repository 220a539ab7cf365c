// SPDX-License-Identifier: BSL-1.0
// That what the dead had was freed once, and only once.
//
// The trap notes each store with the eight bytes that it replaced, so the logs of the recoverers
// are, in order, logs of every change they made of an owner word; a change to `free` is a free. An
// owner word's sequence goes up by one with each change and is never reset. So between the word as
// it was when its owner had died, the logged changes, and the word as it is later, nothing can have
// happened that is not seen: what survivors did, who are not trapped, is two more, one to take it
// and one to free it. From the first claim after a free on the slot is somebody else's. Who joins
// untrapped, into a slot that survivors freed just before, and leaves again, adds the four changes
// of a life: so the words are looked at before such a one comes, too.
#pragma once

#include "store_trap.hpp"

#include <partywall/segment/owner_word.hpp>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace partywall::test {

using owners_by_place = std::map<std::string, owner>;

/// What was not freed exactly once of what `dead` owned in `at_death`, one line each; empty if all
/// was. `log`: stores of all recoverers, in order. `later`: the words after that, in order, the last
/// of them in the end; nobody joined between the log and the first.
std::string not_freed_once(owners_by_place const& at_death, std::vector<trap_point> const& log,
                           std::vector<owners_by_place> const& later,
                           std::set<std::uint64_t> const& dead);

} // namespace partywall::test
