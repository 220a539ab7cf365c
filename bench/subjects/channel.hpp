// SPDX-License-Identifier: BSL-1.0
// What a subject is asked to make: one end of a one-way channel.
//
// This is the whole adapter interface. A subject is a type S with
//
//     template <std::size_t Bytes> S::writer, S::reader   each made from a channel
//     S::sizes_fixed   Bytes is one of fixed_sizes; otherwise always any_size, and channel::bytes
//     S::fans_out      one writer serves several readers; otherwise it gets a channel for each
//     S::fans_in       several writers, one reader; otherwise the reader looks at a channel for each
//     S::is_connected  what was sent comes, also what was sent before the reader looked
//     S::has_threads   works with threads of its own, which may run on any processor
//
// A writer has                                     (`write(void*)` writes one message there)
//     bool try_send(write)                         false: there was no room
//     void send(write)                             waits for room as channel::wait says
//     std::size_t try_send_batch(count, write)     optional; write(i, void*); how many were sent
// and a reader                                     (`read(void const*, std::size_t)`)
//     bool try_receive(read)                       false: there was nothing
//     void receive(read)                           waits as channel::wait says
//     std::size_t try_receive_batch(read)          optional; calls read for each; how many
//
// Those that can, call `write` and `read` on the memory that is shared; the others on a buffer of
// their own. Readers are made before writers. What goes wrong is thrown.
#pragma once

#include "../harness/letter.hpp"
#include "../harness/session.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace partywall::bench {

struct channel {
    std::string scratch;     ///< folder for files
    std::string name;        ///< the same on both sides, and of no other channel
    std::uint32_t index = 0; ///< of this writer, or of this reader
    std::uint32_t writers = 1;
    std::uint32_t readers = 1;
    std::uint64_t bytes = 0; ///< of every message
    std::uint64_t depth = 0; ///< messages that may be under way, at least
    bench::wait wait = bench::wait::spin;
    bool lossy = false; ///< the writer overwrites or drops, and never waits
    std::string variant;

    std::string file() const { return scratch + "/" + name; }
    bool spins() const noexcept { return wait == bench::wait::spin; }
};

inline constexpr std::array<std::size_t, 5> fixed_sizes{8, 48, 64, 256, 1024};

/// What can be done with lossless channels from one to one.
constexpr bool is_channel_figure(figure f) noexcept {
    return f != figure::call && f != figure::publish_cost && f != figure::breaker_admit &&
           f != figure::breaker_reject;
}

constexpr std::uint64_t depth_for(std::uint64_t bytes) noexcept {
    return bytes <= 1024 ? 256 : bytes <= 65536 ? 32 : 4;
}

} // namespace partywall::bench
