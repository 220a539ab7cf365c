// SPDX-License-Identifier: BSL-1.0
// Joining, leaving, life and death. Entries: entries.cpp. Recovery: recovery.cpp.
#include "participant_state.hpp"

#include <partywall/detail/mutant.hpp>
#include <partywall/name.hpp>
#include <partywall/os/futex.hpp>
#include <partywall/os/membarrier.hpp>
#include <partywall/os/robust_word.hpp>
#include <partywall/registry/life_layout.hpp>

#include <cerrno>
#include <climits>
#include <cstring>
#include <new>

namespace partywall::inline v0::detail {

namespace {

using slots = registry_slots<>;
using owners = owner_word<>;
using state = participant_core::state;

/// Bytes that somebody else holds although their ticket was just given to us: the counter was
/// tampered with. A few are skipped, then joining fails.
constexpr int ticket_attempts_max = 64;
/// Registries that were removed while we were joining them.
constexpr int registry_attempts_max = 8;

join_failure system_failure(std::string what, int error) {
    return {join_errc::system, error, "cannot join: " + what + ": " + std::strerror(error)};
}

join_failure removed_failure(state const& own, int error) {
    return {join_errc::domain_gone, error,
            "cannot join " + own.where.path() + ": its registry was removed meanwhile"};
}

/// I1: when this has returned a ticket, its byte is locked.
/// `domain_gone` when the registry that we mapped is not the one under its name any more.
result<void, join_failure> take_ticket(state& own) {
    registry_layout& registry = own.layout();
    for (int attempt = 0; attempt < ticket_attempts_max; ++attempt) {
        // Relaxed: a ticket orders nothing. Killed after this: a ticket is lost.
        std::uint64_t const ticket = std_atomics::fetch_add(registry.next_ticket, std::uint64_t{1},
                                                            std::memory_order_relaxed);
        if (ticket > ticket_max) {
            return join_failure{join_errc::out_of_tickets, 0,
                                "cannot join " + own.where.path() +
                                    ": all tickets of its registry are used up"};
        }
        if (ticket == 0) {
            continue; // the counter wrapped, or was tampered with: 0 is nobody
        }
        auto lock = os::life_lock::take(own.registry_path, ticket, own.registry.identity(),
                                        own.where.file_mode());
        if (lock) {
            own.lock.emplace(std::move(*lock));
            own.ticket = ticket;
            return {};
        }
        switch (int const error = lock.error()) {
        case EAGAIN: continue;
        case ESTALE:
        case ENOENT: return removed_failure(own, error);
        case ENOTSUP:
            return join_failure{join_errc::bad_root, error,
                                "cannot join " + own.where.path() +
                                    ": its file system does not keep a lock with a mapping, so "
                                    "nobody could tell who lives (overlayfs is one): use a tmpfs"};
        case EPERM: // its mode, or it has no name any more
            if (own.domain_gone()) {
                return removed_failure(own, error);
            }
            return join_failure{join_errc::permission, error,
                                "cannot join: " + own.registry_path + " has changed its mode"};
        default: return system_failure("locking a byte of " + own.registry_path, error);
        }
    }
    return join_failure{join_errc::out_of_tickets, 0,
                        "cannot join " + own.where.path() +
                            ": the tickets that its registry gives out are all in use"};
}

/// Files under our own ticket are of another registry, which was removed: this one never gave
/// the ticket to anybody else.
void remove_namesakes(state const& own) {
    for (segment_id const& id : list_segments(own.where)) {
        if (id.kind != segment_kind::registry && id.ticket == own.ticket) {
            unlink_segment(own.where, id);
        }
    }
}

result<void, join_failure> make_life(state& own) {
    space_patience patience;
    for (;;) {
        auto life = life_word::create(own.where, own.ticket, own.pid_namespace);
        if (life) {
            own.life.emplace(std::move(life.value()));
            return {};
        }
        if (life.error().code != segment_errc::no_space || !patience.wait()) {
            join_failure failed = join_failure_of(life.error());
            if (failed.code == join_errc::not_found) {
                failed.code = join_errc::domain_gone;
            }
            return failed;
        }
    }
}

bool claim_slot(state& own) noexcept {
    registry_layout& registry = own.layout();
    for (std::uint32_t i = 0; i < participants_max; ++i) {
        participant_slot& slot = registry.participants[i];
        owner seen = owners::load(slot.owner);
        if (!owners::claim(slot.owner, seen, own.ticket)) {
            continue;
        }
        slots::fill(slot, encode_participant(own.name));
        if (slots::publish(slot.owner, seen)) {
            own.slot_index = i;
            own.slot_owner = seen;
            return true;
        }
        // Only a participant that breaks the rules changes a slot of a living one: try another.
    }
    return false;
}

/// Opens the domain up to a locked ticket. Whoever removes files meanwhile makes us begin anew.
result<std::unique_ptr<state>, join_failure> enter(join_options const& options) {
    join_failure last{};
    for (int attempt = 0; attempt < registry_attempts_max; ++attempt) {
        auto place = open_domain(options, true);
        if (!place) {
            return place.error();
        }
        auto own = std::make_unique<state>(std::move(place.value()));
        own->registry_path = own->where.path_of(file_name({segment_kind::registry, 0, 0}));
        auto registry = attach_or_create_registry(own->where);
        if (registry) {
            own->registry = std::move(registry.value());
            auto const ticket = take_ticket(*own);
            if (ticket) {
                return own;
            }
            last = ticket.error();
        } else {
            last = registry.error();
        }
        if (last.code == join_errc::not_found) {
            last.code = join_errc::domain_gone;
        }
        if (last.code != join_errc::domain_gone) {
            break;
        }
    }
    return last;
}

void unlink_life(state const& own) noexcept {
    unlink_segment(own.where, {segment_kind::life, own.ticket, 0});
}

/// Takes away what is ours, except for entries that others still need: whether there are any.
bool leave(participant_core& core, state& own) noexcept {
    bool kept = false;
    for (std::uint32_t i = 0; i < entries_max; ++i) {
        entry_slot& slot = own.layout().entries[i];
        owner const seen = owners::load(slot.owner);
        if (seen.is_free() || seen.ticket() != own.ticket) {
            continue;
        }
        try {
            auto const entry = read_entry(own.layout(), i);
            if (entry.info && own.hooks.entry_may_go != nullptr &&
                !own.hooks.entry_may_go(core, *entry.info)) {
                kept = true;
                continue;
            }
            own.take_away(slot, seen, own.ticket, entry.info ? entry.info->number : 0);
        } catch (...) {
            kept = true; // out of memory: what we cannot judge stays, for recovery
        }
    }
    if (!own.slot_owner.is_free()) {
        own.leave_records();
        participant_slot& slot = own.layout().participants[own.slot_index];
        owner seen = own.slot_owner;
        if (slots::take(slot.owner, seen, own.ticket)) {
            slots::finish(slot, seen);
        }
    }
    own.waiters.pipe.close();
    if (!own.domain_gone()) { // else that name may be another registry's by now
        if (!kept) {
            try {
                remove_namesakes(own); // segments whose endpoint never got an entry, and life
            } catch (...) {
            }
        }
        unlink_life(own);
    }
    if (own.life) {
        own.life->retire();
    }
    own.bump_epoch();
    return kept;
}

} // namespace

result<std::shared_ptr<participant_core>, join_failure>
participant_core::join(std::string_view name, join_options const& options, recovery_hooks hooks) {
    // Before the process starts threads this costs microseconds, later milliseconds; so first.
    bool const membarrier = os::register_membarrier();
    try {
        if (auto const good = check_participant_name(name); !good) {
            return join_failure{join_errc::bad_name, 0,
                                "cannot join: " +
                                    explain(good.error(), name_kind::participant, name)};
        }
        auto entered = enter(options);
        if (!entered) {
            return entered.error();
        }
        os::fork_mark const mark = os::fork_mark::current();
        auto core = std::make_shared<participant_core>(passkey{}, std::move(entered.value()), mark);
        state& own = *core->state_; // from here on the destructor undoes what was done
        own.name = name;
        own.hooks = hooks;
        own.membarrier = membarrier;
        remove_namesakes(own);
        if (auto const made = make_life(own); !made) {
            return made.error();
        }
        // The life word is held before anybody can read the ticket in a slot.
        if (!claim_slot(own)) {
            run_recovery(*core, own, recovery_scope::what_is_dead);
            if (!claim_slot(own)) {
                return join_failure{join_errc::too_many_participants, 0,
                                    "cannot join " + own.where.path() + ": " +
                                        std::to_string(participants_max) +
                                        " participants are there, all alive"};
            }
        }
        own.bump_epoch();
        run_recovery(*core, own, recovery_scope::what_is_dead);
        return core;
    } catch (std::bad_alloc const&) {
        return join_failure{join_errc::system, ENOMEM, {}};
    } catch (...) {
        return join_failure{join_errc::system, 0, {}};
    }
}

participant_core::participant_core(passkey, std::unique_ptr<state> s, os::fork_mark mark) noexcept
    : state_(std::move(s)), mark_(mark) {}

participant_core::~participant_core() {
    if (forked() || !leave(*this, *state_)) {
        return; // the life lock goes last, with the state: until then nobody touches what is ours
    }
    // Somebody waits for what stays, and takes it along when it ends, if it can prove then that we
    // are gone. It may have ended after leave() asked and before our lock goes; so, as nobody in
    // particular (a ticket is all that recovery needs), look once more after that. Whoever ends
    // later sees the lock gone: in the kernel one of the two comes first.
    state& own = *state_;
    own.closed.clear();
    own.life.reset();
    own.lock.reset();
    try {
        if (take_ticket(own)) {
            run_recovery(*this, own, recovery_scope::what_is_dead);
        }
    } catch (...) { // out of memory: the next participant finds it
    }
}

std::uint64_t participant_core::ticket() const noexcept { return state_->ticket; }
directory const& participant_core::dir() const noexcept { return state_->where; }
std::string const& participant_core::domain() const noexcept { return state_->domain; }
std::string const& participant_core::name() const noexcept { return state_->name; }

std::uint64_t participant_core::next_number() noexcept {
    // relaxed: they are only to be distinct.
    std::uint64_t number = state_->numbers.load(std::memory_order_relaxed);
    while (number < endpoints_max &&
           !state_->numbers.compare_exchange_weak(number, number + 1, std::memory_order_relaxed)) {
    }
    return number < endpoints_max ? number + 1 : 0;
}

bool participant_core::publisher_may_omit_fence() const noexcept { return state_->membarrier; }

std::uint32_t const& participant_core::epoch_word() const noexcept {
    return state_->layout().epoch;
}

void participant_core::bump_epoch() noexcept {
    if (!forked()) {
        state_->bump_epoch();
    }
}

bool participant_core::domain_gone() const noexcept { return state_->domain_gone(); }

bool participant_core::proven_dead(std::uint64_t ticket) const noexcept {
    return !forked() && state_->proven_dead(ticket);
}

void participant_core::keep_notice() noexcept {
    if (!forked() && state_->life) {
        state_->life->keep();
    }
}

std::vector<std::uint64_t> participant_core::tickets() const {
    std::vector<std::uint64_t> others;
    if (!forked()) {
        for (participant_slot const& slot : state_->layout().participants) {
            owner const seen = owners::load(slot.owner);
            if (!seen.is_free() && seen.ticket() != 0 && seen.ticket() != state_->ticket) {
                others.push_back(seen.ticket());
            }
        }
    }
    return others;
}

std::uint64_t participant_core::digest() const noexcept { return digest_of(state_->layout()); }

participant_core::life_view participant_core::life_of(std::uint64_t ticket) {
    if (forked() || ticket == 0 || ticket > ticket_max) {
        return {};
    }
    state& own = *state_;
    auto const view_of = [&own](std::shared_ptr<mapping const> map) {
        auto const& layout = *reinterpret_cast<life_layout const*>(map->data());
        constexpr auto relaxed = std::memory_order_relaxed; // constant, if it is honest
        std::uint32_t const pid = std_atomics::load(layout.pid, relaxed);
        bool const ours = own.pid_namespace != 0 && pid <= INT_MAX &&
                          std_atomics::load(layout.pid_namespace, relaxed) == own.pid_namespace;
        return life_view{layout.word, std::move(map), ours ? static_cast<int>(pid) : 0};
    };
    std::lock_guard const guard(own.lives_mutex);
    if (auto const known = own.lives.find(ticket); known != own.lives.end()) {
        return view_of(known->second);
    }
    if (own.lives.size() >= 2 * participants_max) {
        own.sweep_lives();
    }
    auto attached = attach_segment(
        own.where, {{segment_kind::life, ticket, 0}, life_layout_version, life_layout_fingerprint},
        access::read_only);
    if (!attached || attached->size() != sizeof(life_layout)) {
        return {};
    }
    auto map = std::make_shared<mapping const>(std::move(attached.value()));
    own.lives.emplace(ticket, map);
    return view_of(std::move(map));
}

recovery_report participant_core::recover() {
    return run_recovery(*this, *state_, recovery_scope::everything);
}

bool state::proven_dead(std::uint64_t other) const noexcept {
    return other != 0 && other <= ticket_max && other != ticket &&
           (PARTYWALL_MUTANT(not_knowing_is_proof)
                ? os::query_lock(registry_path, registry.identity(), other) != os::lock_state::held
                : os::query_lock(registry_path, registry.identity(), other) ==
                      os::lock_state::not_held);
}

bool state::domain_gone() const noexcept {
    auto const now = os::identity_of(registry_path.c_str());
    return now ? *now != registry.identity() : errno == ENOENT || errno == ENOTDIR;
}

void state::bump_epoch() noexcept {
    if (PARTYWALL_MUTANT(epoch_not_bumped)) {
        return;
    }
    std::uint32_t& epoch = layout().epoch;
    // Release: who sees the new number sees the change before it. Pairs with read_all().
    // Killed before this, or before the wake: watchers look by themselves every 100 ms.
    std_atomics::fetch_add(epoch, std::uint32_t{1}, std::memory_order_acq_rel);
    os::futex_wake(epoch, INT_MAX, true);
    wake_watchers();
}

void state::sweep_lives() {
    std::erase_if(lives, [](auto const& one) { return one.second.use_count() == 1; });
}

} // namespace partywall::inline v0::detail
