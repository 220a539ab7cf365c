// SPDX-License-Identifier: BSL-1.0
// partywall-demo [--between] [FILE]
//
// Streams a file from one process to three others while some of them are killed, and then checks
// every line. `scripts/demo` builds and runs it. Exit code 0: everything held; 1: something did
// not; 2: wrong arguments.
#include "roles.hpp"
#include "story.hpp"
#include "text.hpp"

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

namespace {

constexpr char const* usage =
    "usage: partywall-demo [--between] [FILE]\n"
    "  FILE       what is streamed, line by line; else a file that every machine has\n"
    "  --between  kill the publisher exactly between sending a line and noting that it did\n";

} // namespace

int main(int argc, char** argv) try {
    std::vector<std::string> arguments(argv + 1, argv + argc);
    if (!arguments.empty() && arguments[0] == "--role") {
        return demo::run_role({arguments.begin() + 1, arguments.end()});
    }
    bool const help = !arguments.empty() && (arguments[0] == "--help" || arguments[0] == "-h");
    if (help) {
        std::fputs(usage, stdout);
        return 0;
    }
    bool const between = !arguments.empty() && arguments[0] == "--between";
    if (between) {
        arguments.erase(arguments.begin());
    }
    if (arguments.size() > 1 || (arguments.size() == 1 && arguments[0].starts_with("--"))) {
        std::fputs(usage, stderr);
        return 2;
    }
    return demo::tell_story(arguments.empty() ? demo::some_file() : arguments[0], between) ? 0 : 1;
} catch (std::exception const& e) {
    std::fflush(stdout);
    std::fprintf(stderr, "partywall-demo: %s\n", e.what());
    return 1;
}
