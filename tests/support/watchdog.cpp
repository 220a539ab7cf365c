// SPDX-License-Identifier: BSL-1.0
#include "watchdog.hpp"

#include "counts.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <stdexcept>
#include <string>
#include <system_error>
#include <unistd.h>

namespace partywall::test {
namespace {

constexpr std::chrono::seconds kill_after{10};

// Read by the signal handler; written only while the timer is off.
char message[512];
std::size_t message_bytes = 0;

timer_t shout_timer;
timer_t kill_timer;
bool have_timers = false;

extern "C" void shout(int) {
    // Only what may be called in a signal handler.
    [[maybe_unused]] ssize_t const written = ::write(STDERR_FILENO, message, message_bytes);
    std::abort();
}

void check(int code, char const* what) {
    if (code != 0) {
        throw std::runtime_error(std::string("watchdog: ") + what + ": " +
                                 std::generic_category().message(errno));
    }
}

void create_timers() {
    if (have_timers) {
        return;
    }
    struct sigaction action {};
    action.sa_handler = shout;
    sigfillset(&action.sa_mask);
    check(::sigaction(SIGRTMAX - 1, &action, nullptr), "sigaction");
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGRTMAX - 1;
    check(::timer_create(CLOCK_MONOTONIC, &event, &shout_timer), "timer_create");
    event.sigev_signo = SIGKILL;
    check(::timer_create(CLOCK_MONOTONIC, &event, &kill_timer), "timer_create");
    have_timers = true;
}

void set(timer_t timer, std::chrono::milliseconds from_now) {
    itimerspec when{};
    when.it_value.tv_sec = static_cast<std::time_t>(from_now.count() / 1000);
    when.it_value.tv_nsec = static_cast<long>(from_now.count() % 1000) * 1'000'000;
    check(::timer_settime(timer, 0, &when, nullptr), "timer_settime");
}

class listener : public testing::EmptyTestEventListener {
    void OnTestSuiteStart(testing::TestSuite const& suite) override { watchdog::arm(suite.name()); }
    void OnTestStart(testing::TestInfo const& info) override {
        watchdog::arm((std::string(info.test_suite_name()) + "." + info.name()).c_str());
    }
    void OnTestEnd(testing::TestInfo const& info) override {
        watchdog::arm(info.test_suite_name()); // covers what the suite does between its tests
    }
    void OnTestSuiteEnd(testing::TestSuite const&) override { watchdog::disarm(); }
};

} // namespace

namespace watchdog {

void arm(char const* name, std::chrono::milliseconds limit) {
    create_timers();
    disarm();
    auto const stretched = std::max(scaled(limit), std::chrono::milliseconds(1));
    std::string const text =
        "\nwatchdog: " + std::string(name, std::min<std::size_t>(std::strlen(name), 300)) +
        " did not end within " + std::to_string(stretched.count()) +
        " ms (PARTYWALL_TEST_TIMEOUT_SCALE stretches this); aborting\n";
    std::memcpy(message, text.data(), text.size());
    message_bytes = text.size();
    set(kill_timer, stretched + kill_after);
    set(shout_timer, stretched);
}

void extend(std::chrono::milliseconds limit) {
    testing::TestInfo const* const info = testing::UnitTest::GetInstance()->current_test_info();
    arm(info == nullptr ? "(no test)"
                        : (std::string(info->test_suite_name()) + "." + info->name()).c_str(),
        limit);
}

void disarm() {
    if (have_timers) {
        set(shout_timer, std::chrono::milliseconds(0));
        set(kill_timer, std::chrono::milliseconds(0));
    }
}

} // namespace watchdog

void install_watchdog() {
    testing::UnitTest::GetInstance()->listeners().Append(new listener); // GoogleTest owns it
}

} // namespace partywall::test
