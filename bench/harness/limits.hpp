// SPDX-License-Identifier: BSL-1.0
// What the machine itself can do, besides what raw's rows say: looked at again and again during a
// run, since it changes.
#pragma once

#include "row.hpp"
#include "runner.hpp"

#include <cstddef>
#include <vector>

namespace partywall::bench {

class limit_log {
  public:
    explicit limit_log(runner& with);

    /// Some hundredths of a second of both processors.
    void look();
    /// Medians, least and most of what was seen: `figure::limit`.
    std::vector<row> rows() const;

    /// One copy of so many bytes, from memory to memory, in nanoseconds.
    double copy_ns();
    static constexpr std::size_t copy_bytes = std::size_t{64} << 20;

  private:
    runner& with_;
    std::vector<std::byte> from_;
    std::vector<std::byte> to_;
    std::vector<double> one_line_, two_lines_, copy_, clock_, monotonic_;
};

} // namespace partywall::bench
