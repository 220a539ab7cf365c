// SPDX-License-Identifier: BSL-1.0
// Counts how often a word of a mapped file is loaded: by the machine code that runs, whatever source and
// compiler made of it. The word's page may not be touched; each access faults, is counted if it begins in
// that word, and is let through alone, with the processor's trap flag, as tests/crash does with stores.
//
// Callers  one at a time; the accesses that count are those of the thread that made it.
// Limits   x86-64, and no sanitizer. No system call may be given memory of that page meanwhile.
#pragma once

#include "guarded_mappings.hpp"

#include <cstdint>

namespace partywall::test {

class load_counter {
  public:
    /// Why there is none here; nullptr if there is.
    static char const* unsupported() noexcept;

    load_counter(guarded_mapping const& in, std::size_t offset);
    /// In the next file of that size that is mapped, from its first byte on.
    load_counter(std::size_t next_mapping_bytes, std::size_t offset);
    ~load_counter();
    load_counter(load_counter const&) = delete;
    load_counter& operator=(load_counter const&) = delete;

    std::uint64_t loads() const noexcept;
    /// Of the whole page, whatever they were: that it watches at all.
    std::uint64_t accesses() const noexcept;
};

} // namespace partywall::test
