// SPDX-License-Identifier: BSL-1.0
// What the ways to use partywall have in common.
#pragma once

#include "../harness/letter.hpp"
#include "channel.hpp"
#include "letter_types.hpp"

#include <partywall/partywall.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace partywall::bench {

/// One membership for all handles of this process.
inline participant& me(channel const& c) {
    static std::optional<participant> joined;
    if (!joined) {
        join_options options;
        options.root = c.scratch;
        options.domain = "bench";
        joined.emplace(join("bench", options).value());
    }
    return *joined;
}

inline constexpr std::chrono::seconds patience{30};

template <std::size_t Bytes>
using message_type = typename std::conditional_t<Bytes == any_size, std::type_identity<bytes>,
                                                 std::type_identity<blob<Bytes>>>::type;

inline waiting waiting_of(channel const& c) {
    switch (c.wait) {
    case wait::spin: return waiting::spin;
    case wait::park:
    case wait::fd: return waiting::park; // for room
    default: return waiting::spin_then_park;
    }
}
[[noreturn]] inline void fail(std::string_view what, std::string_view why) {
    throw std::runtime_error(std::string(what) + ": " + std::string(why));
}

/// The part of `role` in figure::call.
void play_partywall_call(session& s, std::uint32_t role);

} // namespace partywall::bench
