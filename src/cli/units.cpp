// SPDX-License-Identifier: BSL-1.0
#include "units.hpp"

#include <CLI/App.hpp>

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <utility>

namespace partywall::cli {
namespace {

struct unit {
    std::string_view name;
    std::uint64_t factor;
};

constexpr std::array size_units = {
    unit{"", 1},           unit{"B", 1},          unit{"K", 1U << 10},
    unit{"k", 1U << 10},   unit{"KiB", 1U << 10}, unit{"M", 1U << 20},
    unit{"MiB", 1U << 20}, unit{"G", 1U << 30},   unit{"GiB", 1U << 30},
};
constexpr std::array time_units = {
    unit{"", 1'000'000'000},
    unit{"ns", 1},
    unit{"us", 1'000},
    unit{"ms", 1'000'000},
    unit{"s", 1'000'000'000},
    unit{"min", 60'000'000'000},
    unit{"h", 3'600'000'000'000},
};

template <class Units>
std::optional<std::uint64_t> factor_of(Units const& units, std::string_view name) {
    for (unit const& u : units) {
        if (u.name == name) {
            return u.factor;
        }
    }
    return std::nullopt;
}

} // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) {
    std::uint64_t number = 0;
    auto const [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc()) {
        return std::nullopt;
    }
    auto const factor =
        factor_of(size_units, text.substr(static_cast<std::size_t>(rest - text.data())));
    if (!factor || number > ~std::uint64_t{0} / *factor) {
        return std::nullopt;
    }
    return number * *factor;
}

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
    double number = 0;
    if (text.empty() || text[0] < '0' || text[0] > '9') { // no sign, no "inf"
        return std::nullopt;
    }
    auto const [rest, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc()) {
        return std::nullopt;
    }
    auto const factor =
        factor_of(time_units, text.substr(static_cast<std::size_t>(rest - text.data())));
    double const most = 9e18; // nanoseconds that fit: 285 years
    if (!factor || number > most / static_cast<double>(*factor)) {
        return std::nullopt;
    }
    return std::chrono::nanoseconds(
        static_cast<std::int64_t>(number * static_cast<double>(*factor)));
}

std::string show_size(std::uint64_t bytes) {
    constexpr std::array names = {"GiB", "MiB", "KiB"};
    unsigned shift = 30;
    for (char const* const name : names) {
        if (bytes != 0 && bytes % (std::uint64_t{1} << shift) == 0) {
            return fmt::format("{} {}", bytes >> shift, name);
        }
        shift -= 10;
    }
    return fmt::format("{} bytes", bytes);
}

std::string show_duration(std::chrono::nanoseconds time) {
    auto const ns = static_cast<double>(time.count());
    if (ns < 1e3) {
        return fmt::format("{} ns", time.count());
    }
    if (ns < 1e6) {
        return fmt::format("{:.3g} us", ns / 1e3);
    }
    return ns < 1e9 ? fmt::format("{:.3g} ms", ns / 1e6) : fmt::format("{:.6g} s", ns / 1e9);
}

CLI::Option* add_size(CLI::App& app, std::string const& name, std::uint64_t& target,
                      std::string const& help) {
    auto const take = [name, &target](std::string const& text) {
        auto const size = parse_size(text);
        if (!size || *size == 0) {
            throw CLI::ValidationError(name, "'" + text + "' is no size (try 4096, 64K or 1M)");
        }
        target = *size;
    };
    return app.add_option_function<std::string>(name, take, help)->type_name("BYTES");
}

CLI::Option* add_duration(CLI::App& app, std::string const& name,
                          std::optional<std::chrono::nanoseconds>& target,
                          std::string const& help) {
    auto const take = [name, &target](std::string const& text) {
        target = parse_duration(text);
        if (!target) {
            throw CLI::ValidationError(name,
                                       "'" + text + "' is no duration (try 5, 1.5s or 200ms)");
        }
    };
    return app.add_option_function<std::string>(name, take, help)->type_name("TIME");
}

CLI::Option* add_flag_with_size(CLI::App& app, std::string const& name,
                                std::optional<std::uint64_t>& target, std::uint64_t without,
                                std::string const& help) {
    // CLI11 gives what follows '=' to the flag, and "true" if nothing does.
    auto const take = [name, &target, without](CLI::results_t const& given) {
        std::string const& text = given.back();
        target = text == "true" ? without : parse_size(text);
        if (!target || *target == 0) {
            throw CLI::ValidationError(name, "'" + text + "' is no size (try 4096, 64K or 1M)");
        }
        return true;
    };
    return app.add_option(name, CLI::callback_t(take), help)
        ->expected(0)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
        ->option_text("[=BYTES]");
}

CLI::Option* add_count(CLI::App& app, std::string const& name, std::uint64_t& target,
                       std::string const& help) {
    auto const take = [name, &target](std::string const& text) {
        char const* const end = text.data() + text.size();
        std::uint64_t number = 0;
        auto const [rest, error] = std::from_chars(text.data(), end, number);
        if (error != std::errc() || rest != end || number == 0) {
            throw CLI::ValidationError(name, "'" + text + "' is no number from 1 up");
        }
        target = number;
    };
    return app.add_option_function<std::string>(name, take, help)->type_name("N");
}

} // namespace partywall::cli
