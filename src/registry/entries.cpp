// SPDX-License-Identifier: BSL-1.0
// Entries of a participant, and looking at those of all.
#include "participant_state.hpp"

#include <partywall/name.hpp>

#include <cerrno>
#include <new>

namespace partywall::inline v0::detail {

namespace {

using slots = registry_slots<>;
using owners = owner_word<>;
using state = participant_core::state;
using registry_failure = failure<registry_errc>;

registry_failure forked_failure() {
    return {registry_errc::forked, 0,
            "this process is a forked child of the participant; join anew"};
}

registry_failure not_found_failure(entry_info const& entry) {
    return {registry_errc::not_found, 0,
            "\"" + entry.name + "\" is no entry of this participant any more"};
}

/// What runs an operation that may run out of memory, and says so in the operation's own terms.
template <class Operation>
auto guarded(Operation operation) -> decltype(operation()) {
    try {
        return operation();
    } catch (std::bad_alloc const&) {
        return registry_failure{registry_errc::system, ENOMEM, {}};
    } catch (...) {
        return registry_failure{registry_errc::system, 0, {}};
    }
}

bool is_health(health value) noexcept {
    return value >= health::starting && value <= health::closed;
}

/// Claims any free slot. Loads nothing of slots in use but their owner words.
entry_slot* claim_any(registry_layout& registry, std::uint64_t ticket, owner& claimed) noexcept {
    for (entry_slot& slot : registry.entries) {
        claimed = owners::load(slot.owner);
        if (owners::claim(slot.owner, claimed, ticket)) {
            return &slot;
        }
    }
    return nullptr;
}

} // namespace

result<entry_info, registry_failure> participant_core::add_entry(entry_spec const& spec) {
    if (forked()) {
        return forked_failure();
    }
    keep_notice();
    return guarded([&]() -> result<entry_info, registry_failure> {
        state& own = *state_;
        if (auto const good = check_name(spec.name); !good) {
            return registry_failure{registry_errc::bad_name, 0,
                                    explain(good.error(), name_kind::endpoint, spec.name)};
        }
        auto const meta = encode_metadata(spec.meta);
        if (!meta) {
            return meta.error();
        }
        release_closed(*this, own);
        if (own.domain_gone()) {
            return registry_failure{registry_errc::domain_gone, 0,
                                    own.registry_path + " was removed: join again"};
        }
        std::uint64_t const number = spec.number != 0 ? spec.number : next_number();
        if (number == 0) {
            return registry_failure{registry_errc::too_many_entries, 0,
                                    "cannot add \"" + spec.name +
                                        "\": this participant has created " +
                                        std::to_string(endpoints_max) + " endpoints: join again"};
        }
        std::uint64_t const incarnation = incarnation_of(own.ticket, number);
        raw_entry const raw = encode_entry(spec, incarnation, meta.value());
        auto added = decode_entry(raw, {}, 0); // as others will judge it
        if (!added) {
            return registry_failure{registry_errc::system, EINVAL,
                                    "cannot add \"" + spec.name + "\": no such kind or health"};
        }
        owner mine;
        entry_slot* slot = claim_any(own.layout(), own.ticket, mine);
        if (slot == nullptr) {
            run_recovery(*this, own, recovery_scope::what_is_dead);
            slot = claim_any(own.layout(), own.ticket, mine);
        }
        if (slot == nullptr) {
            return registry_failure{registry_errc::too_many_entries, 0,
                                    "cannot add \"" + spec.name +
                                        "\": " + std::to_string(entries_max) +
                                        " entries are there, all of the living"};
        }
        slots::fill(*slot, raw);
        if (!slots::publish(slot->owner, mine)) {
            return registry_failure{registry_errc::corrupt, 0,
                                    "cannot add \"" + spec.name +
                                        "\": somebody wrote into an entry that is not its own"};
        }
        // Our entry is visible before we look for the entries of others, and so is theirs before
        // they look for ours: one of the two is found. Pairs with this same fence over there.
        std_atomics::fence(std::memory_order_seq_cst);
        own.bump_epoch();
        added->index = static_cast<std::uint32_t>(slot - own.layout().entries);
        added->owner = mine.word;
        added->owner_ticket = own.ticket;
        return std::move(*added);
    });
}

result<void, registry_failure> participant_core::set_health(entry_info& entry, health value) {
    if (forked()) {
        return forked_failure();
    }
    keep_notice();
    return guarded([&]() -> result<void, registry_failure> {
        state& own = *state_;
        if (!is_health(value)) {
            return registry_failure{registry_errc::system, EINVAL,
                                    "cannot set the health of \"" + entry.name +
                                        "\": no such health"};
        }
        {
            std::lock_guard const guard(own.entries_mutex);
            entry_slot* const slot = own.slot_of(entry);
            if (slot == nullptr || entry.owner_ticket != own.ticket) {
                return not_found_failure(entry);
            }
            own.forget_closed(entry);
            if (value == health::closed) {
                own.closed.push_back(entry);
                own.closed.back().state = value;
            }
            slots::set_health(*slot, static_cast<std::uint32_t>(value));
            entry.state = value;
        }
        own.bump_epoch();
        return {};
    });
}

result<void, registry_failure> participant_core::set_metadata(entry_info& entry,
                                                              metadata const& meta) {
    if (forked()) {
        return forked_failure();
    }
    keep_notice();
    return guarded([&]() -> result<void, registry_failure> {
        state& own = *state_;
        auto const encoded = encode_metadata(meta);
        if (!encoded) {
            return encoded.error();
        }
        metadata copy = meta;
        {
            std::lock_guard const guard(own.entries_mutex);
            entry_slot* const slot = own.slot_of(entry);
            if (slot == nullptr || entry.owner_ticket != own.ticket) {
                return not_found_failure(entry);
            }
            slots::set_metadata(*slot, encode_area(encoded.value()));
            entry.meta = std::move(copy);
        }
        own.bump_epoch();
        return {};
    });
}

result<void, registry_failure> participant_core::remove_entry(entry_info const& entry) {
    if (forked()) {
        return forked_failure();
    }
    keep_notice();
    return guarded([&]() -> result<void, registry_failure> {
        state& own = *state_;
        {
            std::lock_guard const guard(own.entries_mutex);
            own.forget_closed(entry);
            entry_slot* const slot = own.slot_of(entry);
            if (slot == nullptr || entry.owner_ticket != own.ticket ||
                !own.take_away(*slot, {entry.owner}, own.ticket, entry.number)) {
                return not_found_failure(entry);
            }
        }
        own.bump_epoch();
        return {};
    });
}

bool participant_core::remove_dead_entry(entry_info const& entry) {
    if (forked()) {
        return false;
    }
    state& own = *state_;
    entry_slot* const slot = own.slot_of(entry);
    // The word first, then the proof about the ticket in it, then exactly that word (I2).
    if (slot == nullptr || !own.proven_dead(owner{entry.owner}.ticket()) ||
        !own.take_away(*slot, {entry.owner}, owner{entry.owner}.ticket(), entry.number)) {
        return false;
    }
    own.bump_epoch();
    return true;
}

std::vector<entry_info> participant_core::entries(entry_kind kind, std::string_view name) {
    std::vector<entry_info> found;
    if (forked()) {
        return found;
    }
    for (std::uint32_t i = 0; i < entries_max; ++i) {
        auto one = read_entry(state_->layout(), i);
        if (one.outcome == reading::value && one.info->kind == kind &&
            (name.empty() || one.info->name == name)) {
            found.push_back(std::move(*one.info));
        }
    }
    return found;
}

bool participant_core::entry_is_there(entry_info const& entry) const noexcept {
    return !forked() && state_->slot_of(entry) != nullptr;
}

domain_snapshot participant_core::snapshot() {
    if (forked()) {
        return {};
    }
    keep_notice();
    domain_snapshot all = read_all(state_->layout());
    for (participant_info& one : all.participants) {
        one.alive = !state_->proven_dead(one.ticket);
    }
    return all;
}

void state::forget_closed(entry_info const& entry) noexcept {
    std::erase_if(closed, [&](entry_info const& one) {
        return one.index == entry.index && one.owner == entry.owner;
    });
}

entry_slot* state::slot_of(entry_info const& entry) const noexcept {
    if (entry.index >= entries_max) {
        return nullptr;
    }
    entry_slot& slot = layout().entries[entry.index];
    owner const seen = owners::load(slot.owner);
    bool const same = seen.word == entry.owner && seen.phase() == slot_phase::ready;
    return same ? &slot : nullptr;
}

std::optional<std::uint32_t> state::take_away(entry_slot& slot, owner seen,
                                              std::uint64_t owner_ticket,
                                              std::uint64_t number) const noexcept {
    if (!slots::take(slot.owner, seen, ticket)) {
        return std::nullopt;
    }
    // Killed here: files of a dead ticket that no entry names. Recovery sweeps them.
    std::uint32_t const files = unlink_files(owner_ticket, number);
    slots::finish(slot, seen);
    return files;
}

std::uint32_t state::unlink_files(std::uint64_t owner_ticket, std::uint64_t number) const noexcept {
    if (number == 0 || domain_gone()) {
        return 0;
    }
    std::uint32_t files = 0;
    for (segment_kind const kind :
         {segment_kind::ring, segment_kind::readers, segment_kind::lanes}) {
        files += unlink_segment(where, {kind, owner_ticket, number}) == 0 ? 1 : 0;
    }
    return files;
}

void release_closed(participant_core& core, state& own) {
    std::vector<entry_info> closed;
    {
        std::lock_guard const guard(own.entries_mutex);
        if (own.closed.empty()) {
            return;
        }
        closed = own.closed;
    }
    // The hook runs without the mutex: it may call the participant.
    for (entry_info const& entry : closed) {
        if (own.hooks.entry_may_go == nullptr || own.hooks.entry_may_go(core, entry)) {
            (void)core.remove_entry(entry); // not_found: another thread was faster
        }
    }
}

} // namespace partywall::inline v0::detail
