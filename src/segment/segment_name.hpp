// SPDX-License-Identifier: BSL-1.0
// A segment's file name without the heap, for the functions that may not fail for lack of it.
#pragma once

#include <partywall/segment/segment_id.hpp>

#include <array>

namespace partywall::inline v0::detail {

class segment_name {
  public:
    /// Empty for an id that is not valid.
    explicit segment_name(segment_id const& id) noexcept;

    char const* c_str() const noexcept { return text_.data(); }
    bool empty() const noexcept { return text_[0] == '\0'; }

  private:
    void append(std::string_view part) noexcept;
    void append(std::uint64_t number) noexcept;

    std::array<char, 64> text_{}; // "readers." and two numbers of at most 20 digits fit
    std::size_t length_ = 0;
};

} // namespace partywall::inline v0::detail
