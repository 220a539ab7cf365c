// SPDX-License-Identifier: BSL-1.0
// Numbers that people write behind an option. Nothing here throws.
#pragma once

#include <charconv>
#include <cstdint>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>

namespace calculator {

/// What was asked for with `what`; nothing, after a sentence on standard error, if it is no whole
/// number from `least` to `most`.
inline std::optional<std::int64_t> number_of(std::string_view what, std::string_view text,
                                             std::int64_t least, std::int64_t most) {
    std::int64_t value = 0;
    auto const [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (wrong == std::errc() && end == text.data() + text.size() && value >= least &&
        value <= most) {
        return value;
    }
    std::cerr << what << ": '" << text << "' is not a number from " << least << " to " << most
              << "\n";
    return std::nullopt;
}

/// After a sentence on standard error: the program's exit code.
inline int usage(std::string_view wrong, std::string_view how) {
    std::cerr << wrong << "\nusage: " << how << "\n";
    return 2;
}

} // namespace calculator
