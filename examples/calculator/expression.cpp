// SPDX-License-Identifier: BSL-1.0
#include "expression.hpp"

#include <algorithm>
#include <optional>

namespace calculator {

/// sum := product {('+' | '-') product};  product := factor {('*' | '/') factor}
/// factor := '-' factor | '+' factor | number | '(' sum ')'
class parser {
  public:
    explicit parser(std::string_view text) : text_(text) {}

    partywall::result<expression, failure> whole() {
        if (read_sum(0) && (skip_space(), at_ == text_.size())) {
            return std::move(made_);
        }
        return why_.value_or(failure{error::malformed, at_, {}});
    }

  private:
    using index = std::optional<std::uint32_t>;

    void skip_space() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) {
            at_ += 1;
        }
    }
    bool take(char c) {
        skip_space();
        bool const there = at_ < text_.size() && text_[at_] == c;
        at_ += there ? 1 : 0;
        return there;
    }
    index fail(error what, std::size_t position) {
        why_ = why_.value_or(failure{what, position, {}});
        return std::nullopt;
    }
    index add(expression::node const& n) {
        made_.nodes_.push_back(n);
        return static_cast<std::uint32_t>(made_.nodes_.size() - 1);
    }
    index add(operation o, index left, index right) {
        return left && right ? add({false, {}, o, *left, *right}) : std::nullopt;
    }

    index read_sum(int depth) {
        index left = read_product(depth);
        while (left) {
            if (take('+')) {
                left = add(operation::sum, left, read_product(depth));
            } else if (take('-')) {
                left = add(operation::subtract, left, read_product(depth));
            } else {
                break;
            }
        }
        return left;
    }
    index read_product(int depth) {
        index left = read_factor(depth);
        while (left) {
            if (take('*')) {
                left = add(operation::multiply, left, read_factor(depth));
            } else if (take('/')) {
                left = add(operation::divide, left, read_factor(depth));
            } else {
                break;
            }
        }
        return left;
    }
    index read_factor(int depth) {
        if (depth >= depth_max) {
            return fail(error::too_deep, at_);
        }
        if (take('-')) {
            index const operand = read_factor(depth + 1);
            if (!operand) {
                return operand;
            }
            if (made_.nodes_.back().is_number) { // a negative number needs no service
                made_.nodes_.back().number.millionths *= -1;
                return operand;
            }
            return add(operation::subtract, add(expression::node{}), operand);
        }
        if (take('+')) {
            return read_factor(depth + 1);
        }
        if (take('(')) {
            index const inside = read_sum(depth + 1);
            return !inside || take(')') ? inside : fail(error::malformed, at_);
        }
        read_decimal const number = read(text_.substr(at_));
        switch (number.what) {
        case read_decimal::outcome::no_number: return fail(error::malformed, at_);
        case read_decimal::outcome::too_precise: return fail(error::too_precise, at_);
        case read_decimal::outcome::too_large: return fail(error::overflow, at_);
        case read_decimal::outcome::good: break;
        }
        at_ += number.length;
        return add({true, number.value, {}, 0, 0});
    }

    std::string_view text_;
    std::size_t at_ = 0;
    expression made_;
    std::optional<failure> why_;
};

partywall::result<expression, failure> expression::parse(std::string_view text) {
    return parser(text).whole();
}

std::size_t expression::calls() const noexcept {
    return static_cast<std::size_t>(
        std::count_if(nodes_.begin(), nodes_.end(), [](node const& n) { return !n.is_number; }));
}

answer evaluate(expression const& e, operations& by, deadline until) {
    std::vector<decimal> values;
    values.reserve(e.nodes().size());
    for (expression::node const& n : e.nodes()) {
        if (n.is_number) {
            values.push_back(n.number);
            continue;
        }
        answer const got = by.call(n.what, values[n.left], values[n.right], until);
        if (!got) {
            return got;
        }
        values.push_back(*got);
    }
    return values.back();
}

answer evaluate_at_once(expression const& e, operations& by, deadline until) {
    std::size_t const count = e.nodes().size();
    std::vector<std::optional<decimal>> values(count);
    std::vector<std::unique_ptr<operations::pending>> under_way(count);
    std::optional<failure> first; // of the nodes in their order, as one call after the other has it
    auto const begin_what_can = [&] {
        for (std::size_t i = 0; i < count && !first; ++i) {
            expression::node const& n = e.nodes()[i];
            if (n.is_number) {
                values[i] = n.number;
            } else if (!values[i] && !under_way[i] && values[n.left] && values[n.right]) {
                under_way[i] = by.start(n.what, *values[n.left], *values[n.right], until);
            }
        }
    };
    begin_what_can();
    for (std::size_t i = 0; i < count; ++i) {
        if (!under_way[i]) {
            continue; // a number; or it needs what failed
        }
        answer const got = under_way[i]->get();
        if (!got) {
            first = first ? first : got.error();
            continue;
        }
        values[i] = *got;
        begin_what_can();
    }
    if (first) {
        return *first;
    }
    return *values.back();
}

} // namespace calculator
