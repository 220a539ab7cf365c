// SPDX-License-Identifier: BSL-1.0
// What continuous integration may ask of speed: ratios within one run, with room to spare. A
// machine with other work to do is slow at everything; only a mistake of ours is slow at one thing.
#pragma once

#include "runner.hpp"

#include <functional>
#include <string>

namespace partywall::bench {

/// Returns whether every ratio held, once in a few attempts.
bool guard(runner& with, std::function<void(std::string const&)> const& tell);

} // namespace partywall::bench
