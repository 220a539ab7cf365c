// SPDX-License-Identifier: BSL-1.0
// Numbers as people write them: sizes and durations with units.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace CLI {
class App;
class Option;
} // namespace CLI

namespace partywall::cli {

/// "4096", "64K", "64KiB", "1M", "2GiB": powers of 1024.
std::optional<std::uint64_t> parse_size(std::string_view text);
/// "5", "1.5s", "200ms", "50us", "2min": seconds without a unit. Not negative.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);

/// "64 KiB" where it is exact, else bytes.
std::string show_size(std::uint64_t bytes);
/// With three digits or so: "1.25 ms".
std::string show_duration(std::chrono::nanoseconds time);

CLI::Option* add_size(CLI::App& app, std::string const& name, std::uint64_t& target,
                      std::string const& help);
CLI::Option* add_duration(CLI::App& app, std::string const& name,
                          std::optional<std::chrono::nanoseconds>& target, std::string const& help);
/// A flag that may have a size: `--block`, `--block=BYTES`. Never takes the next argument.
CLI::Option* add_flag_with_size(CLI::App& app, std::string const& name,
                                std::optional<std::uint64_t>& target, std::uint64_t without,
                                std::string const& help);
/// A number from 1 up.
CLI::Option* add_count(CLI::App& app, std::string const& name, std::uint64_t& target,
                       std::string const& help);

} // namespace partywall::cli
