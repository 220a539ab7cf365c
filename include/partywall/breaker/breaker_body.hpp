// SPDX-License-Identifier: BSL-1.0
// What a breaker is made of in this process: rules, record, slots, listeners, core. It lies still
// while the handle moves. Internal.
#pragma once

#include <partywall/breaker/breaker_core.hpp>
#include <partywall/breaker/breaker_event.hpp>
#include <partywall/breaker/breaker_options.hpp>
#include <partywall/export.hpp>
#include <partywall/limits.hpp>
#include <partywall/result.hpp>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace partywall::inline v0::detail {

/// Hands events to listeners in the order of generations, one at a time, with no lock held
/// meanwhile. Whoever brings an event while another thread delivers leaves it to that thread.
/// Changes of state are rare, and without listeners nothing here is touched.
class breaker_events {
  public:
    /// `gapless`: every generation is this process's own, so a missing one is on its way. A
    /// breaker that other processes use too tells of its own changes only.
    breaker_events(std::vector<breaker_listener> listeners, std::uint16_t generation, bool gapless);

    breaker_sink sink() noexcept {
        return listeners_.empty() ? breaker_sink{} : breaker_sink{&hear, this};
    }
    /// Events that no listener heard: their queue was full, or they came after a later one.
    std::uint64_t missed() const noexcept;

  private:
    PARTYWALL_API static void hear(void* self, breaker_event const& event) noexcept;
    void bring(breaker_event const& event) noexcept;
    bool take(breaker_event& event) noexcept;

    std::vector<breaker_listener> listeners_;
    std::vector<breaker_event> queue_; ///< in order; its capacity is never exceeded
    mutable std::mutex mutex_;
    std::uint64_t missed_ = 0;
    std::uint16_t last_; ///< generation that was delivered last
    bool gapless_;
    bool delivering_ = false;
};

/// Whose permits a breaker's probes have, where its record is shared between processes; and what
/// keeps the record's memory.
struct breaker_identity {
    std::uint64_t ticket = 1;
    death_oracle oracle = {};
    std::shared_ptr<void const> home = {};            ///< goes after everything else
    std::optional<os::fork_mark> mark = std::nullopt; ///< of the participant's process
};

enum class record_use : std::uint8_t {
    own,    ///< memory of the breaker's own
    format, ///< memory of the caller's, which this breaker writes and others may read
    fill,   ///< the same, formatted before
    join,   ///< the record of a breaker that several processes share, formatted before
};

class breaker_body {
  public:
    breaker_body(breaker_constants const& rules, breaker_record* record,
                 std::vector<std::uint32_t> slots, std::vector<breaker_listener> listeners,
                 breaker_identity const& identity, std::uint64_t now_ns, record_use use);
    breaker_body(breaker_body const&) = delete;
    breaker_body& operator=(breaker_body const&) = delete;

    breaker_core<>& core() noexcept { return core_; }
    breaker_core<> const& core() const noexcept { return core_; }
    /// The same state machine over the same words, with other atomics. This outlives it.
    template <class Atomics>
    breaker_core<Atomics> core_with() noexcept {
        breaker_core<Atomics> other(*record_, rules_, slots_.data(), ticket_, events_.sink());
        if (mark_) {
            other.belong_to(*mark_);
        }
        return other;
    }
    breaker_record const& record() const noexcept { return *record_; }
    breaker_constants const& rules() const noexcept { return rules_; }
    std::uint64_t events_missed() const noexcept { return events_.missed(); }

  private:
    std::shared_ptr<void const> home_;
    std::uint64_t ticket_;
    std::optional<os::fork_mark> mark_;
    alignas(spacing_bytes) breaker_record own_ = {};
    alignas(spacing_bytes) breaker_constants rules_;
    breaker_record* record_;
    std::vector<std::uint32_t> slots_;
    breaker_events events_;
    alignas(spacing_bytes) breaker_core<> core_;
};

/// `record`: nullptr with record_use::own.
PARTYWALL_API result<std::unique_ptr<breaker_body>, failure<breaker_errc>>
make_breaker(breaker_options const& options, breaker_record* record, record_use use,
             breaker_identity const& identity, std::uint64_t now_ns);

/// A look at somebody's record, which may be mapped read-only and hold any bytes.
PARTYWALL_API result<breaker_stats, failure<breaker_errc>>
read_breaker(breaker_record const& record, std::uint64_t now_ns);

} // namespace partywall::inline v0::detail
