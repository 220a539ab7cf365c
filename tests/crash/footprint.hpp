// SPDX-License-Identifier: BSL-1.0
// What a process has in memory of its own, to be compared over time. What it has mapped of the
// domain is a matter of census.
#pragma once

#include <cstdint>
#include <string>

namespace partywall::test {

struct footprint {
    std::uint64_t heap_bytes = 0;    ///< allocated and not given back; 0 where the heap cannot tell
    std::uint64_t private_pages = 0; ///< anonymous memory that it has touched
    std::uint64_t entries = 0;       ///< of its books, which grow with those whom it met

    /// The most that an entry takes of the heap.
    static constexpr std::uint64_t entry_bytes = 64;
    /// Of the heap, books apart.
    std::uint64_t heap_without_books() const { return heap_bytes - entry_bytes * entries; }

    /// Of this process; entries are for others to count.
    static footprint now();
    static footprint from(std::string const& text);
    std::string in_words() const;
};

} // namespace partywall::test
