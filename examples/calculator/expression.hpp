// SPDX-License-Identifier: BSL-1.0
// Expressions: numbers, + - * / with the usual precedence, parentheses, signs before operands.
#pragma once

#include "operations.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace calculator {

/// An expression that was read: its nodes, operands before what uses them, the whole last.
class expression {
  public:
    struct node {
        bool is_number = true;
        decimal number = {};
        operation what = operation::sum;
        std::uint32_t left = 0;
        std::uint32_t right = 0;
    };

    /// Errors: malformed, too_deep, too_precise, overflow (of a number); with a position.
    static partywall::result<expression, failure> parse(std::string_view text);

    std::vector<node> const& nodes() const noexcept { return nodes_; }
    /// Calls that its evaluation takes.
    std::size_t calls() const noexcept;

  private:
    friend class parser;
    std::vector<node> nodes_;
};

/// How deep parentheses and signs may lie in each other.
inline constexpr int depth_max = 200;

/// One call after the other, the left operand first. The first failure is the expression's: no
/// operand is ever made up.
answer evaluate(expression const& e, operations& by, deadline until);

/// All calls whose operands are known are begun before the first answer is waited for.
answer evaluate_at_once(expression const& e, operations& by, deadline until);

} // namespace calculator
