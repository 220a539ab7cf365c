// SPDX-License-Identifier: BSL-1.0
// Recovery: what the dead left goes, and nothing of the living is touched.
//
// The order of the steps is what makes it idempotent and killable anywhere:
//   1  note what marks the dead: their files, their participant slots
//   2  entries of the dead go, or stay as long as the hook says so
//   3  inside the segments of the living (and of kept entries) the hook reclaims what the dead hold
//   4  shared records without a living user go, and what the dead hold inside the others
//   5  files of the dead that no entry names go
//   6  the participant slots and life files noted in step 1 go
// Who is killed in between leaves the marks of step 1, and marks of its own (a process has a life
// file before it takes any slot): the next who looks does everything again. A slot that the killed
// recoverer has in `cleaning` is taken by proof of the recoverer's death.
//
// A file goes in the order name, proof, entries. The dead create neither files nor entries, so an
// entry that is not seen after the proof will not come. Looking at the entries first would be
// wrong: the owner may create the files, add the entry, send what others wait for, and die between
// that look and the proof.
#include "participant_state.hpp"
#include "record_table.hpp"

#include <partywall/os/robust_word.hpp>

#include <partywall/detail/mutant.hpp>

#include <algorithm>
#include <new>

namespace partywall::inline v0::detail {

namespace {

using slots = registry_slots<>;
using owners = owner_word<>;
using state = participant_core::state;

class recovery {
  public:
    recovery(participant_core& core, state& own, recovery_scope scope) noexcept
        : core_(core), own_(own), registry_(own.layout()), scope_(scope) {}

    recovery_report const& report() const noexcept { return report_; }

    void run() {
        note_files();
        note_participants();
        for (std::uint32_t i = 0; i < entries_max; ++i) {
            recover_entry(i);
        }
        if (scope_ == recovery_scope::everything || found_dead_) {
            clean_inside();
        }
        report_.records += own_.sweep_records(
            [](void* self, std::uint64_t ticket) {
                return static_cast<recovery*>(self)->dead(ticket);
            },
            this);
        clean_records();
        remove_strays();
        if (clean_) {
            remove_marks();
        } // else: as long as the marks are there, somebody has still to look inside
    }
    /// Whether nothing has to be done again.
    bool complete() const noexcept { return clean_; }

  private:
    /// Asked only about tickets that were just read from an owner word or a file name (I1 of
    /// participant_core). One answer serves the whole run: the dead stay dead.
    bool dead(std::uint64_t ticket) {
        if (ticket == 0 || ticket == own_.ticket) {
            return false;
        }
        auto const [known, is_new] = asked_.try_emplace(ticket, false);
        if (is_new) {
            known->second = own_.proven_dead(ticket);
            found_dead_ = found_dead_ || known->second;
        }
        return known->second;
    }

    void note_files() {
        for (segment_id const& id : list_segments(own_.where)) {
            if (id.kind != segment_kind::registry &&
                (dead(id.ticket) ||
                 (PARTYWALL_MUTANT(files_of_the_living_unlinked) && id.ticket != own_.ticket))) {
                (id.kind == segment_kind::life ? dead_lives_ : strays_).push_back(id);
            }
        }
    }

    void note_participants() {
        for (std::uint32_t i = 0; i < participants_max; ++i) {
            owner const seen = owners::load(registry_.participants[i].owner);
            if (!seen.is_free() && dead(seen.ticket())) {
                dead_participants_.push_back({i, seen});
            }
        }
    }

    void recover_entry(std::uint32_t index) {
        entry_slot& slot = registry_.entries[index];
        owner const seen = owners::load(slot.owner);
        if (seen.is_free() || (!dead(seen.ticket()) && !PARTYWALL_MUTANT(entries_without_proof))) {
            return;
        }
        if (seen.phase() != slot_phase::ready) {
            // Filling: nobody has used it. Cleaning: it was given up. Files, if any, are swept.
            remove(slot, seen, 0);
            return;
        }
        auto const entry = read_entry(registry_, index);
        if (entry.seen != seen) {
            return; // somebody else is at it
        }
        if (entry.outcome == reading::corrupt) {
            remove(slot, seen, 0);
        } else if (entry.outcome == reading::value) {
            if (own_.hooks.entry_may_go != nullptr &&
                !own_.hooks.entry_may_go(core_, *entry.info)) {
                ++report_.entries_kept;
                return;
            }
            remove(slot, seen, entry.info->number);
        }
    }

    void remove(entry_slot& slot, owner seen, std::uint64_t number) noexcept {
        if (auto const files = own_.take_away(slot, seen, seen.ticket(), number)) {
            ++report_.entries;
            report_.files += *files;
        }
    }

    void clean_inside() {
        if (own_.hooks.clean_inside == nullptr) {
            return;
        }
        for (std::uint32_t i = 0; i < entries_max; ++i) {
            if (auto const entry = read_entry(registry_, i); entry.outcome == reading::value) {
                clean_ = own_.hooks.clean_inside(core_, *entry.info) && clean_;
            }
        }
    }

    void clean_records() {
        if (own_.hooks.clean_record == nullptr || !found_dead_) {
            return;
        }
        for (record_slot& slot : registry_.records) {
            owner const seen = owners::load(slot.owner);
            auto const kind =
                std_atomics::load(slot.kind, std::memory_order_relaxed); // judged below
            if (record_steps::is_in_use(seen) && is_record_kind(kind)) {
                own_.hooks.clean_record(core_, static_cast<record_kind>(kind), slot.words);
            }
        }
    }

    void remove_strays() {
        for (std::uint32_t i = 0; i < entries_max && !strays_.empty(); ++i) {
            keep_files_of(i);
        }
        if (!PARTYWALL_MUTANT(file_left_behind)) {
            unlink_all(strays_);
        }
        report_.files += static_cast<std::uint32_t>(sweep_temporaries(own_.where));
    }

    /// Takes the files that this entry names out of `strays_`.
    void keep_files_of(std::uint32_t index) {
        owner const seen = owners::load(registry_.entries[index].owner);
        auto const is_of_owner = [&](segment_id const& id) { return id.ticket == seen.ticket(); };
        if (seen.phase() != slot_phase::ready ||
            std::none_of(strays_.begin(), strays_.end(), is_of_owner)) {
            return;
        }
        auto const entry = read_entry(registry_, index);
        if (entry.outcome == reading::unstable) {
            std::erase_if(strays_, is_of_owner); // cannot tell: next time
        } else if (entry.outcome == reading::value) {
            std::erase_if(strays_, [&](segment_id const& id) {
                return id.ticket == entry.info->owner_ticket && id.number == entry.info->number;
            });
        }
    }

    void remove_marks() noexcept {
        for (auto const& [index, noted] : dead_participants_) {
            participant_slot& slot = registry_.participants[index];
            owner seen = noted;
            if (!PARTYWALL_MUTANT(participant_slot_leaks) &&
                slots::take(slot.owner, seen, own_.ticket) && slots::finish(slot, seen)) {
                ++report_.participants;
            }
        }
        unlink_all(dead_lives_);
    }

    void unlink_all(std::vector<segment_id> const& ids) noexcept {
        for (segment_id const& id : ids) {
            report_.files += unlink_segment(own_.where, id) == 0 ? 1 : 0;
        }
    }

    struct noted_slot {
        std::uint32_t index;
        owner seen;
    };

    participant_core& core_;
    state& own_;
    registry_layout& registry_;
    recovery_scope scope_;
    recovery_report report_;
    std::unordered_map<std::uint64_t, bool> asked_;
    std::vector<noted_slot> dead_participants_;
    std::vector<segment_id> dead_lives_;
    std::vector<segment_id> strays_;
    bool found_dead_ = false;
    bool clean_ = true; ///< inside the segments of the living
};

} // namespace

recovery_report run_recovery(participant_core& core, state& own, recovery_scope scope) {
    if (core.forked() || own.domain_gone()) {
        recovery_report nothing;
        nothing.complete = false;
        return nothing;
    }
    core.keep_notice();
    recovery pass(core, own, scope);
    bool complete = true;
    try {
        release_closed(core, own);
        pass.run();
        complete = pass.complete();
        std::lock_guard const guard(own.lives_mutex);
        own.sweep_lives();
    } catch (...) {
        complete = false; // out of memory: whatever was not done is still there to be found
    }
    recovery_report report = pass.report();
    report.complete = complete;
    if (!report.nothing()) {
        own.bump_epoch();
    }
    return report;
}

} // namespace partywall::inline v0::detail
