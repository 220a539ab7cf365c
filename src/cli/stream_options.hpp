// SPDX-License-Identifier: BSL-1.0
// What `pub`, `sub`, `send` and `recv` have in common.
#pragma once

#include "command.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace partywall::cli {

/// Bytes that `pub --block` reads for one message, and `sub --block` gathers for one write.
/// Larger ones move hardly more per second; smaller ones cost more system calls.
inline constexpr std::uint64_t block_bytes_default = 128 * 1024;
/// Messages that the ring of `pub --block` holds: with the default block size 2 MiB.
inline constexpr std::uint64_t block_depth_default = 16;
/// The same for lines: also 2 MiB.
inline constexpr std::uint64_t line_bytes_default = 8 * 1024;
inline constexpr std::uint64_t line_depth_default = 256;

struct stream_options {
    std::string topic;                  ///< or the name of a receiver
    std::optional<std::uint64_t> block; ///< raw blocks of that size; lines without
    std::uint64_t count = 0;            ///< 0: no limit
    std::uint64_t wait_for = 0;
    std::optional<std::chrono::nanoseconds> timeout; ///< none: for ever
    std::string name;

    std::chrono::nanoseconds patience() const {
        return timeout.value_or(std::chrono::nanoseconds::max());
    }
};

/// The end of a sentence: " within 5 s".
std::string within(stream_options const& options);

/// `positional`: what the name is called, and what is said of it.
void add_stream_options(CLI::App& app, stream_options& options,
                        std::string const& positional = "TOPIC",
                        std::string const& help = "Name of the topic, such as market/eurusd");

/// --policy POLICY.
void add_policy(CLI::App& app, overflow& policy, std::string const& help);

/// Joins the domain as `options.name`, or fails.
participant join_as(stream_options const& options, common_options const& common);

} // namespace partywall::cli
