// SPDX-License-Identifier: BSL-1.0
// The `partywall` command: finds the sub-command, runs it, and says how it ended.
#include "command.hpp"
#include "file_io.hpp"
#include "signals.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>
#include <exception>
#include <memory>
#include <new>
#include <sstream>
#include <vector>

namespace partywall::cli {
namespace {

char const* const exit_codes_text =
    "Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 nobody there (before the timeout) or no such\n"
    "domain, 4 something there is broken, 5 layout, type or options do not fit, 128 + n after\n"
    "signal n (130: Ctrl-C). Data goes to standard output, everything else to standard error.";

/// "--block[=BYTES]" without the space that belongs to options.
class formatter : public CLI::Formatter {
    std::string make_option_opts(CLI::Option const* option) const override {
        std::string const text = option->get_option_text();
        return text.starts_with('[') ? text : CLI::Formatter::make_option_opts(option);
    }
    std::string make_option_desc(CLI::Option const* option) const override {
        return wrapped(CLI::Formatter::make_option_desc(option), 66);
    }

    /// CLI11 indents what follows a newline, and breaks no lines itself.
    static std::string wrapped(std::string text, std::size_t width) {
        for (std::size_t line = 0; text.size() - line > width;) {
            std::size_t const space = text.rfind(' ', line + width);
            if (space == std::string::npos || space <= line) {
                break;
            }
            text[space] = '\n';
            line = space + 1;
        }
        return text;
    }
};

/// Every command takes them, before or after its name.
void add_common_options(CLI::App& app, common_options& common) {
    std::string const group = "Options of every command";
    app.add_option("--domain", common.domain,
                   "Which domain (default: $PARTYWALL_DOMAIN, or 'default')")
        ->type_name("NAME")
        ->group(group);
    app.add_option("--root", common.root,
                   "Directory of all domains (default: $PARTYWALL_ROOT, or "
                   "/dev/shm/partywall-UID)")
        ->type_name("PATH")
        ->group(group);
    app.add_flag("--group", common.group,
                 "The domain is shared by a group: directories 02770, files 0660")
        ->group(group);
    app.add_flag("-q,--quiet", common.quiet, "Say nothing but errors")->group(group);
    app.set_help_flag("-h,--help", "Say how it is used, and end")->group(group);
}

void refuse_empty(CLI::App const& app) {
    for (char const* const name : {"--domain", "--root"}) {
        CLI::Option const* const option = app.get_option_no_throw(name);
        if (option != nullptr && option->count() != 0 && option->results().back().empty()) {
            throw CLI::ValidationError(name, "is empty");
        }
    }
}

int usage_error(CLI::App const& app, CLI::ParseError const& e) {
    std::string command = "partywall";
    for (CLI::App const* const sub : app.get_subcommands()) {
        command += " " + sub->get_name();
    }
    say(e.what());
    say("try '" + command + " --help'");
    return exit_usage;
}

int run_command(command const& c) {
    try {
        return c.run();
    } catch (command_error const& e) {
        say(e.what);
        return e.code;
    } catch (stopped const&) {
        return exit_signal + stop_signal();
    } catch (std::bad_alloc const&) {
        say("out of memory");
    } catch (std::exception const& e) {
        say(e.what());
    }
    return exit_failed;
}

int run(int argc, char** argv) {
    occupy_standard_streams();
    catch_signals();
    CLI::App app("Processes on one host that talk through memory they share.", "partywall");
    common_options common;
    app.formatter(std::make_shared<formatter>());
    app.require_subcommand(1);
    app.footer(exit_codes_text);
    add_common_options(app, common);
    std::vector<command> commands;
    for (auto* const make : {make_pub, make_sub, make_send, make_recv, make_call, make_serve,
                             make_survey, make_respond, make_list, make_clean, make_version}) {
        commands.push_back(make(app, common));
        add_common_options(*commands.back().app, common);
    }
    app.set_version_flag("--version", version_text(), "Say which version this is, and end");
    try {
        app.parse(argc, argv);
        refuse_empty(app);
        for (CLI::App const* const sub : app.get_subcommands()) {
            refuse_empty(*sub);
        }
    } catch (CLI::Success const& asked) { // --help, --version
        std::ostringstream text;
        app.exit(asked, text, text);
        return run_command({&app, [&text] {
                                output out;
                                out.write(text.str());
                                out.close();
                                return exit_ok;
                            }});
    } catch (CLI::ParseError const& e) {
        return usage_error(app, e);
    }
    auto const asked = std::find_if(commands.begin(), commands.end(),
                                    [](command const& c) { return c.app->parsed(); });
    return run_command(*asked); // there is one: require_subcommand
}

} // namespace
} // namespace partywall::cli

int main(int argc, char** argv) {
    try {
        return partywall::cli::run(argc, argv);
    } catch (std::exception const& e) {
        partywall::cli::say(e.what());
        return partywall::cli::exit_failed;
    }
}
