// SPDX-License-Identifier: BSL-1.0
#include "counts.hpp"

#include "sanitizers.hpp"

#include <cmath>
#include <cstdlib>
#include <random>
#include <string_view>

namespace partywall::test {

bool sanitized() noexcept {
#if defined(PARTYWALL_TEST_SANITIZED)
    return true;
#else
    return false;
#endif
}

bool full_counts() {
    char const* const text = std::getenv("PARTYWALL_TEST_FULL");
    return text != nullptr && std::string_view(text) == "1";
}

std::uint32_t run_seed() {
    if (char const* const text = std::getenv("PARTYWALL_TEST_SEED")) {
        return static_cast<std::uint32_t>(std::strtoul(text, nullptr, 10));
    }
    return full_counts() ? std::random_device()() : 1;
}

std::chrono::milliseconds scaled(std::chrono::milliseconds limit) {
    double scale = 1;
    if (char const* const text = std::getenv("PARTYWALL_TEST_TIMEOUT_SCALE")) {
        double const asked = std::strtod(text, nullptr);
        if (std::isfinite(asked) && asked > 0 && asked <= 1000) {
            scale = asked;
        }
    }
    auto const stretched = static_cast<double>(limit.count()) * scale;
    return std::chrono::milliseconds(static_cast<std::chrono::milliseconds::rep>(stretched));
}

} // namespace partywall::test
