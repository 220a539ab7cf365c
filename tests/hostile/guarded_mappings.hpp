// SPDX-License-Identifier: BSL-1.0
// Every file that is mapped in this program has a page without access before it and behind it (the
// linker gives us its calls of mmap and munmap): a step over either end of a segment ends the process,
// whatever else happens to lie there. With AddressSanitizer, so does one into the rest of the last page.
#pragma once

#include <cstddef>

namespace partywall::test {

/// Files that are mapped at present.
std::size_t guarded_mappings();

struct guarded_mapping {
    std::byte* at = nullptr;
    std::size_t bytes = 0;
    int access = 0; ///< PROT_READ, PROT_WRITE
};
/// Called with each file that is mapped from now on, before anybody has seen it; nullptr: no more.
void on_each_mapping(void (*hook)(guarded_mapping const&));

/// Whether the pages around the mapping that begins there may not be touched, as the kernel sees it.
bool has_guards(void const* mapping);

} // namespace partywall::test
