// SPDX-License-Identifier: BSL-1.0
#include "guarded_mappings.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <map>
#include <mutex>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PARTYWALL_TEST_POISONS 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define PARTYWALL_TEST_POISONS 1
#endif
#ifdef PARTYWALL_TEST_POISONS
#include <sanitizer/asan_interface.h>
#endif

// NOLINTBEGIN: names that the linker's --wrap wants
extern "C" {
void* __real_mmap(void* at, std::size_t bytes, int access, int flags, int fd, off_t offset);
int __real_munmap(void* at, std::size_t bytes);
void* __wrap_mmap(void* at, std::size_t bytes, int access, int flags, int fd, off_t offset);
int __wrap_munmap(void* at, std::size_t bytes);
}
// NOLINTEND

namespace partywall::test {
namespace {

struct table {
    std::mutex mutex;
    std::map<std::byte*, std::size_t> bytes; ///< in whole pages, by where they begin
};
table& all() {
    static auto* const one = new table; // mappings are given back after main(), too
    return *one;
}

std::atomic<void (*)(guarded_mapping const&)> hook{nullptr};

std::size_t page() {
    static auto const bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return bytes;
}
std::size_t in_pages(std::size_t bytes) { return (bytes + page() - 1) / page() * page(); }

} // namespace

std::size_t guarded_mappings() {
    std::lock_guard const lock(all().mutex);
    return all().bytes.size();
}

void on_each_mapping(void (*now)(guarded_mapping const&)) { hook = now; }

bool has_guards(void const* mapping) {
    std::size_t bytes = 0;
    {
        std::lock_guard const lock(all().mutex);
        auto const found = all().bytes.find(static_cast<std::byte*>(const_cast<void*>(mapping)));
        if (found == all().bytes.end()) {
            return false;
        }
        bytes = found->second;
    }
    auto const first = reinterpret_cast<std::uintptr_t>(mapping);
    bool before = false;
    bool behind = false;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        unsigned long from = 0;
        unsigned long to = 0;
        std::array<char, 5> access{};
        if (std::sscanf(line.c_str(), "%lx-%lx %4s", &from, &to, access.data()) == 3 &&
            access[0] == '-' && access[1] == '-') {
            before = before || to == first;
            behind = behind || from == first + bytes;
        }
    }
    return before && behind;
}

} // namespace partywall::test

// NOLINTBEGIN: see above
extern "C" void* __wrap_mmap(void* at, std::size_t bytes, int access, int flags, int fd,
                             off_t offset) {
    using namespace partywall::test;
    if (at != nullptr || fd < 0 || bytes == 0) {
        return __real_mmap(at, bytes, access, flags, fd, offset);
    }
    std::size_t const whole = in_pages(bytes);
    void* const room = __real_mmap(nullptr, whole + 2 * page(), PROT_NONE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED) {
        return MAP_FAILED;
    }
    std::byte* const inside = static_cast<std::byte*>(room) + page();
    if (__real_mmap(inside, bytes, access, flags | MAP_FIXED, fd, offset) == MAP_FAILED) {
        int const why = errno;
        __real_munmap(room, whole + 2 * page());
        errno = why;
        return MAP_FAILED;
    }
#ifdef PARTYWALL_TEST_POISONS
    ASAN_POISON_MEMORY_REGION(inside + bytes, whole - bytes);
#endif
    {
        std::lock_guard const lock(all().mutex);
        all().bytes[inside] = whole;
    }
    if (auto* const told = hook.load()) {
        told({inside, bytes, access});
    }
    return inside;
}

extern "C" int __wrap_munmap(void* at, std::size_t bytes) {
    using namespace partywall::test;
    {
        std::lock_guard const lock(all().mutex);
        if (all().bytes.erase(static_cast<std::byte*>(at)) == 0) {
            return __real_munmap(at, bytes);
        }
    }
    std::size_t const whole = in_pages(bytes);
#ifdef PARTYWALL_TEST_POISONS
    ASAN_UNPOISON_MEMORY_REGION(static_cast<std::byte*>(at) + bytes, whole - bytes);
#endif
    return __real_munmap(static_cast<std::byte*>(at) - page(), whole + 2 * page());
}
// NOLINTEND
