// SPDX-License-Identifier: BSL-1.0
#include "tracked_memory.hpp"

#if defined(PARTYWALL_TEST_TRAPS_STORES)

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

asm(R"(
    .pushsection .text
    .globl partywall_trap_gate, partywall_trap_gate_return
    .hidden partywall_trap_gate, partywall_trap_gate_return
    .type partywall_trap_gate, @function
partywall_trap_gate:
    movq %rdi, %rax
    movq (%rsi), %rdi
    movq 16(%rsi), %rdx
    movq 24(%rsi), %r10
    movq 32(%rsi), %r8
    movq 40(%rsi), %r9
    movq 8(%rsi), %rsi
    syscall
partywall_trap_gate_return:
    ret
    .size partywall_trap_gate, . - partywall_trap_gate
    .popsection
)");

namespace partywall::test::store_trap {
namespace {

void set_name(tracked_mapping& m, char const* name) noexcept {
    std::strncpy(m.name, name, sizeof m.name - 1);
    m.name[sizeof m.name - 1] = 0;
}

void write_decimal(char* to, long number) noexcept {
    char digits[24];
    int count = 0;
    do {
        digits[count++] = static_cast<char>('0' + number % 10);
        number /= 10;
    } while (number != 0);
    while (count != 0) {
        *to++ = digits[--count];
    }
    *to = 0;
}

} // namespace

long kernel(long number, long a, long b, long c, long d) noexcept {
    long const arguments[6] = {a, b, c, d, 0, 0};
    return partywall_trap_gate(number, arguments);
}

[[noreturn]] void give_up(char const* why) noexcept {
    kernel(SYS_write, STDERR_FILENO, reinterpret_cast<long>(why),
           static_cast<long>(std::strlen(why)));
    kernel(SYS_exit_group, 94);
    __builtin_unreachable();
}

void protect(std::uintptr_t begin, std::uintptr_t end, bool writable) noexcept {
    if (kernel(SYS_mprotect, static_cast<long>(begin), static_cast<long>(end - begin),
               writable ? PROT_READ | PROT_WRITE : PROT_READ) != 0) {
        give_up("store_trap: mprotect failed\n");
    }
}
void tracked_memory::protect_all(bool writable) noexcept {
    for (std::size_t i = 0; i < mappings_; ++i) {
        protect(mapping_[i].begin, mapping_[i].end, writable);
    }
}

tracked_mapping const* tracked_memory::mapping_of(std::uintptr_t address) const noexcept {
    for (std::size_t i = 0; i < mappings_; ++i) {
        if (address >= mapping_[i].begin && address < mapping_[i].end) {
            return &mapping_[i];
        }
    }
    return nullptr;
}

void tracked_memory::track(std::uintptr_t begin, std::uintptr_t bytes, long descriptor,
                           char const* path) noexcept {
    if (std::strncmp(path, directory_, directory_bytes_) != 0) {
        return;
    }
    if (mappings_ == mapping_.size()) {
        give_up("store_trap: too many mappings\n");
    }
    tracked_mapping& m = mapping_[mappings_++];
    m = {begin, begin + (bytes + page_bytes - 1) / page_bytes * page_bytes, descriptor, {}};
    set_name(m, path + directory_bytes_);
}

void tracked_memory::unmapped(long const* a) noexcept {
    auto const begin = static_cast<std::uintptr_t>(a[0]);
    auto const end = begin + static_cast<std::uintptr_t>(a[1]);
    for (std::size_t i = 0; i < mappings_;) {
        tracked_mapping& m = mapping_[i];
        if (m.begin < end && begin < m.end) {
            m = mapping_[--mappings_]; // the library unmaps whole mappings
        } else {
            i += 1;
        }
    }
}

void tracked_memory::mapped(long const* a, long result) noexcept {
    if (result >= 0 && (a[3] & MAP_FIXED) != 0) {
        unmapped(a); // what was there before
    }
    bool const ours = (a[3] & MAP_SHARED) != 0 && (a[2] & PROT_WRITE) != 0 && a[4] >= 0 &&
                      (a[3] & MAP_ANONYMOUS) == 0;
    if (!ours || result < 0) {
        return;
    }
    char link[48] = "/proc/self/fd/";
    write_decimal(link + std::strlen(link), a[4]);
    char path[512] = {};
    kernel(SYS_readlink, reinterpret_cast<long>(link), reinterpret_cast<long>(path),
           sizeof path - 1);
    std::size_t const before = mappings_;
    track(static_cast<std::uintptr_t>(result), static_cast<std::uintptr_t>(a[1]), a[4], path);
    if (mappings_ != before) {
        protect(mapping_[before].begin, mapping_[before].end, false);
    }
}

/// linkat("/proc/thread-self/fd/7", "ring.1.1"): what was mapped through 7 has a name now.
void tracked_memory::linked(long const* a) noexcept {
    auto const* const from = reinterpret_cast<char const*>(a[1]);
    char const* digits = std::strrchr(from, '/');
    long descriptor = 0;
    for (digits = digits != nullptr ? digits + 1 : from; *digits >= '0' && *digits <= '9';
         ++digits) {
        descriptor = descriptor * 10 + (*digits - '0');
    }
    for (std::size_t i = mappings_; i-- != 0;) {
        if (mapping_[i].descriptor == descriptor) {
            set_name(mapping_[i], reinterpret_cast<char const*>(a[3]));
            return;
        }
    }
}

bool tracked_memory::is_given_ours(long const* a) const noexcept {
    return std::any_of(a, a + 6, [this](long one) {
        return mapping_of(static_cast<std::uintptr_t>(one)) != nullptr;
    });
}

void tracked_memory::follow(long number, long const* a, long result) noexcept {
    if (number == SYS_mmap) {
        mapped(a, result);
    } else if (number == SYS_munmap && result == 0) {
        unmapped(a);
    } else if (number == SYS_linkat && result == 0) {
        linked(a);
    } else if (number == SYS_mremap && mapping_of(static_cast<std::uintptr_t>(a[0])) != nullptr) {
        give_up("store_trap: mremap of a segment\n");
    }
}

/// A mapping made before its file had a name shows none.
std::string tracked_memory::name_of(std::string const& inode, std::string const& otherwise) const {
    for (auto const& entry : std::filesystem::directory_iterator(directory_)) {
        struct stat status {};
        if (::stat(entry.path().c_str(), &status) == 0 && std::to_string(status.st_ino) == inode) {
            return entry.path();
        }
    }
    return otherwise;
}

bool tracked_memory::begin(std::string const& directory) {
    std::string const prefix = directory + "/";
    if (prefix.size() >= sizeof directory_) {
        return false;
    }
    std::memcpy(directory_, prefix.c_str(), prefix.size() + 1);
    directory_bytes_ = prefix.size();
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        std::istringstream words(line);
        std::string range;
        std::string rights;
        std::string offset;
        std::string device;
        std::string inode;
        std::string path;
        words >> range >> rights >> offset >> device >> inode >> path;
        if (rights == "rw-s" && path.starts_with(directory_)) {
            std::size_t dash = 0;
            std::uintptr_t const begin = std::stoull(range, &dash, 16);
            std::uintptr_t const end = std::stoull(range.substr(dash + 1), nullptr, 16);
            track(begin, end - begin, -1, name_of(inode, path).c_str());
        }
    }
    return true;
}

} // namespace partywall::test::store_trap

#endif
