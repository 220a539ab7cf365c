// SPDX-License-Identifier: BSL-1.0
#include "store_trap.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <new>
#include <stdexcept>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PARTYWALL_TEST_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PARTYWALL_TEST_SANITIZED 1
#endif

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

#if !defined(__x86_64__) || defined(PARTYWALL_TEST_SANITIZED)

namespace partywall::test::store_trap {

char const* unsupported() noexcept {
    return "stores are trapped on x86-64 only, and not under sanitizers";
}
void arm(std::string const&, trap_record&, trap_action, std::uint64_t) {
    throw std::runtime_error(unsupported());
}
void disarm() noexcept {}

} // namespace partywall::test::store_trap

#else

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

// The one place in this process from which system calls go to the kernel unfiltered.
extern "C" long partywall_trap_gate(long number, long const* six_arguments);
extern "C" char const partywall_trap_gate_return[];
extern "C" char const __executable_start[];
asm(R"(
    .pushsection .text
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

constexpr std::uint64_t trap_flag = 0x100;
constexpr std::uintptr_t page_bytes = 4096;
constexpr std::uintptr_t store_bytes_max = 64;
constexpr std::size_t alternate_stack_bytes = 256 * 1024;
constexpr long sys_futex_waitv = 449;

struct tracked_mapping {
    std::uintptr_t begin;
    std::uintptr_t end;
    long descriptor; ///< while it has no name
    char name[24];
};

// Read and written by the handlers of the one thread, and by arm() and disarm().
struct trap_state {
    bool armed = false;
    bool stepping = false;
    std::uintptr_t open_begin = 0; ///< writable while stepping
    std::uintptr_t open_end = 0;
    trap_record* record = nullptr;
    trap_action action = trap_action::count;
    std::uint64_t at = 0;
    long pid = 0;
    char directory[256] = {};
    std::size_t directory_bytes = 0;
    std::size_t mappings = 0;
    std::array<tracked_mapping, 64> mapping = {};
};
trap_state trap;
alignas(64) char alternate_stack[alternate_stack_bytes];

long kernel(long number, long a = 0, long b = 0, long c = 0, long d = 0) noexcept {
    long const arguments[6] = {a, b, c, d, 0, 0};
    return partywall_trap_gate(number, arguments);
}

/// In a handler there is nobody to tell: dies in a way that the test does not expect.
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
void protect(tracked_mapping const& m, bool writable) noexcept {
    protect(m.begin, m.end, writable);
}
void protect_all(bool writable) noexcept {
    for (std::size_t i = 0; i < trap.mappings; ++i) {
        protect(trap.mapping[i], writable);
    }
}

tracked_mapping* mapping_of(std::uintptr_t address) noexcept {
    for (std::size_t i = 0; i < trap.mappings; ++i) {
        if (address >= trap.mapping[i].begin && address < trap.mapping[i].end) {
            return &trap.mapping[i];
        }
    }
    return nullptr;
}

void set_name(tracked_mapping& m, char const* name) noexcept {
    std::strncpy(m.name, name, sizeof m.name - 1);
    m.name[sizeof m.name - 1] = 0;
}

void track(std::uintptr_t begin, std::uintptr_t bytes, long descriptor, char const* path) noexcept {
    if (std::strncmp(path, trap.directory, trap.directory_bytes) != 0) {
        return;
    }
    if (trap.mappings == trap.mapping.size()) {
        give_up("store_trap: too many mappings\n");
    }
    tracked_mapping& m = trap.mapping[trap.mappings++];
    m = {begin, begin + (bytes + page_bytes - 1) / page_bytes * page_bytes, descriptor, {}};
    set_name(m, path + trap.directory_bytes);
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

void mapped(long const* a, long result) noexcept {
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
    std::size_t const before = trap.mappings;
    track(static_cast<std::uintptr_t>(result), static_cast<std::uintptr_t>(a[1]), a[4], path);
    if (trap.mappings != before) {
        protect(trap.mapping[before], false);
    }
}

void unmapped(long const* a) noexcept {
    auto const begin = static_cast<std::uintptr_t>(a[0]);
    auto const end = begin + static_cast<std::uintptr_t>(a[1]);
    for (std::size_t i = 0; i < trap.mappings;) {
        tracked_mapping& m = trap.mapping[i];
        if (m.begin < end && begin < m.end) {
            m = trap.mapping[--trap.mappings]; // the library unmaps whole mappings
        } else {
            i += 1;
        }
    }
}

/// linkat("/proc/thread-self/fd/7", "ring.1.1"): what was mapped through 7 has a name now.
void linked(long const* a) noexcept {
    auto const* const from = reinterpret_cast<char const*>(a[1]);
    char const* digits = std::strrchr(from, '/');
    long descriptor = 0;
    for (digits = digits != nullptr ? digits + 1 : from; *digits >= '0' && *digits <= '9';
         ++digits) {
        descriptor = descriptor * 10 + (*digits - '0');
    }
    for (std::size_t i = trap.mappings; i-- != 0;) {
        if (trap.mapping[i].descriptor == descriptor) {
            set_name(trap.mapping[i], reinterpret_cast<char const*>(a[3]));
            return;
        }
    }
}

/// Counts a point, and acts at the one that was asked for.
void reach(std::uint64_t code, std::uint64_t where, tracked_mapping const* m) noexcept {
    std::uint64_t const number = trap.record->points.fetch_add(1) + 1;
    if (number <= trap_record::points_max) {
        trap_point& p = trap.record->log[number - 1];
        p = {};
        p.code = code - reinterpret_cast<std::uint64_t>(__executable_start);
        p.where = where;
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
    protect_all(true);
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
    tracked_mapping const* const m = trap.armed && !trap.stepping ? mapping_of(address) : nullptr;
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
    trap.stepping = true;
    registers[REG_EFL] |= static_cast<greg_t>(trap_flag);
}

void on_step(int signal, siginfo_t*, void* context) {
    if (!trap.stepping) {
        restore_default(signal);
        return;
    }
    trap.stepping = false;
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

bool is_given_ours(long const* a) noexcept {
    return std::any_of(
        a, a + 6, [](long one) { return mapping_of(static_cast<std::uintptr_t>(one)) != nullptr; });
}

/// Keeps account of what is mapped.
void follow(long number, long const* a, long result) noexcept {
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
    // Whoever may sleep may be killed there, and then the kernel writes.
    bool const open =
        trap.armed && (number == SYS_futex || number == sys_futex_waitv || is_given_ours(a));
    if (open) {
        protect_all(true);
    }
    long const result = partywall_trap_gate(number, a);
    registers[REG_RAX] = result;
    if (trap.armed) {
        follow(number, a, result);
    }
    if (open) {
        protect_all(false);
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

/// A mapping made before its file had a name shows none.
std::string name_of(std::string const& inode, std::string const& otherwise) {
    for (auto const& entry : std::filesystem::directory_iterator(trap.directory)) {
        struct stat status {};
        if (::stat(entry.path().c_str(), &status) == 0 && std::to_string(status.st_ino) == inode) {
            return entry.path();
        }
    }
    return otherwise;
}

void track_what_is_mapped() {
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
        if (rights == "rw-s" && path.starts_with(trap.directory)) {
            std::size_t dash = 0;
            std::uintptr_t const begin = std::stoull(range, &dash, 16);
            std::uintptr_t const end = std::stoull(range.substr(dash + 1), nullptr, 16);
            track(begin, end - begin, -1, name_of(inode, path).c_str());
        }
    }
}

} // namespace

char const* unsupported() noexcept { return nullptr; }

void arm(std::string const& directory, trap_record& record, trap_action action, std::uint64_t at) {
    std::string const prefix = directory + "/";
    check(prefix.size() < sizeof trap.directory, "the path of the directory is too long");
    std::memcpy(trap.directory, prefix.c_str(), prefix.size() + 1);
    trap.directory_bytes = prefix.size();
    trap.record = &record;
    trap.action = action;
    trap.at = at;
    trap.pid = ::getpid();
    record.points = 0;
    record.stores = 0;
    stack_t stack{};
    stack.ss_sp = alternate_stack;
    stack.ss_size = sizeof alternate_stack;
    check(::sigaltstack(&stack, nullptr) == 0, "sigaltstack");
    handle(SIGSEGV, on_fault);
    handle(SIGTRAP, on_step);
    handle(SIGSYS, on_system_call);
    filter_system_calls();
    track_what_is_mapped();
    protect_all(false);
    trap.armed = true;
}

void disarm() noexcept {
    if (trap.armed) {
        trap.armed = false;
        protect_all(true);
    }
}

} // namespace partywall::test::store_trap

#endif
