// SPDX-License-Identifier: BSL-1.0
// The demo itself: starts the processes, kills some of them, and says what happens.
#pragma once

#include <string>

namespace demo {

/// `between`: the publisher is killed exactly between sending a line and noting it. Returns
/// whether everything held. Throws when the story could not be told to its end.
bool tell_story(std::string const& file, bool between);

} // namespace demo
