// SPDX-License-Identifier: BSL-1.0
// The file that is streamed, line by line and over again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace demo {

inline constexpr std::size_t line_bytes_max = 4000;

class text {
  public:
    /// Throws std::runtime_error when the file cannot be read or is empty.
    explicit text(std::string const& path);

    /// Line `number` of an endless text: the file, repeated. With its end-of-line; a line longer
    /// than line_bytes_max counts as several.
    std::string_view line(std::uint64_t number) const noexcept {
        return lines_[number % lines_.size()];
    }
    std::size_t lines() const noexcept { return lines_.size(); }
    /// False if only the beginning of a very long file was read.
    bool whole() const noexcept { return whole_; }

  private:
    std::string contents_;
    std::vector<std::string_view> lines_; // of contents_, which stays where it is
    bool whole_ = true;
};

/// A file that every machine has.
std::string some_file();

} // namespace demo
