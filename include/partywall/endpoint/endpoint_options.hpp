// SPDX-License-Identifier: BSL-1.0
// Choices that endpoints of several styles offer.
#pragma once

#include <chrono>
#include <cstdint>

namespace partywall::inline v0 {

/// What a publisher does when a lossless subscriber still needs the cell that comes next. One
/// policy per topic: while a topic has a live publisher or a lossless subscription, whoever comes
/// with another one is refused (endpoint_errc::option_mismatch).
enum class overflow : std::uint32_t {
    drop_oldest = 1, ///< overwrite; every subscriber learns how many messages it missed
    block = 2,       ///< wait up to `block_for`, then `timed_out`, and nothing was sent
    reject = 3,      ///< `full` at once, and nothing was sent
};

/// Whether a publisher wakes sleeping subscribers.
enum class wake : std::uint32_t {
    sleepers = 1, ///< whoever sleeps is woken; costs one load per message while nobody does
    never = 2,    ///< subscribers spin, poll, or find data at their next slice (1 ms)
};

/// The longest spin before a sleep, if an option `spin_for` does not say otherwise: what being woken
/// and answering takes on a slow day, in a virtual machine. Where it takes less, so do the spins.
inline constexpr std::chrono::nanoseconds spin_default = std::chrono::microseconds(100);

/// Who pays for the store-load order between publishing and going to sleep.
enum class fencing : std::uint32_t {
    automatic = 0, ///< the sleeper, if this process could register for membarrier
    publisher = 1, ///< a fence instruction per message; sleepers never interrupt this process
};

/// When the memory of large messages is there.
enum class backing : std::uint32_t {
    full = 1, ///< from the beginning: what was created can be used, however full the machine gets
    /// Large messages' memory is taken page by page as it is first written. If the file system is
    /// full by then, whoever touches it is killed by SIGBUS. For sizes that are possible but rare.
    reserved = 2,
};

/// What is done about an endpoint's shared memory when it is made or attached. What did not work is
/// no error: see memory_report.
struct memory_options {
    /// Creators only (publishers, receivers).
    partywall::backing backing = partywall::backing::full;
    /// Map every page now, so that no message pays for it later. Costs about 0.1 ms per MiB.
    bool prefault = false;
    /// Keep it in physical memory (mlock), within RLIMIT_MEMLOCK.
    bool lock = false;
};

/// What became of it. Of an endpoint that attaches several others' memory: of all of it.
struct memory_report {
    std::uint64_t bytes = 0;  ///< mapped
    std::uint64_t backed = 0; ///< creators: of these, how many are there already
    bool prefaulted = false;
    bool locked = false;
};

} // namespace partywall::inline v0
