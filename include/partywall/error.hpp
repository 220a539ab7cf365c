// SPDX-License-Identifier: BSL-1.0
// The exception that `.value()` throws. Separate from result.hpp because <stdexcept> and RTTI
// are needed only by those who catch it.
#pragma once

#include <partywall/export.hpp>

#include <stdexcept>

namespace partywall::inline v0 {

/// Thrown by `result::value()` where there is no value, and by nothing else in the library.
class PARTYWALL_API error : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

} // namespace partywall::inline v0
