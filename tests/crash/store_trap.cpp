// SPDX-License-Identifier: BSL-1.0
#include "store_trap.hpp"

#include "tracked_memory.hpp"

#include <stdexcept>

#if !defined(PARTYWALL_TEST_TRAPS_STORES)

namespace partywall::test::store_trap {

char const* unsupported() noexcept {
    return "stores are trapped on x86-64 only, and not under sanitizers";
}
void arm(std::string const&, trap_record&, trap_action, std::uint64_t) {
    throw std::runtime_error(unsupported());
}
void arm_failure(trap_record&, std::uint64_t, error_of_call, bool) {
    throw std::runtime_error(unsupported());
}
void disarm() noexcept {}

} // namespace partywall::test::store_trap

#else

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <system_error>
#include <utility>

extern "C" char const __executable_start[];

namespace partywall::test::store_trap {
namespace {

constexpr std::uint64_t trap_flag = 0x100;
constexpr std::uintptr_t store_bytes_max = 64;
constexpr std::size_t alternate_stack_bytes = 256 * 1024;
constexpr long sys_futex_waitv = 449;

// Read and written by the handlers of the one thread, and by arm() and disarm().
struct trap_state {
    bool armed = false;
    bool stepping = false;
    std::uintptr_t open_begin = 0; ///< writable while stepping
    std::uintptr_t open_end = 0;
    std::uint64_t const* word = nullptr; ///< that is being stored to, while stepping
    trap_point* point = nullptr;         ///< where it is noted; nullptr: nowhere
    trap_record* record = nullptr;
    trap_action action = trap_action::count;
    std::uint64_t at = 0;
    long pid = 0;
    bool only_fails = false; ///< system calls are counted, and one fails
    bool for_good = false;
    long failing = -1; ///< the kind of call that fails from now on
    error_of_call error = nullptr;
};
trap_state trap;
tracked_memory memory;
alignas(64) char alternate_stack[alternate_stack_bytes];

/// Counts a point, and acts at the one that was asked for.
void reach(std::uint64_t code, std::uint64_t where, tracked_mapping const* m) noexcept {
    std::uint64_t const number = trap.record->points.fetch_add(1) + 1;
    trap.point = nullptr;
    if (number <= trap_record::points_max) {
        trap_point& p = trap.record->log[number - 1];
        p = {};
        p.code = code - reinterpret_cast<std::uint64_t>(__executable_start);
        p.where = where;
        trap.point = &p;
        if (m != nullptr) {
            std::memcpy(p.segment, m->name, sizeof p.segment);
        }
    }
    if (m != nullptr) {
        trap.record->stores.fetch_add(1);
    }
    if (number != trap.at || trap.action == trap_action::count) {
        return;
    }
    memory.protect_all(true);
    if (trap.action == trap_action::kill) {
        kernel(SYS_kill, trap.pid, SIGKILL);
    }
    trap.armed = false;
    kernel(SYS_kill, trap.pid, SIGSTOP);
}

void restore_default(int signal) noexcept {
    struct {
        void (*handler)(int);
        unsigned long flags;
        void (*restorer)();
        std::uint64_t mask;
    } const action{SIG_DFL, 0, nullptr, 0};
    kernel(SYS_rt_sigaction, signal, reinterpret_cast<long>(&action), 0, 8);
}

void on_fault(int signal, siginfo_t* info, void* context) {
    auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    auto const address = reinterpret_cast<std::uintptr_t>(info->si_addr);
    tracked_mapping const* const m =
        trap.armed && !trap.stepping ? memory.mapping_of(address) : nullptr;
    if (m == nullptr) {
        restore_default(signal); // a fault of its own: happens again, and ends it
        return;
    }
    reach(static_cast<std::uint64_t>(registers[REG_RIP]), address - m->begin, m);
    if (!trap.armed) {
        return; // was stopped: goes on by itself
    }
    // As far as one instruction can reach; a page is much cheaper than a registry.
    trap.open_begin = address & ~(page_bytes - 1);
    trap.open_end =
        std::min(m->end, (address + store_bytes_max + page_bytes - 1) & ~(page_bytes - 1));
    protect(trap.open_begin, trap.open_end, true);
    trap.word = reinterpret_cast<std::uint64_t const*>(address & ~std::uintptr_t{7});
    if (trap.point != nullptr) {
        trap.point->before = *trap.word;
        trap.point->after = *trap.word; // until it is known
    }
    trap.stepping = true;
    registers[REG_EFL] |= static_cast<greg_t>(trap_flag);
}

void on_step(int signal, siginfo_t*, void* context) {
    if (!trap.stepping) {
        restore_default(signal);
        return;
    }
    trap.stepping = false;
    if (trap.point != nullptr) {
        trap.point->after = *trap.word;
    }
    protect(trap.open_begin, trap.open_end, false);
    static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL] &=
        ~static_cast<greg_t>(trap_flag);
}

/// rt_sigprocmask: on the mask that the handler's return will restore, and never our own signals.
long change_mask(long const* a, ucontext_t& context) noexcept {
    auto& mask = *reinterpret_cast<std::uint64_t*>(&context.uc_sigmask);
    std::uint64_t const before = mask;
    if (a[1] != 0) {
        std::uint64_t const set = *reinterpret_cast<std::uint64_t const*>(a[1]);
        mask = a[0] == SIG_BLOCK ? mask | set : a[0] == SIG_UNBLOCK ? mask & ~set : set;
        for (int const signal : {SIGSEGV, SIGTRAP, SIGSYS}) {
            mask &= ~(std::uint64_t{1} << (signal - 1));
        }
    }
    if (a[2] != 0) {
        *reinterpret_cast<std::uint64_t*>(a[2]) = before;
    }
    return 0;
}

long made_or_failed(long number, long const* a) noexcept {
    int error = 0;
    if (trap.record->points == trap.at || trap.failing == number) {
        error = trap.error(number, a);
        trap.failing = trap.for_good ? number : -1;
    }
    long const made = error != 0 && number != SYS_close ? 0 : partywall_trap_gate(number, a);
    return error != 0 ? -error : made;
}

void on_system_call(int, siginfo_t* info, void* context) {
    auto& where = *static_cast<ucontext_t*>(context);
    auto& registers = where.uc_mcontext.gregs;
    long const number = info->si_syscall;
    long const a[6] = {static_cast<long>(registers[REG_RDI]), static_cast<long>(registers[REG_RSI]),
                       static_cast<long>(registers[REG_RDX]), static_cast<long>(registers[REG_R10]),
                       static_cast<long>(registers[REG_R8]),  static_cast<long>(registers[REG_R9])};
    if (trap.armed) {
        reach(static_cast<std::uint64_t>(registers[REG_RIP]), static_cast<std::uint64_t>(number),
              nullptr);
    }
    if (number == SYS_rt_sigprocmask) {
        registers[REG_RAX] = change_mask(a, where);
        return;
    }
    if (trap.armed && trap.only_fails) {
        registers[REG_RAX] = made_or_failed(number, a);
        return;
    }
    // Whoever may sleep may be killed there, and then the kernel writes.
    bool const open =
        trap.armed && (number == SYS_futex || number == sys_futex_waitv || memory.is_given_ours(a));
    if (open) {
        memory.protect_all(true);
    }
    long const result = partywall_trap_gate(number, a);
    registers[REG_RAX] = result;
    if (trap.armed) {
        memory.follow(number, a, result);
    }
    if (open) {
        memory.protect_all(false);
    }
}

void check(bool good, char const* what) {
    if (!good) {
        throw std::runtime_error(std::string("store_trap: ") + what + ": " +
                                 std::generic_category().message(errno));
    }
}

void handle(int signal, void (*handler)(int, siginfo_t*, void*)) {
    struct sigaction action {};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigfillset(&action.sa_mask);
    check(::sigaction(signal, &action, nullptr) == 0, "sigaction");
}

void catch_signals() {
    stack_t stack{};
    stack.ss_sp = alternate_stack;
    stack.ss_size = sizeof alternate_stack;
    check(::sigaltstack(&stack, nullptr) == 0, "sigaltstack");
    handle(SIGSEGV, on_fault);
    handle(SIGTRAP, on_step);
    handle(SIGSYS, on_system_call);
}

void filter_system_calls() {
    auto const gate = reinterpret_cast<std::uint64_t>(partywall_trap_gate_return);
    constexpr auto load = [](std::size_t offset) {
        return sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(offset));
    };
    // Jumps are counted in instructions; the last is ALLOW, the one before it TRAP.
    std::array const code = {
        load(offsetof(seccomp_data, arch)),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 7),
        load(offsetof(seccomp_data, nr)),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 6, 0),
        load(offsetof(seccomp_data, instruction_pointer)),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(gate), 0, 2),
        load(offsetof(seccomp_data, instruction_pointer) + 4),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(gate >> 32), 2, 0),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    sock_fprog program{static_cast<unsigned short>(code.size()),
                       const_cast<sock_filter*>(code.data())};
    check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
    check(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "seccomp");
}

} // namespace

char const* unsupported() noexcept { return nullptr; }

void arm(std::string const& directory, trap_record& record, trap_action action, std::uint64_t at) {
    trap.record = &record;
    trap.action = action;
    trap.at = at;
    trap.pid = ::getpid();
    record.points = 0;
    record.stores = 0;
    catch_signals();
    filter_system_calls();
    check(memory.begin(directory), "the path of the directory is too long");
    memory.protect_all(false);
    trap.armed = true;
}

void arm_failure(trap_record& record, std::uint64_t at, error_of_call error, bool for_good) {
    if (!std::exchange(trap.only_fails, true)) {
        catch_signals();
        filter_system_calls();
    }
    trap.record = &record;
    trap.at = at;
    trap.error = error;
    trap.for_good = for_good;
    trap.failing = -1;
    record.points = 0;
    record.stores = 0;
    trap.armed = true;
}

void disarm() noexcept {
    if (trap.armed) {
        trap.armed = false;
        memory.protect_all(true);
    }
}

} // namespace partywall::test::store_trap

#endif
