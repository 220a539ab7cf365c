// SPDX-License-Identifier: BSL-1.0
// Asks `multiple-operation` for expressions, one per line:
//
//     partywall-calculator-client [--at-once] [--deadline MILLISECONDS] [FILE]
//
// The deadline is that of a whole expression: every call that is made for it inherits what is left.
#include "arguments.hpp"
#include "messages.hpp"

#include <partywall/partywall.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>

namespace calculator {
namespace {

std::string in_words(answer const& a) {
    if (a) {
        return to_string(*a);
    }
    failure const& f = a.error();
    return "error: " + std::string(to_string(f.what)) +
           (f.where ? " (" + std::string(name_of(*f.where)) + ")"
                    : " at " + std::to_string(f.position + 1));
}

int run(std::istream& in, bool at_once, std::chrono::milliseconds time) {
    auto const me = partywall::join("calculator client").value();
    auto client = me.client<partywall::bytes, outcome_message>(evaluator).value();
    partywall::call_options options;
    options.deadline = time;
    options.header[0] = at_once ? 1 : 0;
    options.wait_for_ready = true;
    bool all_good = true;
    for (std::string line; std::getline(in, line);) {
        auto const got = client.call(line, options);
        std::string text;
        if (got) {
            answer const said = as_answer(**got);
            all_good = all_good && said.has_value();
            text = in_words(said);
        } else {
            all_good = false;
            text = "error: " + std::string(partywall::to_string(got.error().reason));
        }
        std::puts(text.c_str());
    }
    return all_good ? 0 : 1;
}

} // namespace
} // namespace calculator

int main(int argc, char** argv) {
    constexpr std::int64_t day_ms = 24 * 3600 * 1000;
    constexpr char const* how =
        "partywall-calculator-client [--at-once] [--deadline MILLISECONDS] [FILE]";
    bool at_once = false;
    std::chrono::milliseconds time(1000);
    std::string file;
    for (int i = 1; i < argc; ++i) {
        std::string const argument = argv[i];
        if (argument == "--at-once") {
            at_once = true;
        } else if (argument == "--deadline") {
            auto const given =
                calculator::number_of(argument, ++i < argc ? argv[i] : "", 1, day_ms);
            if (!given) {
                return 2;
            }
            time = std::chrono::milliseconds(*given);
        } else if (argument.starts_with("--")) {
            return calculator::usage("there is no option " + argument, how);
        } else if (!file.empty()) {
            return calculator::usage("one file, not " + file + " and " + argument, how);
        } else {
            file = argument;
        }
    }
    if (file.empty() || file == "-") {
        return calculator::run(std::cin, at_once, time);
    }
    std::ifstream in(file);
    if (!in) {
        std::cerr << "cannot read " << file << "\n";
        return 2;
    }
    return calculator::run(in, at_once, time);
}
