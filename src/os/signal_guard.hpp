// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <csignal>

namespace partywall::inline v0::os {

/// Holds back all signals of this thread for a stretch that a handler must not interrupt.
/// SIGKILL and SIGSTOP cannot be held back, and need not be.
class signal_guard {
  public:
    signal_guard() noexcept {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &saved_);
    }
    signal_guard(signal_guard const&) = delete;
    signal_guard& operator=(signal_guard const&) = delete;
    ~signal_guard() { pthread_sigmask(SIG_SETMASK, &saved_, nullptr); }

  private:
    sigset_t saved_;
};

} // namespace partywall::inline v0::os
