// SPDX-License-Identifier: BSL-1.0
// Shared records of a participant, and looking at those of all.
#include "participant_state.hpp"
#include "record_table.hpp"

#include <partywall/name.hpp>

#include <algorithm>
#include <cerrno>
#include <new>

namespace partywall::inline v0::detail {
namespace {

using state = participant_core::state;
using registry_failure = failure<registry_errc>;

record_head head_of(record_kind kind, std::string_view name, std::uint64_t fingerprint) noexcept {
    record_head head{
        static_cast<std::uint32_t>(kind), static_cast<std::uint32_t>(name.size()), fingerprint, {}};
    std::copy_n(name.begin(), name.size(), head.name);
    return head;
}

/// One of ours, by name.
std::uint32_t find_used(state const& own, record_table const& table) noexcept {
    for (std::uint32_t k = 0; k < records_max; ++k) {
        if (own.record_uses[k] != 0 && table.is_wanted(k)) {
            return k;
        }
    }
    return record_steps::none;
}

} // namespace

result<used_record, registry_failure> participant_core::use_record(record_kind kind,
                                                                   std::string_view name,
                                                                   std::uint64_t fingerprint,
                                                                   std::uint64_t const* initial) {
    if (forked()) {
        return registry_failure{registry_errc::forked, 0,
                                "this process is a forked child of the participant; join anew"};
    }
    keep_notice();
    try {
        state& own = *state_;
        if (auto const good = check_name(name); !good) {
            return registry_failure{registry_errc::bad_name, 0,
                                    explain(good.error(), name_kind::endpoint, name)};
        }
        if (own.domain_gone()) {
            return registry_failure{registry_errc::domain_gone, 0,
                                    own.registry_path + " was removed: join again"};
        }
        record_table table{
            own.layout(), own.ticket, own.slot_index, head_of(kind, name, fingerprint),
            initial,      nullptr,    nullptr};
        std::unique_lock guard(own.records_mutex);
        std::uint32_t k = find_used(own, table);
        bool made = false;
        if (k == record_steps::none) {
            k = record_steps::join(table, made);
        }
        if (k == record_steps::none) {
            guard.unlock();
            run_recovery(*this, own, recovery_scope::what_is_dead);
            guard.lock();
            k = find_used(own, table);
            k = k != record_steps::none ? k : record_steps::join(table, made);
        }
        if (k == record_steps::none) {
            return registry_failure{registry_errc::too_many_records, 0,
                                    "cannot share \"" + std::string(name) +
                                        "\": " + std::to_string(records_max) +
                                        " records are there, all used by the living"};
        }
        own.record_uses[k] += 1;
        guard.unlock();
        if (made) {
            own.bump_epoch();
        }
        record_slot& slot = own.layout().records[k];
        if (std::uint64_t const there = load_head(slot).fingerprint; there != fingerprint) {
            leave_record({k, slot.words});
            return registry_failure{registry_errc::incompatible, 0,
                                    "cannot share \"" + std::string(name) +
                                        "\": another version of partywall made its record, whose "
                                        "layout has another fingerprint"};
        }
        return used_record{k, slot.words};
    } catch (std::bad_alloc const&) {
        return registry_failure{registry_errc::system, ENOMEM, {}};
    } catch (...) {
        return registry_failure{registry_errc::system, 0, {}};
    }
}

void participant_core::leave_record(used_record const& use) noexcept {
    if (forked() || use.index >= records_max) {
        return;
    }
    state& own = *state_;
    bool removed = false;
    {
        std::lock_guard const guard(own.records_mutex);
        if (own.record_uses[use.index] == 0 || --own.record_uses[use.index] != 0) {
            return;
        }
        record_table table{own.layout(), own.ticket, own.slot_index, {}, nullptr, nullptr, nullptr};
        removed = record_steps::leave(table, use.index);
    }
    if (removed) {
        own.bump_epoch();
    }
}

void state::leave_records() noexcept {
    record_table table{layout(), ticket, slot_index, {}, nullptr, nullptr, nullptr};
    for (std::uint32_t k = 0; k < records_max; ++k) {
        if (marks(layout().participants[slot_index], k)) {
            record_steps::leave(table, k);
        }
    }
}

std::uint32_t state::sweep_records(bool (*dead)(void* context, std::uint64_t ticket),
                                   void* context) {
    record_table table{layout(), ticket, slot_index, {}, nullptr, dead, context};
    std::uint32_t removed = 0;
    for (std::uint32_t k = 0; k < records_max; ++k) {
        owner const seen = owner_word<>::load(table.word(k));
        if (seen.is_free()) {
            continue;
        }
        bool const gone = record_steps::is_in_use(seen) ? record_steps::remove_unused(table, k)
                          // A ticket of nobody stands there only if somebody breaks the rules.
                          : seen.ticket() == 0 || dead(context, seen.ticket())
                              ? record_steps::withdraw(table, k, seen)
                              : false;
        removed += gone ? 1 : 0;
    }
    return removed;
}

std::vector<record_info> read_records(registry_layout const& registry) {
    std::vector<record_info> all;
    for (std::uint32_t k = 0; k < records_max; ++k) {
        record_slot const& slot = registry.records[k];
        owner const seen = owner_word<>::load(slot.owner);
        if (!record_steps::is_in_use(seen)) {
            continue;
        }
        record_head const head = load_head(slot);
        record_info info;
        copy_words<>::load(reinterpret_cast<std::byte*>(info.words.data()),
                           reinterpret_cast<std::byte const*>(slot.words), sizeof slot.words);
        if (!is_record_kind(head.kind) || head.name_bytes > name_bytes_max ||
            !check_name(std::string_view(head.name, head.name_bytes))) {
            continue;
        }
        info.kind = static_cast<record_kind>(head.kind);
        info.name.assign(head.name, head.name_bytes);
        info.fingerprint = head.fingerprint;
        for (participant_slot const& one : registry.participants) {
            owner const user = owner_word<>::load(one.owner);
            if (user.phase() == slot_phase::ready && user.ticket() != 0 && marks(one, k)) {
                info.users.push_back(user.ticket());
            }
        }
        // A word that changes only says that somebody came; whose name it is must be the same.
        owner const now = owner_word<>::load(slot.owner);
        record_head const again = load_head(slot);
        if (record_steps::is_in_use(now) && std::memcmp(&again, &head, sizeof head) == 0) {
            all.push_back(std::move(info));
        }
    }
    return all;
}

} // namespace partywall::inline v0::detail
