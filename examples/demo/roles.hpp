// SPDX-License-Identifier: BSL-1.0
// What the processes do that use partywall: one publisher, three subscribers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace demo {

inline constexpr char const* topic = "demo/lines";
inline constexpr std::uint64_t depth = 2048; ///< lines that the ring holds
inline constexpr std::uint64_t lines_in_all = 40'000;
inline constexpr std::uint64_t interval_ns = 200'000;   ///< between two lines
inline constexpr std::uint64_t ledger_dies_at = 10'000; ///< lines sent
inline constexpr std::uint64_t publisher_dies_at = 21'000;

/// In front of every line.
struct line_header {
    std::uint64_t number;
    std::uint64_t sent_ns;
};

/// A role is started as `<program> --role NAME DOMAIN LOG ARGUMENT...` and talks to whoever
/// started it in lines on its standard output. Returns the exit code.
///
///   publisher DOMAIN LOG FILE HOLD_AT     says `publishing N`, `sent N` at the two numbers above,
///                                         `done`. Goes on after the last line in LOG. At line
///                                         HOLD_AT (0: never) it sends, says `holding`, and hangs
///                                         before it notes the line.
///   ledger DOMAIN LOG [OLD_LOG]           lossless; goes on where OLD_LOG ends
///   screen DOMAIN LOG                     lossy, pauses now and then
///   peek DOMAIN LOG                       looking, slow
///                                         these say `ready`, `died TIME`, `closed`
/// and those of large.hpp, with `-` for LOG.
int run_role(std::vector<std::string> const& arguments);

} // namespace demo
