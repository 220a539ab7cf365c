// SPDX-License-Identifier: BSL-1.0
// SIGINT, SIGTERM and SIGHUP end the command in good order: what blocks is interrupted, endpoints
// are closed, and nothing is left behind.
#pragma once

namespace partywall::cli {

/// Installs the handlers. SIGHUP stays ignored where it is (nohup). SIGPIPE is ignored from here
/// on: writing to a closed pipe is an error like any other.
void catch_signals();

/// The signal that asks the command to end, or 0. System calls that a signal may have to end look
/// here after EINTR: until the process ends, they are interrupted again and again, so that a
/// signal that comes just before the call ends it too.
int stop_signal() noexcept;

/// Throws `stopped` if a signal came.
void check_stopped();

/// While it lives, signals interrupt `endpoint`. One at a time.
class interruptible {
  public:
    template <class Endpoint>
    explicit interruptible(Endpoint& endpoint) noexcept {
        set(&endpoint, [](void* e) noexcept { static_cast<Endpoint*>(e)->interrupt(); });
    }
    ~interruptible() { set(nullptr, nullptr); }
    interruptible(interruptible const&) = delete;
    interruptible& operator=(interruptible const&) = delete;

  private:
    using function = void (*)(void*) noexcept;
    static void set(void* endpoint, function interrupt) noexcept;
};

} // namespace partywall::cli
