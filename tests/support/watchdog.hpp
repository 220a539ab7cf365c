// SPDX-License-Identifier: BSL-1.0
// Ends a test process that hangs, loudly and with the name of the test.
#pragma once

#include <chrono>

namespace partywall::test {

/// What      a timer per test. When it runs out the process says which test hung and aborts; if
///           even that does not work (all signals blocked), the kernel kills it 10 s later.
/// Callers   the listener of install_watchdog() arms it for every test; a test that may take
///           longer says so with extend(). Children made by spawn() die with the process.
/// Cost      no thread: a test that is single-threaded stays so. One real-time signal
///           (SIGRTMAX - 1), which tests must leave alone.
namespace watchdog {

/// Limit of a test unless it says otherwise; stretched by PARTYWALL_TEST_TIMEOUT_SCALE.
inline constexpr std::chrono::seconds limit_default{60};

/// Starts (again) with `limit` from now on; the limit is stretched here. `name` is copied.
void arm(char const* name, std::chrono::milliseconds limit = limit_default);
/// Gives the running test `limit` from now on.
void extend(std::chrono::milliseconds limit);
void disarm();

} // namespace watchdog

/// Adds the GoogleTest listener that arms the watchdog around every test.
void install_watchdog();

} // namespace partywall::test
