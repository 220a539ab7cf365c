// SPDX-License-Identifier: BSL-1.0
// Decimal numbers with six digits after the point: what `bc` with scale=6 computes, and exactly so.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace calculator {

/// Millionths. Products and quotients are cut towards zero.
struct decimal {
    std::int64_t millionths = 0;
    friend constexpr bool operator==(decimal, decimal) noexcept = default;
};

inline constexpr int digits_after_point = 6;
inline constexpr std::int64_t one = 1'000'000;

/// "12", "0.5", ".5", "5." without a sign. Nothing: no number, or one that is not representable.
struct read_decimal {
    enum class outcome : std::uint8_t { good, no_number, too_precise, too_large };
    outcome what = outcome::no_number;
    decimal value = {};
    std::size_t length = 0; ///< characters that belong to it
};
read_decimal read(std::string_view text) noexcept;

/// Without superfluous zeros: "-0.5", "3".
std::string to_string(decimal d);

/// Nothing: beyond what a decimal can hold.
std::optional<decimal> sum(decimal a, decimal b) noexcept;
std::optional<decimal> difference(decimal a, decimal b) noexcept;
std::optional<decimal> product(decimal a, decimal b) noexcept;
/// `b` is not zero.
std::optional<decimal> quotient(decimal a, decimal b) noexcept;

} // namespace calculator
