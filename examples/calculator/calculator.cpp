// SPDX-License-Identifier: BSL-1.0
// The calculator: an expression per line in, a result per line out. An error is said in the place of
// the result; there is never a number where there is none.
//
//     calculator [--at-once] [FILE]
#include "arguments.hpp"
#include "expression.hpp"

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
    std::string text = "error: " + std::string(to_string(f.what));
    if (f.where) {
        text += " (" + std::string(name_of(*f.where)) + ")";
    } else {
        text += " at " + std::to_string(f.position + 1);
    }
    return text;
}

int run(std::istream& in, operations& by, bool at_once) {
    bool all_good = true;
    for (std::string line; std::getline(in, line);) {
        auto const parsed = expression::parse(line);
        answer const got = !parsed   ? answer(parsed.error())
                           : at_once ? evaluate_at_once(*parsed, by, {})
                                     : evaluate(*parsed, by, {});
        std::puts(in_words(got).c_str());
        all_good = all_good && got.has_value();
    }
    return all_good ? 0 : 1;
}

} // namespace
} // namespace calculator

int main(int argc, char** argv) {
    constexpr char const* how = "partywall-calculator [--at-once] [FILE]";
    bool at_once = false;
    std::string file;
    for (int i = 1; i < argc; ++i) {
        std::string const argument = argv[i];
        if (argument == "--at-once") {
            at_once = true;
        } else if (argument.starts_with("--")) {
            return calculator::usage("there is no option " + argument, how);
        } else if (!file.empty()) {
            return calculator::usage("one file, not " + file + " and " + argument, how);
        } else {
            file = argument;
        }
    }
    calculator::local_operations here;
    if (file.empty() || file == "-") {
        return calculator::run(std::cin, here, at_once);
    }
    std::ifstream in(file);
    if (!in) {
        std::cerr << "cannot read " << file << "\n";
        return 2;
    }
    return calculator::run(in, here, at_once);
}
