// SPDX-License-Identifier: BSL-1.0
#include <partywall/os/private_memory.hpp>

#include <sys/mman.h>

namespace partywall::inline v0::os {

bool replace_by_private(void* address, std::size_t bytes) noexcept {
    // MAP_FIXED takes away and puts in place in one step: nobody finds nothing there in between.
    return ::mmap(address, bytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) != MAP_FAILED;
}

} // namespace partywall::inline v0::os
