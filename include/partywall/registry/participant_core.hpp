// SPDX-License-Identifier: BSL-1.0
// One process's membership of one domain: its ticket, its life lock and life word, its slots in
// the registry, and recovery after the dead. The rooms above build endpoints on it.
//
// Use when  a process takes part in a domain.
// Not when  a tool only looks (registry_view).
// Callers   any thread of the process that joined. In a forked child every call is refused or does
//           nothing, and the destructor leaves everything shared untouched; the child may join.
// Progress  lock-free between processes; a private mutex keeps the threads of this process apart
//           where they change the same entry. Nothing here waits for another process.
// Cost      control plane: system calls, heap, scans over the registry (1,536 words).
// Peer dies whatever it was doing, recover() of any survivor or of the next joiner puts right.
//
// Invariants
//   I1  A ticket appears in shared memory or in a file name only after its byte was locked. So
//       whoever read a ticket there and finds its byte unlocked *afterwards* has proof of death.
//   I2  A proof is used for exactly the owner word from which the ticket was read, by
//       compare-exchange on exactly that value.
//   I3  Nothing of a dead ticket comes into being any more. So a file of a dead ticket that no
//       entry names, looked at in the order file, proof, entries, never will be named.
//   I4  The participant slot of the dead is freed last, after everything that recovery does: as
//       long as it is there, somebody has still to go through all of it.
#pragma once

#include <partywall/export.hpp>
#include <partywall/limits.hpp>
#include <partywall/os/fork_mark.hpp>
#include <partywall/registry/domain_snapshot.hpp>
#include <partywall/registry/entry_info.hpp>
#include <partywall/registry/join_errc.hpp>
#include <partywall/registry/join_options.hpp>
#include <partywall/registry/record_info.hpp>
#include <partywall/registry/registry_errc.hpp>
#include <partywall/result.hpp>
#include <partywall/segment/segment.hpp>
#include <partywall/wait/waitable.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace partywall::inline v0::detail {

class participant_core;
class wait_descriptor;

/// What recovery has to ask the rooms above, because only they know what is inside the segments.
/// Called without any lock held, by any thread that recovers, at the same time by several
/// processes for the same entry. May call the participant; must not throw.
struct recovery_hooks {
    /// The entry's owner is proven dead, or it is this participant, which has closed the entry or
    /// is leaving (then the call comes from the destructor): may entry and files go now? Once the
    /// answer for an entry was yes it must never be no again. Missing: yes.
    bool (*entry_may_go)(participant_core&, entry_info const&) = nullptr;
    /// The entry stays: reclaim what the dead hold inside its segments. False: not now (no memory,
    /// no descriptors), and so the marks of the dead must stay. Missing: nothing to be done.
    bool (*clean_inside)(participant_core&, entry_info const&) = nullptr;
    /// A shared record has users that live: give back what the dead hold inside its words.
    void (*clean_record)(participant_core const&, record_kind, std::uint64_t* words) = nullptr;
};

/// What one recovery did itself; what others did at the same time is not counted.
struct recovery_report {
    std::uint32_t participants = 0; ///< slots of dead participants freed
    std::uint32_t entries = 0;      ///< entries of the dead removed
    std::uint32_t entries_kept = 0; ///< entries of the dead that the hook keeps
    std::uint32_t files = 0;        ///< files unlinked
    std::uint32_t records = 0;      ///< shared records that nobody living used removed
    bool complete = true; ///< false: out of memory or descriptors, or domain gone; call again

    bool nothing() const noexcept {
        return participants == 0 && entries == 0 && files == 0 && records == 0;
    }
};

/// A shared record that this participant uses.
struct used_record {
    std::uint32_t index = 0;
    std::uint64_t* words = nullptr; ///< record_words of them, in shared memory
};

class PARTYWALL_API participant_core : public std::enable_shared_from_this<participant_core> {
    struct passkey {};

  public:
    struct state;

    static result<std::shared_ptr<participant_core>, failure<join_errc>>
    join(std::string_view name, join_options const& options, recovery_hooks hooks = {});

    /// Leaves. Entries of ours that are still there go, except those that the hook keeps; then the
    /// slot, the life file, and last the life lock. In a forked child: nothing of that.
    ~participant_core();
    participant_core(passkey, std::unique_ptr<state>, os::fork_mark) noexcept;
    participant_core(participant_core const&) = delete;
    participant_core& operator=(participant_core const&) = delete;

    /// Whether this is a forked child of the process that joined. One load and a compare.
    bool forked() const noexcept { return mark_.is_child(); }
    os::fork_mark const& mark() const noexcept { return mark_; }
    std::uint64_t ticket() const noexcept;
    directory const& dir() const noexcept;
    std::string const& domain() const noexcept;
    std::string const& name() const noexcept;

    /// Numbers for segments of this participant, from 1, never twice.
    /// 0: endpoints_max have been given out.
    std::uint64_t next_number() noexcept;
    /// Whether this process registered for membarrier when it joined, before anything else: only
    /// then may its publishers and readers leave the light half of a fence pair out.
    bool publisher_may_omit_fence() const noexcept;

    // ---- entries of this participant -------------------------------------------------------

    /// Adds an entry; the dead are recovered before `too_many_entries` is reported. The entry is
    /// visible to others when this returns, and a seq_cst fence lies between its becoming visible
    /// and the return: of two participants that each add an entry and then look for the other's,
    /// at least one sees the other.
    /// Errors: bad_name, bad_metadata, too_many_entries, domain_gone, forked, system.
    result<entry_info, failure<registry_errc>> add_entry(entry_spec const& spec);
    /// Errors of these three: not_found (not a live entry of ours), bad_metadata, forked, system.
    result<void, failure<registry_errc>> set_health(entry_info& entry, health value);
    result<void, failure<registry_errc>> set_metadata(entry_info& entry, metadata const& meta);
    /// Removes the entry, then unlinks the files that are derived from it.
    result<void, failure<registry_errc>> remove_entry(entry_info const& entry);

    // ---- looking ---------------------------------------------------------------------------

    /// Ready entries of one kind; all names if `name` is empty. What cannot be an entry is left
    /// out. Contains entries of the dead until they are recovered: ask proven_dead().
    /// May throw std::bad_alloc, and so may snapshot() and life_of().
    std::vector<entry_info> entries(entry_kind kind, std::string_view name);
    /// Whether the entry is still there as it was read (its owner word has not changed).
    bool entry_is_there(entry_info const& entry) const noexcept;
    domain_snapshot snapshot();
    /// A number that changes with everything that snapshot() shows. Loads words only.
    std::uint64_t digest() const noexcept;
    /// Futex (shared) that changes after every change of the registry; load it with acquire
    /// *before* looking. May lag behind a change whose maker was stopped or killed just then.
    std::uint32_t const& epoch_word() const noexcept;
    void bump_epoch() noexcept;
    /// True when somebody removed or replaced the registry file: nobody will ever meet us here.
    bool domain_gone() const noexcept;

    // ---- shared records ----------------------------------------------------------------------

    /// The record of that kind and name, which belongs to all who use it; the first of them fills it
    /// with `initial` (record_words of them). Every use is given back by leave_record(), after
    /// which `words` are not touched. See shared_records.hpp.
    /// Errors: bad_name, too_many_records (the dead are recovered before), incompatible,
    /// domain_gone, forked, system.
    result<used_record, failure<registry_errc>> use_record(record_kind kind, std::string_view name,
                                                           std::uint64_t fingerprint,
                                                           std::uint64_t const* initial);
    void leave_record(used_record const& use) noexcept;

    // ---- waiting through descriptors (wait_descriptor) ---------------------------------------

    /// `who` is kicked by kick_waiters(). With `registry` the answer is a descriptor, of a pipe
    /// that all of this participant share, which is readable when an armed registry has changed.
    /// Negative: an errno value.
    int add_waiter(wait_descriptor& who, bool registry) noexcept;
    void remove_waiter(wait_descriptor& who) noexcept;
    /// From now on a change of the registry makes that pipe readable. `news`: it was found so by
    /// `who`; the others are kicked before it is drained. `anew`: say it again, even if nobody seems
    /// to have been told. A seq_cst fence is due afterwards.
    void arm_registry(wait_descriptor& who, bool news, bool anew) noexcept;
    /// Makes the descriptors of this process readable.
    void kick_waiters() noexcept;

    // ---- life and death --------------------------------------------------------------------

    /// Proof. Ask only about tickets that were read from shared memory or file names before (I1).
    /// False for the own ticket, for what is no ticket, and whenever the kernel does not say a
    /// clear no.
    bool proven_dead(std::uint64_t ticket) const noexcept;

    /// Tickets that stand in participant slots, the own one left out.
    std::vector<std::uint64_t> tickets() const;

    struct life_view {
        void const* word = nullptr; ///< for os::robust_value(); nullptr: no such life word (gone)
        std::shared_ptr<mapping const> hold; ///< keeps `word` mapped
        int pid = 0; ///< as it says; 0: it is of another PID namespace, or does not know
        life_sign sign(std::uint64_t ticket) const noexcept { return {word, ticket, pid}; }
    };
    /// Notice. The life word of another participant, mapped read-only; mappings are cached.
    life_view life_of(std::uint64_t ticket);

    /// The life word belongs to a thread. When that thread has ended, the next slow call of any
    /// other thread adopts the word: blocking and control-plane calls begin with this.
    void keep_notice() noexcept;

    /// Removes what the dead left: their entries and files as far as the hook permits, what they
    /// hold inside the segments of others, stray files, and last their participant slots. Also
    /// closed entries of our own that the hook lets go. Idempotent; any number of processes and
    /// threads at once; may be killed anywhere and is then completed by the next.
    recovery_report recover();
    /// For rooms that proved the owner of `entry` dead by themselves: removes it and its files if
    /// it is still there. Returns whether this call did it.
    bool remove_dead_entry(entry_info const& entry);

  private:
    std::unique_ptr<state> state_;
    os::fork_mark mark_;
};

} // namespace partywall::inline v0::detail
