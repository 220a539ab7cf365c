// SPDX-License-Identifier: BSL-1.0
#include "decimal.hpp"

#include <limits>

namespace calculator {
namespace {

__extension__ using wide = __int128;

std::optional<decimal> narrowed(wide value) noexcept {
    using limits = std::numeric_limits<std::int64_t>;
    // Symmetric, so that every number can be negated.
    if (value > limits::max() || value < -limits::max()) {
        return std::nullopt;
    }
    return decimal{static_cast<std::int64_t>(value)};
}

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

} // namespace

read_decimal read(std::string_view text) noexcept {
    read_decimal got;
    wide value = 0;
    int after = -1; // digits after the point; -1: no point yet
    bool digits = false;
    bool too_precise = false;
    bool too_large = false;
    for (; got.length < text.size(); ++got.length) {
        char const c = text[got.length];
        if (c == '.' && after < 0) {
            after = 0;
        } else if (is_digit(c)) {
            digits = true;
            if (after >= digits_after_point) {
                too_precise = true;
                continue;
            }
            after += after >= 0 ? 1 : 0;
            value = too_large ? value : value * 10 + (c - '0');
            too_large = too_large || value > wide(1) << 80;
        } else {
            break;
        }
    }
    if (!digits) {
        return got;
    }
    for (int i = after < 0 ? 0 : after; i < digits_after_point; ++i) {
        value *= 10;
    }
    auto const good = narrowed(value);
    got.what = too_precise          ? read_decimal::outcome::too_precise
               : too_large || !good ? read_decimal::outcome::too_large
                                    : read_decimal::outcome::good;
    got.value = good.value_or(decimal{});
    return got;
}

std::string to_string(decimal d) {
    bool const negative = d.millionths < 0;
    auto const size = static_cast<std::uint64_t>(negative ? -d.millionths : d.millionths);
    std::string text = (negative ? "-" : "") + std::to_string(size / one);
    std::string fraction = std::to_string(size % one);
    fraction.insert(0, digits_after_point - fraction.size(), '0');
    while (!fraction.empty() && fraction.back() == '0') {
        fraction.pop_back();
    }
    return fraction.empty() ? text : text + "." + fraction;
}

std::optional<decimal> sum(decimal a, decimal b) noexcept {
    return narrowed(wide(a.millionths) + b.millionths);
}
std::optional<decimal> difference(decimal a, decimal b) noexcept {
    return narrowed(wide(a.millionths) - b.millionths);
}
std::optional<decimal> product(decimal a, decimal b) noexcept {
    return narrowed(wide(a.millionths) * b.millionths / one);
}
std::optional<decimal> quotient(decimal a, decimal b) noexcept {
    return narrowed(wide(a.millionths) * one / b.millionths);
}

} // namespace calculator
