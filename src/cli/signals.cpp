// SPDX-License-Identifier: BSL-1.0
#include "signals.hpp"

#include "command.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>

namespace partywall::cli {
namespace {

// This process has one thread: what is shared is shared with its own signal handlers only. All
// orders are relaxed; the handler runs between two instructions of that very thread.
constexpr auto relaxed = std::memory_order_relaxed;

std::atomic<int> signal_seen{0};
std::atomic<void*> endpoint_now{nullptr};
std::atomic<void (*)(void*) noexcept> interrupt_now{nullptr};
static_assert(std::atomic<void*>::is_always_lock_free);

timer_t nudge{};
bool have_nudge = false;
constexpr long nudge_ns = 20'000'000;

void interrupt_endpoint() noexcept {
    auto* const interrupt = interrupt_now.load(relaxed);
    if (interrupt != nullptr) {
        interrupt(endpoint_now.load(relaxed));
    }
}

extern "C" void on_stop(int signal) {
    int const saved = errno;
    signal_seen.store(signal, relaxed);
    interrupt_endpoint();
    if (have_nudge) { // a system call that begins after this line is ended by the next nudge
        itimerspec when{};
        when.it_interval.tv_nsec = nudge_ns;
        when.it_value.tv_nsec = nudge_ns;
        ::timer_settime(nudge, 0, &when, nullptr);
    }
    errno = saved;
}

extern "C" void on_nudge(int) {} // its only effect is EINTR

void install(int signal, void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler; // no SA_RESTART: blocked system calls end
    ::sigaction(signal, &action, nullptr);
}

} // namespace

void catch_signals() {
    install(SIGPIPE, SIG_IGN);
    install(SIGALRM, on_nudge);
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGALRM;
    have_nudge = ::timer_create(CLOCK_MONOTONIC, &event, &nudge) == 0;
    struct sigaction before {};
    if (::sigaction(SIGHUP, nullptr, &before) == 0 && before.sa_handler != SIG_IGN) {
        install(SIGHUP, on_stop);
    }
    install(SIGINT, on_stop);
    install(SIGTERM, on_stop);
}

int stop_signal() noexcept { return signal_seen.load(relaxed); }

void check_stopped() {
    if (stop_signal() != 0) {
        throw stopped{};
    }
}

void interruptible::set(void* endpoint, function interrupt) noexcept {
    interrupt_now.store(nullptr, relaxed); // never a new endpoint with an old function
    std::atomic_signal_fence(std::memory_order_seq_cst); // pairs with the handler's own order
    endpoint_now.store(endpoint, relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    interrupt_now.store(interrupt, relaxed);
    if (stop_signal() != 0 && interrupt != nullptr) {
        interrupt(endpoint); // the signal came before there was anything to interrupt
    }
}

} // namespace partywall::cli
