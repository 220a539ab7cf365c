// SPDX-License-Identifier: BSL-1.0
// What each process of the demo notes in a private file, so that afterwards everything can be
// compared with everything.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace demo {

enum class event : std::uint32_t {
    sent = 1,
    subscribed, ///< from here on nothing may be missing, if lossless
    received,
    publisher_died,
    publisher_closed,
};

/// 64 bytes, so that none crosses a page: a process that is killed while it appends one leaves it
/// whole or not at all.
struct record {
    event what{};
    std::uint32_t reserved = 0;
    std::uint64_t publisher = 0; ///< which life of it
    std::uint64_t position = 0;  ///< in that publisher's ring
    std::uint64_t number = 0;    ///< of the line, over all lives of the publisher
    std::uint64_t hash = 0;      ///< of the line
    std::uint64_t missed = 0;    ///< lines that were overwritten just before
    std::uint64_t at_ns = 0;     ///< sent: before sending; otherwise: when it came
    std::uint64_t took_ns = 0;   ///< sent: the time in send; received: since it was sent
};
static_assert(sizeof(record) == 64);

class logbook {
  public:
    /// Goes on where the file ends. Throws std::system_error, as append() does.
    explicit logbook(std::string const& path);
    ~logbook();
    logbook(logbook const&) = delete;
    logbook& operator=(logbook const&) = delete;
    void append(record const& r);

  private:
    int file_;
};

/// Empty if there is no such file.
std::vector<record> read_log(std::string const& path);

/// FNV-1a.
std::uint64_t hash_of(std::string_view text) noexcept;
/// Checksum over a sequence of hashes; begins with 0.
std::uint64_t add_hash(std::uint64_t checksum, std::uint64_t hash) noexcept;

/// Monotonic, the same clock in all processes.
std::uint64_t now_ns() noexcept;

} // namespace demo
