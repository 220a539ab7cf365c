// SPDX-License-Identifier: BSL-1.0
// Tests with real processes. A role is a function that a child process runs instead of the
// tests; the child is this very binary, executed anew, so it shares nothing with the test but
// what the library under test shares. Test and role speak in lines over a socket, and that is
// their only synchronisation: no sleeping.
//
//     PARTYWALL_ROLE(joins_and_hangs) {
//         auto me = partywall::join("victim", {.root = context.arg(0)}).value();
//         context.send("joined");
//         context.hang();
//     }
//     TEST(Recovery, FreesTheSlotOfAKilledParticipant) {
//         test::scratch_root root;
//         test::child victim = test::spawn("joins_and_hangs", {root.path()});
//         victim.expect("joined");
//         victim.kill(SIGKILL);
//         EXPECT_EQ(victim.wait(), test::killed_by(SIGKILL));
//     }
#pragma once

#include <csignal>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace partywall::test {

/// How a process ended.
struct exit_status {
    bool exited = false; ///< else: killed by a signal
    int value = 0;       ///< exit code or signal
    friend bool operator==(exit_status, exit_status) = default;
};
constexpr exit_status exited(int code) { return {true, code}; }
constexpr exit_status killed_by(int signal) { return {false, signal}; }
std::ostream& operator<<(std::ostream&, exit_status);

/// One end of the line socket between a test and a role. A line is one datagram of at most
/// 64 KiB and may hold any bytes.
class line_socket {
  public:
    explicit line_socket(int descriptor = -1) noexcept : descriptor_(descriptor) {}
    ~line_socket();
    line_socket(line_socket&& other) noexcept;
    line_socket& operator=(line_socket&& other) noexcept;

    int descriptor() const noexcept { return descriptor_; }
    /// False when the other side is gone.
    bool send(std::string_view line);
    /// The next line; nothing when the other side is gone. Waits at most 50 s (stretched like
    /// every limit), then throws: sooner than the watchdog, so that the message can say who.
    /// The other side also counts as gone when its `pidfd` says so, whoever else holds its end.
    std::optional<std::string> receive(int pidfd = -1);

  private:
    int descriptor_;
};

/// What a role sees of its test. A role whose test is gone ends at once, whatever it is doing.
class role_context {
  public:
    role_context(line_socket socket, std::vector<std::string> arguments)
        : socket_(std::move(socket)), arguments_(std::move(arguments)) {}

    std::size_t args() const noexcept { return arguments_.size(); }
    /// Argument `i` of spawn(); throws where there is none.
    std::string const& arg(std::size_t i) const { return arguments_.at(i); }
    std::uint64_t number(std::size_t i) const { return std::stoull(arg(i)); }

    void send(std::string_view line);
    std::string receive();
    /// Receives a line; any other than `line` ends the role with exit code 97.
    void expect(std::string_view line);
    /// Waits to be killed.
    [[noreturn]] void hang();

    /// For roles that close every descriptor but this.
    int descriptor() const noexcept { return socket_.descriptor(); }

  private:
    line_socket socket_;
    std::vector<std::string> arguments_;
};

/// A process that runs a role. Killed and reaped when the object goes, and by the kernel when
/// the *thread* that spawned it ends: spawn from a thread that outlives the child.
class child {
  public:
    child() = default;
    ~child();
    child(child&& other) noexcept;
    child& operator=(child&& other) noexcept;

    pid_t pid() const noexcept { return pid_; }
    /// These throw (and so fail the test) when the role is gone or says something else.
    void send(std::string_view line);
    std::string receive();
    void expect(std::string_view line);

    void kill(int signal = SIGKILL);
    /// SIGSTOP, and waits until the process is stopped; resume() lets it go on.
    void stop();
    void resume();
    /// Waits for the end and reaps. May be asked again.
    exit_status wait();

  private:
    friend child spawn(std::string_view, std::vector<std::string>);
    [[noreturn]] void fail(std::string const& what);

    std::string role_;
    pid_t pid_ = -1;
    int pidfd_ = -1;
    line_socket socket_;
    std::optional<exit_status> status_;
};

/// Starts a process that runs role `role` with `arguments`. May be used in roles too.
[[nodiscard]] child spawn(std::string_view role, std::vector<std::string> arguments = {});

/// Runs the role that the command line asks for; nothing when it asks for none.
std::optional<int> run_asked_role(int argc, char** argv);

namespace role_registry {
using role_function = int (*)(role_context&);
bool register_role(char const* name, role_function body);
} // namespace role_registry

} // namespace partywall::test

/// Defines a role: a function body with `context`, a role_context&, that returns the exit code.
/// An exception that leaves it ends the process with exit code 98.
#define PARTYWALL_ROLE(name)                                                                       \
    static int partywall_role_##name(::partywall::test::role_context&);                            \
    [[maybe_unused]] static bool const partywall_role_is_registered_##name =                       \
        ::partywall::test::role_registry::register_role(#name, partywall_role_##name);             \
    static int partywall_role_##name([[maybe_unused]] ::partywall::test::role_context& context)

/// In a role: ends it with exit code 99 and a message when `condition` does not hold.
#define PARTYWALL_ROLE_CHECK(condition)                                                            \
    ((condition) ? static_cast<void>(0)                                                            \
                 : ::partywall::test::role_check_failed(#condition, __FILE__, __LINE__))

namespace partywall::test {
[[noreturn]] void role_check_failed(char const* condition, char const* file, int line);
} // namespace partywall::test
