// SPDX-License-Identifier: BSL-1.0
// Places where a build for tests can be made wrong on purpose: tests/mutants shows that the tests
// notice. Everywhere else PARTYWALL_MUTANT(name) is the constant `false`, and nothing is left of it.
#pragma once

#if defined(PARTYWALL_MUTANTS)

#include <cstdlib>
#include <cstring>

namespace partywall::inline v0::detail {

/// Whether this process, whose environment its children inherit, is to be wrong in this way.
inline bool is_mutant(char const* name) noexcept {
    static char const* const chosen = std::getenv("PARTYWALL_MUTANT");
    return chosen != nullptr && std::strcmp(chosen, name) == 0;
}

} // namespace partywall::inline v0::detail

#define PARTYWALL_MUTANT(name) (::partywall::detail::is_mutant(#name))

#else
#define PARTYWALL_MUTANT(name) false
#endif
