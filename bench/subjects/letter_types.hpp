// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/message_traits.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace partywall::bench {

/// A message of so many bytes.
template <std::size_t Bytes>
struct blob {
    std::array<std::uint64_t, Bytes / 8> words;
};

} // namespace partywall::bench

template <std::size_t Bytes>
struct partywall::message_traits<partywall::bench::blob<Bytes>> {
    static constexpr std::string_view name = "partywall::bench::blob";
};
