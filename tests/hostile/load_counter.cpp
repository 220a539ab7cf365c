// SPDX-License-Identifier: BSL-1.0
#include "load_counter.hpp"

#include <support/sanitizers.hpp>

#if !defined(__x86_64__) || defined(PARTYWALL_TEST_SANITIZED)

#include <stdexcept>

namespace partywall::test {

char const* load_counter::unsupported() noexcept {
    return "loads are counted on x86-64 only, and not under sanitizers";
}
load_counter::load_counter(guarded_mapping const&, std::size_t) {
    throw std::runtime_error(unsupported());
}
load_counter::load_counter(std::size_t, std::size_t) { throw std::runtime_error(unsupported()); }
load_counter::~load_counter() = default;
std::uint64_t load_counter::loads() const noexcept { return 0; }
std::uint64_t load_counter::accesses() const noexcept { return 0; }

} // namespace partywall::test

#else

#include <csignal>
#include <stdexcept>
#include <sys/mman.h>
#include <ucontext.h>

namespace partywall::test {
namespace {

constexpr std::uintptr_t page_bytes = 4096;
constexpr greg_t trap_flag = 0x100;
constexpr greg_t was_a_write = 2; // in the fault's error code

// Read and written by the handlers of the one thread, and by the object.
struct counter_state {
    std::uintptr_t word = 0;
    void* page = nullptr;
    int access = 0;
    std::uint64_t loads = 0;
    std::uint64_t accesses = 0;
    std::size_t wanted_bytes = 0; ///< of a mapping that is still to come
    std::size_t offset = 0;
    struct sigaction fault_before {};
    struct sigaction step_before {};
};
counter_state counter;

void watch(guarded_mapping const& in) {
    counter.word = reinterpret_cast<std::uintptr_t>(in.at) + counter.offset;
    counter.page = reinterpret_cast<void*>(counter.word & ~(page_bytes - 1));
    counter.access = in.access;
    ::mprotect(counter.page, page_bytes, PROT_NONE);
}

void on_mapping(guarded_mapping const& made) {
    if (counter.page == nullptr && made.bytes == counter.wanted_bytes) {
        watch(made);
    }
}

void on_fault(int, siginfo_t* info, void* context) {
    auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    auto const at = reinterpret_cast<std::uintptr_t>(info->si_addr);
    if (reinterpret_cast<void*>(at & ~(page_bytes - 1)) != counter.page) {
        ::sigaction(SIGSEGV, &counter.fault_before, nullptr); // happens again, and ends it
        return;
    }
    counter.accesses += 1;
    if (at >= counter.word && at < counter.word + 8 && (registers[REG_ERR] & was_a_write) == 0) {
        counter.loads += 1;
    }
    ::mprotect(counter.page, page_bytes, counter.access);
    registers[REG_EFL] |= trap_flag;
}

void on_step(int, siginfo_t*, void* context) {
    ::mprotect(counter.page, page_bytes, PROT_NONE);
    static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL] &= ~trap_flag;
}

void handle(int signal, void (*handler)(int, siginfo_t*, void*), struct sigaction& before) {
    struct sigaction action {};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO;
    if (::sigaction(signal, &action, &before) != 0) {
        throw std::runtime_error("load_counter: sigaction");
    }
}

void begin(std::size_t offset) {
    counter = {};
    counter.offset = offset;
    handle(SIGSEGV, on_fault, counter.fault_before);
    handle(SIGTRAP, on_step, counter.step_before);
}

} // namespace

char const* load_counter::unsupported() noexcept { return nullptr; }

load_counter::load_counter(guarded_mapping const& in, std::size_t offset) {
    begin(offset);
    watch(in);
}

load_counter::load_counter(std::size_t next_mapping_bytes, std::size_t offset) {
    begin(offset);
    counter.wanted_bytes = next_mapping_bytes;
    on_each_mapping(on_mapping);
}

load_counter::~load_counter() {
    on_each_mapping(nullptr);
    if (counter.page != nullptr) {
        ::mprotect(counter.page, page_bytes, counter.access); // gone, if the mapping is
    }
    ::sigaction(SIGSEGV, &counter.fault_before, nullptr);
    ::sigaction(SIGTRAP, &counter.step_before, nullptr);
}

std::uint64_t load_counter::loads() const noexcept { return counter.loads; }
std::uint64_t load_counter::accesses() const noexcept { return counter.accesses; }

} // namespace partywall::test

#endif
