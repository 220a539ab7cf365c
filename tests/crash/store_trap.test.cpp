// SPDX-License-Identifier: BSL-1.0
// The trap itself: every kind of store is one point, and nothing happens before it.
#include "store_trap.hpp"

#include <process/puppet.hpp>
#include <support/role.hpp>
#include <support/scratch_root.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace partywall::test {
namespace {

constexpr std::size_t bytes = 8192;

/// `<root>/d/memory`, shared. Two pages.
std::byte* mapped(std::string const& root) {
    ::mkdir((root + "/d").c_str(), 0700);
    int const file = ::open((root + "/d/memory").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ::ftruncate(file, bytes) != 0) {
        throw std::runtime_error("no memory file");
    }
    void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    return static_cast<std::byte*>(memory);
}

void stores(std::string const& kind, std::byte* memory) {
    auto* const words = reinterpret_cast<std::uint64_t*>(memory);
    if (kind == "plain") {
        std::atomic_ref(words[0]).store(7, std::memory_order_relaxed);
        std::atomic_ref(words[1]).store(8, std::memory_order_release);
    } else if (kind == "locked") {
        std::uint64_t expected = 0;
        std::atomic_ref(words[0]).fetch_add(7);
        std::atomic_ref(words[1]).compare_exchange_strong(expected, 8);
    } else if (kind == "across pages") {
        std::byte* const at = memory + 4096 - 4;
        asm volatile("movq %1, (%0)" : : "r"(at), "r"(0x0102030405060708) : "memory");
    } else if (kind == "wide") {
        asm volatile("pcmpeqd %%xmm0, %%xmm0\n movups %%xmm0, (%0)"
                     :
                     : "r"(memory)
                     : "xmm0", "memory");
    } else if (kind == "rep stos" || kind == "rep movs") {
        std::uint64_t count = 5;
        void* to = memory;
        static constexpr std::uint64_t from_words[5] = {1, 2, 3, 4, 5};
        void const* from = from_words;
        if (kind == "rep stos") {
            asm volatile("rep stosq" : "+D"(to), "+c"(count) : "a"(9) : "memory");
        } else {
            asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
        }
    } else if (kind == "system call") {
        int const zero = ::open("/dev/zero", O_RDONLY | O_CLOEXEC);
        PARTYWALL_ROLE_CHECK(::read(zero, memory, 4096) == 4096);
    } else if (kind == "new mapping") {
        int const file = ::open((std::string(std::getenv("CRASH_ROOT")) + "/d").c_str(),
                                O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        PARTYWALL_ROLE_CHECK(file >= 0 && ::ftruncate(file, bytes) == 0);
        auto* const fresh = static_cast<std::uint64_t*>(
            ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
        std::atomic_ref(fresh[1]).store(1);
    }
}

/// root, kind of store, point to die at
PARTYWALL_ROLE(stores_something) {
    ::setenv("CRASH_ROOT", context.arg(0).c_str(), 1);
    std::byte* const memory = mapped(context.arg(0));
    store_trap::arm(context.arg(0) + "/d", open_trap_record(context.arg(0)), trap_action::kill,
                    context.number(2));
    stores(context.arg(1), memory);
    store_trap::disarm();
    std::memset(memory + 4096, 0, 64); // is nobody's business any more
    return 0;
}

struct kind_of_store {
    char const* name;
    std::uint64_t stores;
};

class StoreTrap : public testing::TestWithParam<kind_of_store> {};

TEST_P(StoreTrap, CountsAndDiesBeforeTheStore) {
    if (char const* const why = store_trap::unsupported()) {
        GTEST_SKIP() << why;
    }
    scratch_root root;
    trap_record const& record = open_trap_record(root.path());
    auto const run = [&](std::uint64_t at) {
        return spawn("stores_something", {root.path(), GetParam().name, std::to_string(at)}).wait();
    };
    ASSERT_EQ(run(0), exited(0));
    EXPECT_EQ(record.stores, GetParam().stores);
    std::uint64_t const points = record.points;
    std::byte* const memory = mapped(root.path());
    for (std::uint64_t at = 1; at <= points; ++at) {
        std::memset(memory, 0, bytes);
        ASSERT_EQ(run(at), killed_by(SIGKILL)) << at;
        trap_point const last = record.at(at);
        if (last.is_store() && std::string_view(last.segment) == "memory") {
            EXPECT_EQ(memory[last.where], std::byte{0}) << in_words(last);
        }
        EXPECT_EQ(record.points, at);
    }
    std::memset(memory, 0, bytes);
    ASSERT_EQ(run(points + 1), exited(0));
    ::munmap(memory, bytes);
}

INSTANTIATE_TEST_SUITE_P(Kind, StoreTrap,
                         testing::Values(kind_of_store{"plain", 2}, kind_of_store{"locked", 2},
                                         kind_of_store{"across pages", 1}, kind_of_store{"wide", 1},
                                         kind_of_store{"rep stos", 5}, kind_of_store{"rep movs", 5},
                                         kind_of_store{"system call", 0},
                                         kind_of_store{"new mapping", 1}),
                         [](auto const& one) {
                             std::string name = one.param.name;
                             std::replace(name.begin(), name.end(), ' ', '_');
                             return name;
                         });

} // namespace
} // namespace partywall::test
