// SPDX-License-Identifier: BSL-1.0
// A process that dies, or stops, at its Nth store to shared memory or system call.
//
// While the trap is armed, every writable shared mapping of a file below the domain's directory is
// read-only. A store faults; the handler counts it, and acts, or lets exactly this instruction
// through: it makes the mapping writable, sets the processor's trap flag, and protects again when
// the instruction is done. So a locked instruction, or an AVX store of 32 bytes, is one point, and
// `rep movs` and `rep stos` are one point for each of their steps. Mappings that are made while
// armed are protected from their first byte on, before the file has a name.
//
// System calls are points too, all of them, wherever they come from: a seccomp filter turns each
// into a signal, and the handler makes the call. A kill at the point is a kill before the call.
//
// Or one system call of many fails, and the process lives on: that can be tried again and again.
//
// Callers  a single-threaded role, once in its life: the filter stays, and costs a microsecond per
//          system call. No fork and no exec while armed.
// Limits   x86-64, and no sanitizer. A system call that is given memory of the domain to write to
//          finds it writable; memory that it is given inside a list (readv) it does not.
// Peer dies before it is killed here, its memory is made writable again: the kernel has to be able
//          to mark its life word.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

namespace partywall::test {

/// A store, or a system call.
struct trap_point {
    std::uint64_t code;   ///< address of the instruction, relative to the executable
    std::uint64_t where;  ///< offset in the segment, or the number of the system call
    std::uint64_t before; ///< the eight bytes there, before the store
    std::uint64_t after;  ///< and after it
    char segment[24];     ///< file name, empty for a system call
    bool is_store() const noexcept { return segment[0] != 0; }
};

/// "store at ring.3.1+0x100 by partywall_crash_tests+0x1234"
std::string in_words(trap_point const& point);

enum class trap_action : std::uint32_t { count, kill, stop };

/// What a trap has seen; in shared memory, so that the test can read it after the victim's death.
struct trap_record {
    static constexpr std::uint64_t points_max = 65'536;

    std::atomic<std::uint64_t> points;
    std::atomic<std::uint64_t> stores;
    std::array<trap_point, points_max> log; ///< of the points that there is room for

    std::uint64_t system_calls() const { return points.load() - stores.load(); }
    /// The point with this number, from 1; what there was no room for is all zeros.
    trap_point at(std::uint64_t number) const {
        return number != 0 && number <= points_max ? log[number - 1] : trap_point{};
    }
};

/// The record in the file `<root>/trap`, which it creates if it is not there. Never unmapped: a
/// trap may use it up to the end of its process.
trap_record& open_trap_record(std::string const& root);

namespace store_trap {

/// Why there is no trap here; nullptr if there is.
char const* unsupported() noexcept;

/// From now on stores to files below `directory` are points. At point `at`, from 1, it does what
/// `action` says; stopped and continued it is disarmed. Throws where that cannot be done.
void arm(std::string const& directory, trap_record& record, trap_action action, std::uint64_t at);
void disarm() noexcept;

/// What a system call fails with; 0: nothing. Called in a signal handler.
using error_of_call = int (*)(long number, long const* six_arguments);

/// Only system calls are points from now on, counted anew; nothing is protected, and nobody dies. The
/// one with number `at`, from 1, is not made but fails, and, if `for_good`, all of its kind after it.
/// Closing is made all the same: the kernel does it whatever it answers. May be armed again and
/// again, but not in a process that was armed as above.
void arm_failure(trap_record& record, std::uint64_t at, error_of_call error, bool for_good);

} // namespace store_trap
} // namespace partywall::test
