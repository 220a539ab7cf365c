// SPDX-License-Identifier: BSL-1.0
// The calculator against bc, and what it says of expressions that have no result.
#include "program.hpp"

#include "support/counts.hpp"
#include "support/scratch_root.hpp"
#include "support/watchdog.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace partywall::test {
namespace {

/// An expression, and every expression in it.
struct generated {
    std::string text;
    std::vector<std::string> parts;
};

class generator {
  public:
    explicit generator(unsigned seed) : random_(seed) {}

    generated expression() {
        parts_.clear();
        std::string text = operand_or_more(1 + below(5));
        return {text, parts_};
    }

  private:
    std::uint64_t below(std::uint64_t n) { return random_() % n; }
    std::string space() { return below(4) == 0 ? " " : ""; }

    std::string number() {
        switch (below(12)) {
        case 0: return "0";
        case 1: return "." + std::to_string(1 + below(999));
        case 2: return std::to_string(below(100)) + ".";
        case 3: return std::to_string(below(10'000'000));
        case 4: return std::to_string(below(1000)) + "." + std::to_string(below(1'000'000));
        default: return std::to_string(below(1000));
        }
    }
    std::string operand_or_more(std::uint64_t depth) {
        if (depth == 0 || below(6) == 0) {
            std::string const n = number();
            return below(8) == 0 ? "(-" + n + ")" : n;
        }
        static constexpr std::array operators = {'+', '-', '*', '/'};
        std::string text = operand_or_more(depth - 1) + space() + operators[below(4)] + space() +
                           operand_or_more(depth - 1);
        bool const enclosed = below(2) == 0;
        text = enclosed ? "(" + space() + text + space() + ")" : text;
        if (enclosed) { // else precedence may tear it apart
            parts_.push_back(text);
        }
        return text;
    }

    std::mt19937_64 random_;
    std::vector<std::string> parts_;
};

/// What bc says to each; nothing where it says that there is no result.
std::vector<std::optional<std::string>> ask_bc(std::vector<std::string> const& expressions,
                                               std::string const& scratch) {
    {
        std::ofstream file(scratch);
        file << "scale=6\n";
        for (std::size_t i = 0; i < expressions.size(); ++i) {
            file << "\"#" << i << "\n\"\n" << expressions[i] << "\n";
        }
    }
    std::string const command = "BC_LINE_LENGTH=0 bc -q " + scratch + " 2>/dev/null </dev/null";
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> const out(::popen(command.c_str(), "r"),
                                                              ::pclose);
    std::vector<std::optional<std::string>> answers(expressions.size());
    std::size_t at = 0;
    std::array<char, 4096> line{};
    while (out && std::fgets(line.data(), static_cast<int>(line.size()), out.get()) != nullptr) {
        std::string text(line.data());
        text.pop_back();
        if (text.starts_with('#')) {
            at = std::stoull(text.substr(1));
        } else {
            answers.at(at) = text;
        }
    }
    return answers;
}

/// "-.500000" -> "-0.5", "007" -> "7"
std::string canonical(std::string text) {
    bool const negative = text.starts_with('-');
    text.erase(0, negative ? 1 : 0);
    std::size_t const point = std::min(text.find('.'), text.size());
    std::string whole = text.substr(0, point);
    std::string fraction = point < text.size() ? text.substr(point + 1) : "";
    whole.erase(0, std::min(whole.find_first_not_of('0'), whole.size()));
    fraction.erase(fraction.find_last_not_of('0') + 1);
    std::string const both =
        (whole.empty() ? "0" : whole) + (fraction.empty() ? "" : "." + fraction);
    return (negative && both != "0" ? "-" : "") + both;
}

/// Beyond 2^63 - 1 millionths.
bool is_too_large(std::string const& number) {
    std::string const text = canonical(number);
    std::string const digits = text.substr(text.starts_with('-') ? 1 : 0);
    std::string const whole = digits.substr(0, digits.find('.'));
    static std::string const most = "9223372036854";
    return whole.size() != most.size() ? whole.size() > most.size() : whole >= most;
}

class Calculator : public testing::Test {
  protected:
    void SetUp() override { watchdog::extend(std::chrono::minutes(5)); }
    std::vector<std::string> results_of(std::vector<std::string> const& expressions,
                                        std::vector<std::string> arguments = {}) {
        std::filesystem::create_directories(files.path());
        std::string const path = files.path() + "/expressions";
        std::ofstream file(path);
        for (std::string const& one : expressions) {
            file << one << "\n";
        }
        file.close();
        arguments.push_back(path);
        program calculator("partywall-calculator", arguments, root);
        calculator.wait();
        std::istringstream out(calculator.output());
        std::vector<std::string> lines;
        for (std::string line; std::getline(out, line);) {
            lines.push_back(line);
        }
        return lines;
    }

    scratch_root root;
    scratch_root files;
};

TEST_F(Calculator, ComputesWhatBcComputes) {
    unsigned const seed = run_seed();
    generator expressions(seed);
    std::uint64_t const wanted = count(10'000, 200'000);
    std::vector<generated> all;
    std::vector<std::string> texts;
    for (std::uint64_t i = 0; i < wanted; ++i) {
        all.push_back(expressions.expression());
        texts.push_back(all.back().text);
    }
    auto const mine = results_of(texts);
    auto const at_once = results_of(texts, {"--at-once"});
    ASSERT_EQ(mine.size(), wanted);
    EXPECT_EQ(mine, at_once);
    auto const theirs = ask_bc(texts, files.path() + "/bc");
    std::uint64_t numbers = 0;
    std::uint64_t by_zero = 0;
    std::vector<std::size_t> too_large;
    for (std::size_t i = 0; i < wanted; ++i) {
        if (mine[i].starts_with("error: division by zero")) {
            by_zero += 1;
            EXPECT_EQ(theirs[i], std::nullopt) << texts[i] << ", seed " << seed;
        } else if (mine[i].starts_with("error: overflow")) {
            too_large.push_back(i);
        } else {
            numbers += 1;
            ASSERT_TRUE(theirs[i]) << texts[i] << " is not " << mine[i] << ", seed " << seed;
            EXPECT_EQ(mine[i], canonical(*theirs[i])) << texts[i] << ", seed " << seed;
        }
    }
    // What is too large is so according to bc, too: the whole, or something in it. Parts that stand
    // in no parentheses cannot be asked for alone, so a few cannot be judged.
    std::vector<std::string> parts;
    std::vector<std::size_t> whose;
    for (std::size_t const i : too_large) {
        parts.insert(parts.end(), all[i].parts.begin(), all[i].parts.end());
        parts.push_back(all[i].text);
        whose.resize(parts.size(), i);
    }
    std::set<std::size_t> confirmed;
    auto const values = ask_bc(parts, files.path() + "/bc");
    for (std::size_t k = 0; k < parts.size(); ++k) {
        if (values[k] && is_too_large(*values[k])) {
            confirmed.insert(whose[k]);
        }
    }
    std::printf("%llu numbers, %llu divisions by zero, %zu overflows (%zu confirmed), seed %u\n",
                static_cast<unsigned long long>(numbers), static_cast<unsigned long long>(by_zero),
                too_large.size(), confirmed.size(), seed);
    EXPECT_GT(numbers, wanted / 2);
    EXPECT_GT(by_zero, 0U);
    EXPECT_GE(2 * confirmed.size(), too_large.size());
}

TEST_F(Calculator, SaysWhatIsWrongAndWhere) {
    std::vector<std::pair<std::string, std::string>> const cases = {
        {"1+2*3", "7"},
        {" ( 1 + 2 ) * -3 ", "-9"},
        {"2-3-4", "-5"},
        {"24/4/3", "2"},
        {"-2/3", "-0.666666"},
        {".5+5.", "5.5"},
        {"", "error: malformed expression at 1"},
        {"2+", "error: malformed expression at 3"},
        {"2 3", "error: malformed expression at 3"},
        {"2*(3", "error: malformed expression at 5"},
        {"2)", "error: malformed expression at 2"},
        {"1..2", "error: malformed expression at 3"},
        {".", "error: malformed expression at 1"},
        {"0x10", "error: malformed expression at 2"},
        {"1e3", "error: malformed expression at 2"},
        {"2**3", "error: malformed expression at 3"},
        {"1.1234567", "error: more than six digits after the point at 1"},
        {"9223372036854.775807", "9223372036854.775807"},
        {"-9223372036854.775807", "-9223372036854.775807"},
        {"9223372036854.775808", "error: overflow at 1"},
        {"9223372036854.775807+0.000001", "error: overflow (sum)"},
        {"-9223372036854.775807-0.000001", "error: overflow (subtract)"},
        {"4000000*4000000", "error: overflow (multiply)"},
        {"9000000000000/0.000001", "error: overflow (divide)"},
        {"1/0", "error: division by zero (divide)"},
        {"1/(2-2)+3*4", "error: division by zero (divide)"},
        {std::string(199, '(') + "1" + std::string(199, ')'), "1"},
        {std::string(100'000, '('), "error: too many parentheses at 201"},
        {std::string(100'000, '-'), "error: too many parentheses at 201"},
        {std::string(1000, '9'), "error: overflow at 1"}};
    std::vector<std::string> texts;
    std::vector<std::string> expected;
    for (auto const& [text, result] : cases) {
        texts.push_back(text);
        expected.push_back(result);
    }
    EXPECT_THAT(results_of(texts), testing::ElementsAreArray(expected));
    EXPECT_THAT(results_of(texts, {"--at-once"}), testing::ElementsAreArray(expected));
}

TEST_F(Calculator, ComputesTheSameWithServices) {
    std::vector<std::unique_ptr<program>> services;
    for (char const* const name : {"sum", "subtract", "multiply", "divide", "multiple-operation"}) {
        services.push_back(std::make_unique<program>("partywall-calculator-service",
                                                     std::vector<std::string>{name}, root));
        services.back()->expect("up");
    }
    generator expressions(run_seed());
    std::vector<std::string> texts{"1+2*3", "1/0", "2+", "4000000*4000000"};
    for (int i = 0; i < 200; ++i) {
        texts.push_back(expressions.expression().text);
    }
    auto const here = results_of(texts);
    for (std::vector<std::string> arguments :
         {std::vector<std::string>{}, std::vector<std::string>{"--at-once"}}) {
        std::string const path = files.path() + "/remote";
        std::ofstream file(path);
        for (std::string const& one : texts) {
            file << one << "\n";
        }
        file.close();
        arguments.insert(arguments.end(), {"--deadline", "20000", path});
        program client("partywall-calculator-client", arguments, root);
        client.wait();
        std::istringstream out(client.output());
        std::vector<std::string> lines;
        for (std::string line; std::getline(out, line);) {
            lines.push_back(line);
        }
        EXPECT_THAT(lines, testing::ElementsAreArray(here));
    }
    for (auto const& one : services) {
        one->kill(SIGTERM);
        EXPECT_EQ(one->wait(), exited(0)) << one->output();
    }
}

TEST_F(Calculator, GivesNoWrongAnswerWhateverBecomesOfItsServices) {
    program chaos("partywall-calculator-chaos", {std::to_string(count(6, 60))}, root);
    EXPECT_EQ(chaos.wait(), exited(0)) << chaos.output();
    EXPECT_THAT(chaos.output(), testing::HasSubstr("wrong answers: 0;"));
    EXPECT_THAT(chaos.output(), testing::HasSubstr("recovered after"));
    std::fputs(chaos.output().c_str(), stdout);
}

} // namespace
} // namespace partywall::test
