// SPDX-License-Identifier: BSL-1.0
// What the demo prints.
#pragma once

#include <cstdint>
#include <string>

namespace demo {

/// Prints at once.
void say(std::string const& text);

std::string grouped(std::uint64_t number);               ///< 12,345
std::string duration(std::uint64_t nanoseconds);         ///< 87 us, 1.3 ms, 2.40 s
std::string checksums(std::uint64_t a, std::uint64_t b); ///< "1a2b3c4d = 1a2b3c4d", or "!="

/// The list of what was to hold.
class report {
  public:
    void check(bool holds, std::string const& what);
    void note(std::string const& what) const;
    /// Says whether everything held, and returns it.
    bool conclude() const;

  private:
    unsigned failed_ = 0;
};

} // namespace demo
