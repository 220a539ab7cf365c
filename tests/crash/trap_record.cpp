// SPDX-License-Identifier: BSL-1.0
#include "store_trap.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <new>
#include <stdexcept>

namespace partywall::test {

std::string in_words(trap_point const& point) {
    char text[160];
    if (point.is_store()) {
        std::snprintf(text, sizeof text, "store at %.24s+0x%llx by code at 0x%llx", point.segment,
                      static_cast<unsigned long long>(point.where),
                      static_cast<unsigned long long>(point.code));
    } else {
        std::snprintf(text, sizeof text, "system call %llu by code at 0x%llx",
                      static_cast<unsigned long long>(point.where),
                      static_cast<unsigned long long>(point.code));
    }
    return text;
}

trap_record& open_trap_record(std::string const& root) {
    std::string const path = root + "/trap";
    int const file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    void* const memory =
        file >= 0 && ::ftruncate(file, sizeof(trap_record)) == 0
            ? ::mmap(nullptr, sizeof(trap_record), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
            : MAP_FAILED;
    ::close(file);
    if (memory == MAP_FAILED) {
        throw std::runtime_error("no trap record: " + path);
    }
    return *std::launder(static_cast<trap_record*>(memory)); // zeros are what it starts with
}

} // namespace partywall::test
