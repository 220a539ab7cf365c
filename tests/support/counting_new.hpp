// SPDX-License-Identifier: BSL-1.0
// Counts allocations, and lets some of them fail. It replaces operator new for the whole test program:
// to be included by one file of it. Not under ThreadSanitizer, which brings its own.
#pragma once

#define PARTYWALL_TEST_COUNTS_NEW 1
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#undef PARTYWALL_TEST_COUNTS_NEW
#define PARTYWALL_TEST_COUNTS_NEW 0
#endif
#elif defined(__SANITIZE_THREAD__)
#undef PARTYWALL_TEST_COUNTS_NEW
#define PARTYWALL_TEST_COUNTS_NEW 0
#endif
#if PARTYWALL_TEST_COUNTS_NEW

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace partywall::test {

/// Of this thread.
inline thread_local constinit std::uint64_t allocations = 0;
/// The allocation that fails next, counted down; 0: none does.
inline thread_local constinit std::uint64_t fails_in = 0;
inline thread_local constinit bool fails_from_then_on = false;

inline void* allocate(std::size_t bytes, std::size_t alignment) noexcept {
    allocations += 1;
    if (fails_in != 0) {
        if (fails_in == 1) {
            fails_in = fails_from_then_on ? 1 : 0;
            return nullptr;
        }
        fails_in -= 1;
    }
    if (alignment <= alignof(std::max_align_t)) {
        return std::malloc(bytes == 0 ? 1 : bytes);
    }
    return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

inline void* allocate_or_throw(std::size_t bytes, std::size_t alignment) {
    void* const memory = allocate(bytes, alignment);
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    return memory;
}

} // namespace partywall::test

using partywall::test::allocate;
using partywall::test::allocate_or_throw;
inline constexpr std::size_t usual_alignment = alignof(std::max_align_t);

void* operator new(std::size_t n) { return allocate_or_throw(n, usual_alignment); }
void* operator new[](std::size_t n) { return allocate_or_throw(n, usual_alignment); }
void* operator new(std::size_t n, std::nothrow_t const&) noexcept {
    return allocate(n, usual_alignment);
}
void* operator new[](std::size_t n, std::nothrow_t const&) noexcept {
    return allocate(n, usual_alignment);
}
void* operator new(std::size_t n, std::align_val_t a) {
    return allocate_or_throw(n, static_cast<std::size_t>(a));
}
void* operator new[](std::size_t n, std::align_val_t a) {
    return allocate_or_throw(n, static_cast<std::size_t>(a));
}
// Not inlined: a compiler that sees free() behind `new` thinks that they do not belong together.
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete[](void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::nothrow_t const&) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete[](void* p, std::nothrow_t const&) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
    std::free(p);
}
[[gnu::noinline]] void operator delete[](void* p, std::size_t, std::align_val_t) noexcept {
    std::free(p);
}

#endif
