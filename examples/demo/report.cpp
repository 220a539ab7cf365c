// SPDX-License-Identifier: BSL-1.0
#include "report.hpp"

#include <cinttypes>
#include <cstdio>

namespace demo {

void say(std::string const& text) {
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
}

std::string grouped(std::uint64_t number) {
    std::string digits = std::to_string(number);
    for (std::size_t at = digits.size(); at > 3;) {
        at -= 3;
        digits.insert(at, 1, ',');
    }
    return digits;
}

std::string duration(std::uint64_t nanoseconds) {
    char text[32];
    auto const ns = static_cast<double>(nanoseconds);
    if (ns < 1e6) {
        std::snprintf(text, sizeof text, "%.0f us", ns / 1e3);
    } else if (ns < 1e9) {
        std::snprintf(text, sizeof text, "%.1f ms", ns / 1e6);
    } else {
        std::snprintf(text, sizeof text, "%.2f s", ns / 1e9);
    }
    return text;
}

std::string checksums(std::uint64_t a, std::uint64_t b) {
    char text[48];
    std::snprintf(text, sizeof text, "%08" PRIx64 " %s %08" PRIx64, a >> 32,
                  a == b ? "=" : "!=", b >> 32);
    return text;
}

void report::check(bool holds, std::string const& what) {
    failed_ += holds ? 0 : 1;
    std::printf("%s %s\n", holds ? "  holds  " : "  FAILS  ", what.c_str());
}

void report::note(std::string const& what) const { std::printf("  note    %s\n", what.c_str()); }

bool report::conclude() const {
    std::printf(failed_ == 0 ? "\nEverything holds.\n" : "\n%u of these did not hold.\n", failed_);
    return failed_ == 0;
}

} // namespace demo
