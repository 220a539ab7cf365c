// SPDX-License-Identifier: BSL-1.0
// What the sub-commands of `partywall` have in common: how they are found, the options that all
// of them take, how they end. docs/cli.md says the same to users.
#pragma once

#include <partywall/partywall.hpp>

#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace CLI {
class App;
}

namespace partywall::cli {

/// Exit codes, part of the interface. Ended by a signal in good order: 128 + its number.
enum exit_code : int {
    exit_ok = 0,
    exit_failed = 1,
    exit_usage = 2,
    exit_not_found = 3,    ///< nobody there (before the timeout), no such domain
    exit_unhealthy = 4,    ///< something there is broken
    exit_incompatible = 5, ///< layout, type or options do not fit
    exit_signal = 128,
};

/// Ends the command: `what` goes to standard error, `code` to the shell.
struct command_error {
    int code;
    std::string what;
};
/// Ends the command after a signal; nothing is said.
struct stopped {};

template <class... Args>
[[noreturn]] void fail(int code, fmt::format_string<Args...> text, Args&&... args) {
    throw command_error{code, fmt::format(text, std::forward<Args>(args)...)};
}

int exit_code_of(join_errc e) noexcept;
int exit_code_of(endpoint_errc e) noexcept;
template <class Errc>
[[noreturn]] void fail(failure<Errc> const& f) {
    throw command_error{exit_code_of(f.code),
                        f.message.empty() ? std::string(to_string(f.code)) : f.message};
}

/// Options of every sub-command.
struct common_options {
    std::string domain;
    std::string root;
    bool group = false;
    bool quiet = false;

    join_options where() const;
};

/// "partywall 0.1.0".
std::string version_text();

/// One line on standard error: "partywall: text".
void say(std::string_view text);

/// Bytes from elsewhere made harmless for a terminal: control bytes become \xNN.
std::string printable(std::string_view bytes);

struct command {
    CLI::App* app;
    std::function<int()> run; ///< returns the exit code, or throws command_error or stopped
};

command make_pub(CLI::App& parent, common_options const& common);
command make_sub(CLI::App& parent, common_options const& common);
command make_send(CLI::App& parent, common_options const& common);
command make_recv(CLI::App& parent, common_options const& common);
command make_call(CLI::App& parent, common_options const& common);
command make_serve(CLI::App& parent, common_options const& common);
command make_survey(CLI::App& parent, common_options const& common);
command make_respond(CLI::App& parent, common_options const& common);
command make_list(CLI::App& parent, common_options const& common);
command make_clean(CLI::App& parent, common_options const& common);
command make_version(CLI::App& parent, common_options const& common);

} // namespace partywall::cli
