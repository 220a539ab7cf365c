// SPDX-License-Identifier: BSL-1.0
#include "fiber.hpp"

#include <cstdint>

#ifdef PARTYWALL_EXPLORE_OWN_SWITCH
// Keeps what the calling convention says a function must keep, on the stack that is left.
extern "C" void partywall_explore_switch(void** left, void* entered);
asm(R"(
    .text
    .globl partywall_explore_switch
    .hidden partywall_explore_switch
    .type partywall_explore_switch, @function
partywall_explore_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size partywall_explore_switch, .-partywall_explore_switch
)");
#endif

namespace partywall::test::explore {

void fiber::rewind(void (*entry)()) {
    if (stack_ == nullptr) {
        stack_ = std::make_unique<char[]>(stack_bytes);
    }
#ifdef PARTYWALL_EXPLORE_OWN_SWITCH
    auto const end = reinterpret_cast<std::uintptr_t>(stack_.get() + stack_bytes);
    // As `entry` expects it: a return address lies at the next multiple of 16, less 8.
    auto* top = reinterpret_cast<std::uintptr_t*>(end / 16 * 16) - 1;
    *top = 0; // nowhere to return to
    *--top = reinterpret_cast<std::uintptr_t>(entry);
    for (int i = 0; i < 6; ++i) {
        *--top = 0; // registers
    }
    stack_pointer_ = top;
#else
    getcontext(&context_);
    context_.uc_stack.ss_sp = stack_.get();
    context_.uc_stack.ss_size = stack_bytes;
    context_.uc_link = nullptr;
    makecontext(&context_, entry, 0);
#endif
}

void fiber::resume(fiber& from) {
#ifdef PARTYWALL_EXPLORE_OWN_SWITCH
    partywall_explore_switch(&from.stack_pointer_, stack_pointer_);
#else
    swapcontext(&from.context_, &context_);
#endif
}

} // namespace partywall::test::explore
