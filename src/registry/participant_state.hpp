// SPDX-License-Identifier: BSL-1.0
// What a participant keeps, private to its process, and the steps that several of its operations
// share.
#pragma once

#include "life_word.hpp"
#include "registry_file.hpp"
#include "registry_reading.hpp"

#include <partywall/os/life_lock.hpp>
#include <partywall/os/process.hpp>
#include <partywall/registry/participant_core.hpp>
#include <partywall/registry/registry_slots.hpp>
#include <partywall/wait/wake_pipe.hpp>
#include <partywall/wait/wake_word.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace partywall::inline v0::detail {

/// Who in this process waits through a descriptor, and the pipe that others write to when the
/// registry changes.
struct descriptor_waiters {
    struct waiter {
        wait_descriptor* who;
        bool registry;
    };
    std::mutex mutex;
    std::vector<waiter> all;
    wake_pipe pipe; ///< made with the first who follows the registry
    wake_sign<> sign;
    bool raised = false; ///< and not told yet, as far as the pipe says
};

/// What this process remembers of the wake words of all participants.
struct watcher_memory {
    std::mutex mutex;
    std::uint32_t arm_seen = 0;
    std::vector<wake_memory<>> words; ///< of each participant slot; made when first needed
};

struct participant_core::state {
    explicit state(domain_place place) : domain(std::move(place.domain)), where(place.where) {}

    // Constant after join().
    std::string domain;
    std::string name;
    directory where;
    std::string registry_path;
    mapping registry;
    std::uint64_t ticket = 0;
    std::uint64_t pid_namespace = os::pid_namespace();
    bool membarrier = false;
    recovery_hooks hooks;
    std::optional<os::life_lock> lock;
    std::optional<life_word> life;
    std::uint32_t slot_index = 0;
    owner slot_owner; // of our participant slot; free until it was claimed

    std::atomic<std::uint64_t> numbers{0};

    /// Keeps threads of this process apart where they change the same entry of ours: nobody else
    /// changes an entry of a living participant, so a check of its owner word under this mutex
    /// stays true until the mutex is released.
    std::mutex entries_mutex;
    std::vector<entry_info> closed; // ours, closed, not yet removed

    /// Handles of this process on each shared record; while there are any, we have marked it.
    std::mutex records_mutex;
    std::array<std::uint32_t, records_max> record_uses{};

    descriptor_waiters waiters;
    watcher_memory watchers;

    std::mutex lives_mutex;
    std::unordered_map<std::uint64_t, std::shared_ptr<mapping const>> lives;

    registry_layout& layout() const noexcept { return registry_in(registry); }

    bool proven_dead(std::uint64_t other) const noexcept;
    bool domain_gone() const noexcept;
    void bump_epoch() noexcept;
    void wake_watchers() noexcept;

    /// The slot of `entry` if it still is what `entry` says.
    entry_slot* slot_of(entry_info const& entry) const noexcept;
    /// Under entries_mutex.
    void forget_closed(entry_info const& entry) noexcept;
    /// Gives the slot up, removes the files that are derived from the entry, and frees the slot.
    /// Returns the number of files, or nothing if somebody else took the slot first.
    std::optional<std::uint32_t> take_away(entry_slot& slot, owner seen, std::uint64_t owner_ticket,
                                           std::uint64_t number) const noexcept;
    /// Unlinks segments of `owner_ticket`; returns how many there were.
    std::uint32_t unlink_files(std::uint64_t owner_ticket, std::uint64_t number) const noexcept;
    /// Shared records that nobody uses who may live, and candidates and remains of the dead, go. `dead`
    /// says so of a ticket with proof. Returns how many went.
    std::uint32_t sweep_records(bool (*dead)(void* context, std::uint64_t ticket), void* context);
    /// We are leaving: those that only we used go.
    void leave_records() noexcept;
    /// Forgets mappings of life words that nobody uses.
    void sweep_lives();
};

/// Removes our closed entries that the hook lets go. Begins the registry operations of a
/// participant that may have any.
void release_closed(participant_core& core, participant_core::state& own);

enum class recovery_scope : std::uint8_t {
    what_is_dead, ///< looks inside the segments of the living only if somebody was found dead
    everything,
};
recovery_report run_recovery(participant_core& core, participant_core::state& own,
                             recovery_scope scope);

} // namespace partywall::inline v0::detail
