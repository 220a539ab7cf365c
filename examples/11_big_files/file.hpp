// SPDX-License-Identifier: BSL-1.0
// Both sides' view of a message: a header, and so many bytes of a file behind it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

inline constexpr char const* topic = "files/big";
inline constexpr std::uint64_t bytes_max = std::uint64_t{64} << 20;

struct file_header {
    std::uint64_t whole;  ///< bytes of the file
    std::uint64_t number; ///< which repetition of this size
    std::uint64_t checksum;
    std::uint64_t sent_ns;
};

inline std::uint64_t now_ns() {
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

inline std::uint64_t checksum_of(std::span<std::byte const> bytes) {
    std::uint64_t sum = bytes.size();
    std::uint64_t word = 0;
    for (; bytes.size() >= sizeof word; bytes = bytes.subspan(sizeof word)) {
        std::memcpy(&word, bytes.data(), sizeof word);
        sum = (sum ^ word) * 0x9e37'79b9'7f4a'7c15;
        sum ^= sum >> 29;
    }
    for (std::byte const b : bytes) {
        sum = (sum ^ static_cast<std::uint64_t>(b)) * 0x9e37'79b9'7f4a'7c15;
    }
    return sum;
}
