// SPDX-License-Identifier: BSL-1.0
#include "footprint.hpp"

#include <fstream>
#include <malloc.h>
#include <sstream>

namespace partywall::test {

footprint footprint::now() {
    footprint f;
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
    struct mallinfo2 const heap = ::mallinfo2();
    f.heap_bytes = heap.uordblks + heap.hblkhd;
#endif
    std::ifstream file("/proc/self/statm");
    std::uint64_t size = 0;
    std::uint64_t resident = 0;
    std::uint64_t of_files = 0; // shared memory included
    file >> size >> resident >> of_files;
    f.private_pages = resident - of_files;
    return f;
}

footprint footprint::from(std::string const& text) {
    footprint f;
    std::istringstream(text) >> f.heap_bytes >> f.private_pages >> f.entries;
    return f;
}

std::string footprint::in_words() const {
    return std::to_string(heap_bytes) + " " + std::to_string(private_pages) + " " +
           std::to_string(entries);
}

} // namespace partywall::test
