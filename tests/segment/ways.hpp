// SPDX-License-Identifier: BSL-1.0
// The ways in which a new file can get its name: what the machine can do, and what it would do
// if it could do less.
#pragma once

#include <partywall/segment/segment.hpp>

#include <string>

namespace partywall::test {

enum class way { unnamed, no_tmpfile, no_proc };

inline void use(way w) {
    partywall::detail::for_test::disable_tmpfile(w == way::no_tmpfile);
    partywall::detail::for_test::disable_proc(w == way::no_proc);
}

inline std::string name_of(way w) {
    return w == way::unnamed ? "Unnamed" : w == way::no_tmpfile ? "NoTmpfile" : "NoProc";
}

} // namespace partywall::test
