// SPDX-License-Identifier: BSL-1.0
// For store_trap: which memory of this process is shared memory of the domain, and whether it may be
// written. Used in signal handlers: nothing here allocates, and system calls go through a gate that
// the filter lets pass.
#pragma once

#include <support/sanitizers.hpp>

#if defined(__x86_64__) && !defined(PARTYWALL_TEST_SANITIZED)
#define PARTYWALL_TEST_TRAPS_STORES 1

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

// The one place in this process from which system calls go to the kernel unfiltered.
extern "C" long partywall_trap_gate(long number, long const* six_arguments);
extern "C" char const partywall_trap_gate_return[];

namespace partywall::test::store_trap {

constexpr std::uintptr_t page_bytes = 4096;

long kernel(long number, long a = 0, long b = 0, long c = 0, long d = 0) noexcept;
/// In a handler there is nobody to tell: dies in a way that the test does not expect.
[[noreturn]] void give_up(char const* why) noexcept;
void protect(std::uintptr_t begin, std::uintptr_t end, bool writable) noexcept;

struct tracked_mapping {
    std::uintptr_t begin;
    std::uintptr_t end;
    long descriptor; ///< while it has no name
    char name[24];
};

/// Writable shared mappings of files below one directory.
class tracked_memory {
  public:
    /// Those that there are now; false if the path is too long. Not in a handler.
    bool begin(std::string const& directory);
    void protect_all(bool writable) noexcept;
    tracked_mapping const* mapping_of(std::uintptr_t address) const noexcept;
    bool is_given_ours(long const* six_arguments) const noexcept;
    /// Keeps account of what a system call has done to mappings.
    void follow(long number, long const* arguments, long result) noexcept;

  private:
    void track(std::uintptr_t begin, std::uintptr_t bytes, long descriptor,
               char const* path) noexcept;
    void mapped(long const* a, long result) noexcept;
    void unmapped(long const* a) noexcept;
    void linked(long const* a) noexcept;
    std::string name_of(std::string const& inode, std::string const& otherwise) const;

    char directory_[256] = {};
    std::size_t directory_bytes_ = 0;
    std::size_t mappings_ = 0;
    std::array<tracked_mapping, 64> mapping_ = {};
};

} // namespace partywall::test::store_trap

#endif
