// SPDX-License-Identifier: BSL-1.0
#include <partywall/topic/publisher_core.hpp>

#include "../registry/decision_wait.hpp"
#include "topic_segments.hpp"

#include <partywall/detail/mutant.hpp>
#include <partywall/ring/reader_seat.hpp>
#include <partywall/wait/waiting.hpp>
#include <partywall/wait/wake_pipe.hpp>

#include <algorithm>
#include <utility>

namespace partywall::inline v0::detail {

/// What the options amount to.
struct publisher_plan {
    ring_geometry geometry;
    ring_constants constants{};
    std::uint32_t slot_count = 0;

    /// Where chunks may begin, if there are any.
    std::uint64_t cells_end() const noexcept {
        std::uint64_t const end = ring_cells_offset + geometry.bytes();
        return geometry.pool ? (end + spacing_bytes - 1) / spacing_bytes * spacing_bytes : end;
    }
    std::uint64_t bytes() const noexcept { return cells_end() + geometry.pool.bytes(); }
};

namespace {

result<publisher_plan, endpoint_failure> make_plan(std::string_view doing,
                                                   payload_shape const& shape,
                                                   publisher_options const& o,
                                                   type_info const& type, bool may_omit_fence) {
    auto const bad = [&](std::string reason) {
        return fail(endpoint_errc::bad_option, std::string(doing) + ": " + std::move(reason));
    };
    if (std::string wrong = check_writing(o.overflow, o.block_for, o.spin_for); !wrong.empty()) {
        return bad(std::move(wrong));
    }
    if (o.pins_per_subscriber > pins_per_subscriber_max) {
        return bad("pins_per_subscriber " + std::to_string(o.pins_per_subscriber) +
                   " is not in 0.." + std::to_string(pins_per_subscriber_max));
    }
    if (o.subscribers_max == 0 || o.subscribers_max > subscribers_max) {
        return bad("subscribers_max " + std::to_string(o.subscribers_max) + " is not in 1.." +
                   std::to_string(subscribers_max));
    }
    // Who comes first may pin: the first reader slots, as many as the budget has pins for.
    std::uint32_t const pinning_slots =
        o.pins_per_subscriber == 0
            ? 0
            : std::min(o.pins_max / o.pins_per_subscriber, o.subscribers_max);
    auto const cells = plan_cells(doing, shape,
                                  {o.depth, o.payload_bytes_max, o.inline_bytes_max,
                                   std::uint64_t{pinning_slots} * o.pins_per_subscriber});
    if (!cells) {
        return cells.error();
    }
    publisher_plan p;
    p.geometry = *cells;
    p.geometry.start_position = o.start_position;
    p.slot_count = o.subscribers_max;
    p.constants.pool =
        describe_pool(p.geometry, p.cells_end(), pinning_slots, o.pins_per_subscriber);
    if (p.bytes() > segment_bytes_max) {
        return bad("its ring takes " + std::to_string(p.bytes()) + " bytes, a segment may have " +
                   std::to_string(segment_bytes_max));
    }
    fence_pair const fences = may_omit_fence && o.fence == fencing::automatic
                                  ? fence_pair::sleeper
                                  : fence_pair::publisher;
    p.constants.start_position = o.start_position;
    p.constants.cell_count = p.geometry.cell_count;
    p.constants.stride = p.geometry.stride;
    p.constants.payload_bytes_max = p.geometry.payload_bytes_max;
    p.constants.type_fingerprint = type.fingerprint;
    p.constants.payload_offset = p.geometry.payload_offset;
    p.constants.variable_length = shape.variable_length ? 1 : 0;
    p.constants.overflow = static_cast<std::uint32_t>(o.overflow);
    p.constants.fences = static_cast<std::uint32_t>(fences);
    p.constants.wakes = static_cast<std::uint32_t>(o.wake);
    p.constants.reader_slots = p.slot_count;
    return p;
}

void fill_ring(std::byte* base, void* context) {
    auto& p = *static_cast<publisher_plan*>(context);
    auto* const segment = reinterpret_cast<ring_segment*>(base);
    p.geometry.cells = base + ring_cells_offset;
    p.geometry.pool.chunks = base + p.constants.pool.offset;
    segment->constants = p.constants;
    segment->control.position = p.constants.start_position;
    ring_writer<>::format(p.geometry);
}

void fill_readers(std::byte* base, void* context) {
    auto const& p = *static_cast<publisher_plan const*>(context);
    auto* const segment = reinterpret_cast<readers_segment*>(base);
    segment->constants.slot_count = p.slot_count;
    segment->constants.slot_bytes = sizeof(reader_slot);
}

enum class joining { none, begun, done };

/// How far that subscription, which has found us, is with a place of its own.
joining joining_of(reader_slot const* slots, std::uint32_t slot_count,
                   entry_info const& subscription) noexcept {
    constexpr auto relaxed = std::memory_order_relaxed; // published with `ready`
    auto how = joining::none;
    for (std::uint32_t k = 0; k < slot_count; ++k) {
        owner const seen = owner_word<>::load(slots[k].owner);
        if (seen.ticket() != subscription.owner_ticket) {
            continue;
        }
        if (seen.phase() == slot_phase::filling) {
            how = joining::begun; // it, or another subscription of the same participant
        }
        if (seen.phase() == slot_phase::ready &&
            std_atomics::load(slots[k].role, relaxed) ==
                static_cast<std::uint32_t>(reader_role::lossless) &&
            std_atomics::load(slots[k].subscription, relaxed) == subscription.incarnation) {
            return joining::done;
        }
    }
    return how;
}

/// Whether it needs no place that we reserve: it has one, or it died. Between taking one and saying
/// so lie a few instructions, but its thread may have to wait for a processor in their midst.
bool joined_by_itself(participant_core& participant, reader_slot const* slots,
                      std::uint32_t slot_count, entry_info const& subscription) noexcept {
    decision_wait decision(participant);
    for (;;) {
        decision.look();
        joining const how = joining_of(slots, slot_count, subscription);
        if (how != joining::begun) {
            return how == joining::done;
        }
        if (participant.proven_dead(subscription.owner_ticket)) {
            return true;
        }
        if (decision.is_over()) {
            return false;
        }
        decision.park();
    }
}

/// A gating slot at the start position for a lossless subscription that was there first. Owned by
/// the publisher until the subscriber takes it.
bool reserve(reader_slot* slots, std::uint32_t slot_count, std::uint64_t my_ticket,
             entry_info const& subscription, std::uint64_t start_position) noexcept {
    owner mine;
    reader_slot* const slot =
        reader_seat<>::claim(slots, slot_count, my_ticket, reader_role::reservation, mine);
    if (slot == nullptr) {
        return false;
    }
    constexpr auto relaxed = std::memory_order_relaxed; // published by the exchange to `ready`
    std_atomics::store(slot->subscription, subscription.incarnation, relaxed);
    std_atomics::store(slot->subscription_ticket, subscription.owner_ticket, relaxed);
    std_atomics::store(slot->cursor, cursor_at(start_position), relaxed);
    owner_word<>::exchange(slot->owner, mine, my_ticket, slot_phase::ready);
    return true;
}

} // namespace

std::unique_ptr<publisher_core>
publisher_core::create(std::shared_ptr<participant_core> participant, std::string_view topic,
                       type_facts const& type, payload_shape const& shape,
                       publisher_options const& options, endpoint_failure& why) noexcept {
    return made_or_why<std::unique_ptr<publisher_core>>(why, [&] {
        std::string const doing = "cannot publish on topic '" + std::string(topic) + "'";
        return make(std::move(participant), {doing, topic, type_of(type), shape}, options);
    });
}

std::unique_ptr<publisher_core>
publisher_core::create(std::shared_ptr<participant_core> participant, ring_purpose const& purpose,
                       publisher_options const& options, endpoint_failure& why) noexcept {
    return made_or_why<std::unique_ptr<publisher_core>>(
        why, [&] { return make(std::move(participant), purpose, options); });
}

result<std::unique_ptr<publisher_core>, endpoint_failure>
publisher_core::make(std::shared_ptr<participant_core> participant, ring_purpose const& purpose,
                     publisher_options const& options) {
    std::string const doing(purpose.doing);
    type_info const& type = purpose.type;
    if (auto const ok = may_make(*participant, doing, purpose.name); !ok) {
        return ok.error();
    }
    auto plan =
        make_plan(doing, purpose.shape, options, type, participant->publisher_may_omit_fence());
    if (!plan) {
        return plan.error();
    }
    if (lingering_publishers().exchange(0, std::memory_order_relaxed) != 0) {
        participant->recover();
    }
    // From here on the destructor takes back whatever was done.
    std::unique_ptr<publisher_core> core(new publisher_core);
    core->participant_ = participant;
    core->entry_.number = purpose.number;
    if (purpose.number == 0) {
        auto const number = new_number(*participant, doing);
        if (!number) {
            return number.error();
        }
        core->entry_.number = *number;
    }
    core->wakes_seen_.resize(plan->slot_count);
    if (plan->geometry.pool) {
        core->pool = chunk_pool<>(plan->geometry.cell_count, plan->geometry.pool.chunk_count);
    }
    if (auto ok = core->make_segments(*plan, options.memory, doing); !ok) {
        return ok.error();
    }
    entry_spec spec;
    spec.kind = purpose.kind;
    spec.name = purpose.name;
    spec.type = type;
    spec.number = core->entry_.number;
    spec.policy = plan->constants.overflow;
    spec.depth = plan->geometry.cell_count;
    spec.payload_bytes_max = plan->geometry.message_bytes_max();
    spec.initial = health::starting;
    spec.meta = options.metadata;
    auto entry = participant->add_entry(spec);
    if (!entry) {
        return from_registry(entry.error(), doing);
    }
    core->entry_ = std::move(*entry);
    core->use_segments(*plan, options);
    if (purpose.kind == entry_kind::topic_publisher) {
        if (auto ok = core->meet_subscriptions(purpose, options); !ok) {
            return ok.error();
        }
    }
    if (auto ok = participant->set_health(core->entry_, health::ready); !ok) {
        return from_registry(ok.error(), doing);
    }
    core->open_ = true;
    return core;
}

/// The entry is visible.
result<void, endpoint_failure>
publisher_core::meet_subscriptions(ring_purpose const& purpose, publisher_options const& options) {
    if (auto ok = check_topic(*participant_, &entry_, purpose.name, purpose.type, false, false);
        !ok) {
        return ok.error();
    }
    // Whoever subscribed losslessly before this entry became visible is found here; whoever comes
    // later finds the entry (the fence in add_entry, and the subscriber's own).
    for (entry_info const& s :
         participant_->entries(entry_kind::topic_subscription, purpose.name)) {
        if ((s.flags & subscription_lossless) == 0 || participant_->proven_dead(s.owner_ticket) ||
            PARTYWALL_MUTANT(no_place_reserved)) {
            continue;
        }
        if (!reserve(slots(), slot_count_, participant_->ticket(), s, options.start_position) &&
            !joined_by_itself(*participant_, slots(), slot_count_, s)) {
            return fail(endpoint_errc::too_many_subscribers,
                        std::string(purpose.doing) +
                            ": it has more lossless subscriptions than subscribers_max (" +
                            std::to_string(slot_count_) + ")");
        }
    }
    return {};
}

result<void, endpoint_failure> publisher_core::make_segments(publisher_plan& plan,
                                                             memory_options const& memory,
                                                             std::string_view doing) {
    std::uint64_t const ticket = participant_->ticket();
    std::uint64_t const incarnation = incarnation_of(ticket, entry_.number);
    directory const& dir = participant_->dir();
    std::uint64_t const backed =
        memory.backing == backing::reserved ? plan.cells_end() : plan.bytes();
    auto ring_map = create_segment(dir,
                                   {{segment_kind::ring, ticket, entry_.number},
                                    ring_layout_version,
                                    ring_fingerprint,
                                    plan.bytes(),
                                    incarnation,
                                    backed},
                                   fill_ring, &plan);
    if (!ring_map) {
        return from_segment(ring_map.error(), doing);
    }
    ring_map_ = std::move(*ring_map);
    auto readers_map = create_segment(dir,
                                      {{segment_kind::readers, ticket, entry_.number},
                                       readers_layout_version,
                                       readers_fingerprint,
                                       reader_slots_offset + plan.slot_count * sizeof(reader_slot),
                                       incarnation},
                                      fill_readers, &plan);
    if (!readers_map) {
        return from_segment(readers_map.error(), doing);
    }
    readers_map_ = std::move(*readers_map);
    memory_.bytes = ring_map_.size() + readers_map_.size();
    memory_.backed = backed + readers_map_.size();
    memory_.prefaulted =
        memory.prefault && ring_map_.prefault(backed) && readers_map_.prefault(readers_map_.size());
    memory_.locked = memory.lock && ring_map_.lock() && readers_map_.lock();
    return {};
}

void publisher_core::use_segments(publisher_plan const& plan,
                                  publisher_options const& options) noexcept {
    auto& shared = reinterpret_cast<ring_segment*>(ring_map_.data())->control;
    reader_slot* const all = topic_segments::slots_of(readers_map_);
    ring = ring_writer<>(plan.geometry);
    pool.use(plan.geometry, all, plan.constants.pool.pinning_slots,
             plan.constants.pool.pins_per_slot);
    bool const gated = options.overflow != overflow::drop_oldest;
    use({options.overflow, options.block_for, options.waiting, options.spin_for,
         options.wake == wake::sleepers},
        gate<>(shared, gated ? all : nullptr, plan.slot_count, plan.geometry.cell_count,
               options.start_position),
        shared, all, plan.slot_count);
    bell_ = bell_ringer<>(reinterpret_cast<readers_segment*>(readers_map_.data())->arm, shared.rung,
                          static_cast<fence_pair>(plan.constants.fences), &shared.fencing);
}

publisher_core::~publisher_core() {
    if (mark_.is_child()) {
        return;
    }
    if (entry_.state == health::starting && !open_) {
        withdraw();
    } else {
        close();
    }
}

/// It never was in service: nothing was sent, and nobody need come for it.
void publisher_core::withdraw() noexcept {
    if (entry_.owner != 0) {
        say_closed(); // a lossless subscriber may have joined already
        announce();
        (void)participant_->remove_entry(entry_); // and its files
        return;
    }
    for (segment_kind const kind : {segment_kind::ring, segment_kind::readers}) {
        unlink_segment(participant_->dir(), {kind, participant_->ticket(), entry_.number});
    }
}

void publisher_core::close() noexcept {
    if (!open_ || mark_.is_child()) {
        open_ = false;
        return;
    }
    say_closed();
    announce();
    try {
        if (reservation_waits(*participant_, entry_.name, slots(), slot_count_,
                              participant_->ticket())) {
            // A lossless subscription has still to come for what was sent.
            lingering_publishers().fetch_add(1, std::memory_order_relaxed);
            (void)participant_->set_health(entry_, health::closed);
        } else {
            (void)participant_->remove_entry(entry_);
        }
    } catch (...) {
        // Out of memory: the entry stays until this participant leaves or is recovered.
    }
}

/// Takes the laggard's slot if it is proven dead, or a reservation for nobody.
bool publisher_core::free_laggard(gate<>::laggard const& held_by) noexcept {
    if (held_by.slot == gate<>::no_slot) {
        return true;
    }
    reader_slot& slot = slots()[held_by.slot];
    constexpr auto relaxed = std::memory_order_relaxed; // published with `ready`
    bool const reservation = held_by.seen.ticket() == participant_->ticket() &&
                             held_by.seen.phase() == slot_phase::ready &&
                             std_atomics::load(slot.role, relaxed) ==
                                 static_cast<std::uint32_t>(reader_role::reservation);
    bool const gone =
        reservation ? !subscription_lives(*participant_, entry_.name,
                                          std_atomics::load(slot.subscription, relaxed),
                                          std_atomics::load(slot.subscription_ticket, relaxed))
                    : PARTYWALL_MUTANT(seat_freed_on_a_timeout) ||
                          (participant_->proven_dead(held_by.seen.ticket()) &&
                           !PARTYWALL_MUTANT(dead_reader_waited_for));
    if (!gone || (reservation && PARTYWALL_MUTANT(reservation_not_freed)) ||
        !reader_seat<>::reclaim(slot, held_by.seen, participant_->ticket())) {
        return false;
    }
    add_to_own(control().readers_reclaimed, 1);
    return true;
}

/// Readers come and go; who waits for them waits.
send_errc publisher_core::in_vain() noexcept { return send_ok; }

std::uint64_t publisher_core::life_of_laggard(gate<>::laggard const& held_by,
                                              wait_list& words) noexcept {
    std::uint64_t const ticket = held_by.seen.ticket();
    if (ticket != participant_->ticket()) {
        return ticket;
    }
    // A reservation: its subscription's life counts, and its end shows in the registry. For a
    // subscriber of this very process this is its own entry or 0, which costs nothing.
    std::uint32_t const& epoch = participant_->epoch_word();
    words.add({&epoch, std_atomics::load(epoch, std::memory_order_acquire), true});
    return std_atomics::load(slots()[held_by.slot].subscription_ticket, std::memory_order_relaxed);
}

/// Each waiter once per arming; what fails costs that waiter a slice. A slot that changes hands
/// while it is looked at raises `wake_arm` once more.
void publisher_core::wake_descriptors() noexcept {
    auto const& readers = *reinterpret_cast<readers_segment const*>(readers_map_.data());
    // Pairs with the release in bell_sleeper::prepare(): `arm` was loaded before.
    std_atomics::fence(std::memory_order_acquire);
    // acquire: pairs with the release in wake_sign::raise().
    std::uint32_t const armed = std_atomics::load(readers.wake_arm, std::memory_order_acquire);
    if (armed == wake_arm_seen_) {
        return;
    }
    wake_arm_seen_ = armed;
    for (std::uint32_t i = 0; i < slot_count_; ++i) {
        owner const seen = owner_word<>::load(slots()[i].owner);
        if (seen.phase() != slot_phase::ready) {
            continue;
        }
        if (auto const number = wakes_seen_[i].due(seen.ticket(), slots()[i].wake); number != 0) {
            (void)write_to_wake_pipe(participant_->dir(), seen.ticket(), number);
        }
    }
}

std::uint32_t publisher_core::subscriber_count() noexcept {
    if (!usable()) {
        return 0;
    }
    std::uint32_t count = 0;
    for (std::uint32_t i = 0; i < slot_count_; ++i) {
        count += counts_as_subscriber(i) ? 1 : 0;
    }
    return count;
}

/// A seat counts while its owner lives, a reservation while its subscription lives and has not
/// joined by itself as well.
bool publisher_core::counts_as_subscriber(std::uint32_t index) noexcept {
    reader_slot const& slot = slots()[index];
    owner const seen = owner_word<>::load(slot.owner);
    if (seen.phase() != slot_phase::ready) {
        return false;
    }
    constexpr auto relaxed = std::memory_order_relaxed; // published with `ready`
    auto const role = std_atomics::load(slot.role, relaxed);
    if (role != static_cast<std::uint32_t>(reader_role::reservation) ||
        seen.ticket() != participant_->ticket()) {
        return !participant_->proven_dead(seen.ticket());
    }
    std::uint64_t const subscription = std_atomics::load(slot.subscription, relaxed);
    std::uint64_t const ticket = std_atomics::load(slot.subscription_ticket, relaxed);
    for (std::uint32_t i = 0; i < slot_count_; ++i) {
        reader_slot const& other = slots()[i];
        owner const theirs = owner_word<>::load(other.owner);
        if (theirs.phase() == slot_phase::ready && theirs.ticket() == ticket &&
            std_atomics::load(other.role, relaxed) ==
                static_cast<std::uint32_t>(reader_role::lossless) &&
            std_atomics::load(other.subscription, relaxed) == subscription) {
            return false;
        }
    }
    return subscription_lives(*participant_, entry_.name, subscription, ticket);
}

send_errc publisher_core::wait_for_subscribers(std::uint32_t count,
                                               std::uint64_t wait_ns) noexcept {
    std::uint64_t const until = os::deadline_after(os::monotonic_ns(), wait_ns);
    for (;;) {
        if (!usable()) {
            return refusal();
        }
        participant_->keep_notice();
        // acquire, before looking: whoever comes after the look has changed it.
        std::uint32_t const seen =
            std_atomics::load(participant_->epoch_word(), std::memory_order_acquire);
        if (subscriber_count() >= count) {
            return send_ok;
        }
        if (send_errc const e = wait_for_change(seen, until); e != send_ok) {
            return e;
        }
    }
}

result<void, failure<registry_errc>> publisher_core::set_draining(bool draining) {
    if (!open_ && !mark_.is_child()) {
        return failure<registry_errc>{registry_errc::not_found, 0,
                                      "the publisher of topic '" + entry_.name + "' is closed"};
    }
    return participant_->set_health(entry_, draining ? health::draining : health::ready);
}

result<void, failure<registry_errc>> publisher_core::set_metadata(metadata const& meta) {
    return participant_->set_metadata(entry_, meta);
}

} // namespace partywall::inline v0::detail
