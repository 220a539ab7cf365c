// SPDX-License-Identifier: BSL-1.0
#include "session.hpp"

#include <partywall/os/clock.hpp>
#include <partywall/os/futex.hpp>

#include <cerrno>
#include <climits>
#include <new>
#include <stdexcept>
#include <sys/mman.h>
#include <system_error>
#include <unistd.h>

namespace partywall::bench {
namespace {
[[noreturn]] void fail(char const* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

session* map(int descriptor) {
    void* const memory =
        ::mmap(nullptr, sizeof(session), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (memory == MAP_FAILED) {
        fail("mmap of the session");
    }
    return static_cast<session*>(memory);
}
} // namespace

void meet(session& s, std::uint32_t times) {
    auto& word = s.arrived;
    auto const& futex = reinterpret_cast<std::uint32_t const&>(word);
    std::uint32_t const wanted = times * s.roles;
    if (word.fetch_add(1) + 1 >= wanted) {
        os::futex_wake(futex, INT_MAX, true);
        return;
    }
    for (std::uint32_t now = word.load(); now < wanted; now = word.load()) {
        if (s.failed.load() != 0) {
            throw std::runtime_error("another process of the measurement failed");
        }
        os::futex_wait({&futex, now, true}, os::monotonic_ns() + 100'000'000);
    }
}

shared_session::shared_session() : descriptor_(::memfd_create("partywall-bench", 0)) {
    if (descriptor_ < 0 || ::ftruncate(descriptor_, sizeof(session)) != 0) {
        fail("memfd_create");
    }
    session_ = new (map(descriptor_)) session();
}
shared_session::shared_session(int descriptor)
    : descriptor_(descriptor), session_(map(descriptor)) {}
shared_session::~shared_session() {
    ::munmap(session_, sizeof(session));
    ::close(descriptor_);
}

} // namespace partywall::bench
