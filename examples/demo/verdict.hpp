// SPDX-License-Identifier: BSL-1.0
// Compares what was sent with what arrived, from the logs of all processes.
#pragma once

#include "logbook.hpp"
#include "text.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace demo {

/// Everything that the publisher sent in all its lives, in one sequence.
class all_sent {
  public:
    /// `ledger`: what the lossless subscriber received. It shows whether the line that comes after
    /// the last one in the log of a killed publisher was sent: killed between sending and noting.
    all_sent(std::vector<record> const& publisher_log, std::vector<record> const& ledger,
             text const& source);

    std::size_t size() const noexcept { return lines_.size(); }
    record const& operator[](std::size_t index) const noexcept { return lines_[index]; }
    /// Place of a received line in the sequence; nothing if no such line was sent.
    std::optional<std::size_t> index_of(record const& received) const;
    /// Incarnations, first life first.
    std::vector<std::uint64_t> const& lives() const noexcept { return lives_; }
    std::size_t lines_of(std::uint64_t life) const;
    /// Lines that were sent although the publisher's log does not say so: 0 or 1.
    std::uint64_t unlogged() const noexcept { return unlogged_; }

  private:
    struct span {
        std::size_t begin;
        std::size_t size;
    };
    std::vector<record> lines_;
    std::vector<std::uint64_t> lives_;
    std::map<std::uint64_t, span> spans_;
    std::uint64_t unlogged_ = 0;
};

/// A subscriber's life, or one of two.
struct reader {
    std::string name;
    std::string reads;
    bool lossless = false;
    std::vector<record> log;
    std::size_t from = 0; ///< part of the sequence that concerns it
    std::size_t to = 0;
};

struct account {
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::uint64_t missed = 0;        ///< as partywall reported it, line by line
    std::uint64_t late = 0;          ///< not received, and sent after it had subscribed
    bool as_sent = true;             ///< every line is one that was sent, in its publisher's order
    std::uint64_t checksum_sent = 0; ///< of what was sent while it was there, or reached it after
    std::uint64_t checksum_received = 0;
    std::uint64_t p50_ns = 0; ///< from before sending to after receiving
    std::uint64_t p99_ns = 0;
};
account examine(reader const& r, all_sent const& sent);

/// How a subscriber heard that a publisher died.
struct obituary {
    std::uint64_t times = 0;        ///< that it was told: once is right
    std::uint64_t after_ns = 0;     ///< the kill
    std::uint64_t read_between = 0; ///< lines that it still read after the kill
    bool last = true;               ///< nothing of that publisher came afterwards
};
obituary find_obituary(reader const& r, std::uint64_t publisher, std::uint64_t killed_ns);

} // namespace demo
