// SPDX-License-Identifier: BSL-1.0
// A sender's life: finding its receiver, taking a lane, and what happens when the receiver ends.
#include <partywall/oneway/sender_core.hpp>

#include "inbox_segment.hpp"

#include <partywall/detail/mutant.hpp>
#include <partywall/inbox/lane.hpp>
#include <partywall/os/futex.hpp>
#include <partywall/wait/wake_pipe.hpp>

#include <algorithm>
#include <climits>
#include <utility>

namespace partywall::inline v0::detail {
namespace {

/// How far `to` is behind `from`; not so far that sums of it overflow, whatever stands there.
std::uint64_t between(std::uint64_t from, std::uint64_t to) noexcept {
    auto const ahead = static_cast<std::int64_t>(to - from);
    return static_cast<std::uint64_t>(std::clamp<std::int64_t>(ahead, 0, 0xffff'ffff));
}

/// So that the receiver looks at the lanes: now if it sleeps, at its next call otherwise.
void ring_for_arrival(inbox_bell& bell) noexcept {
    // acq_rel: the change of the lane before, and pairs with the acquire in has_news().
    std_atomics::fetch_add(bell.arrivals, std::uint32_t{1}, std::memory_order_acq_rel);
    std_atomics::fetch_add(bell.rung, std::uint32_t{1}, std::memory_order_acq_rel);
    os::futex_wake(bell.rung, INT_MAX, true);
}

} // namespace

sender_core::sender_core() = default;

std::unique_ptr<sender_core> sender_core::create(std::shared_ptr<participant_core> participant,
                                                 std::string_view name, type_facts const& type,
                                                 payload_shape const& shape,
                                                 sender_options const& options,
                                                 endpoint_failure& why) noexcept {
    using made = result<std::unique_ptr<sender_core>, endpoint_failure>;
    return made_or_why<std::unique_ptr<sender_core>>(why, [&]() -> made {
        std::string const doing = "cannot send to '" + std::string(name) + "'";
        if (auto const ok = may_make(*participant, doing, name); !ok) {
            return ok.error();
        }
        if (std::string const bad =
                check_writing(options.overflow, options.block_for, options.spin_for);
            !bad.empty()) {
            return fail(endpoint_errc::bad_option, doing + ": " + bad);
        }
        if (participant->domain_gone()) {
            return fail(endpoint_errc::domain_gone,
                        doing + ": domain '" + participant->domain() + "' was removed");
        }
        auto const number = new_number(*participant, doing);
        if (!number) {
            return number.error();
        }
        std::unique_ptr<sender_core> core(new sender_core);
        core->incarnation_ = incarnation_of(participant->ticket(), *number);
        core->name_ = name;
        core->belong_to(std::move(participant), type_of(type), shape, options);
        // Nobody there is no failure: a receiver may come later. One that cannot be used is.
        if (!core->find_receiver() && core->not_attached_ == send_errc::refused) {
            return fail(core->refusal_code_, core->refusal_);
        }
        return core;
    });
}

void sender_core::belong_to(std::shared_ptr<participant_core> participant, type_info const& type,
                            payload_shape const& shape, sender_options const& options) {
    fences_ = participant->publisher_may_omit_fence() && options.fence == fencing::automatic
                  ? fence_pair::sleeper
                  : fence_pair::publisher;
    participant_ = std::move(participant);
    type_ = type;
    shape_ = shape;
    options_ = options;
}

std::unique_ptr<sender_core> sender_core::attach_to(std::shared_ptr<participant_core> participant,
                                                    entry_info const& target, type_info const& type,
                                                    payload_shape const& shape,
                                                    sender_options const& options,
                                                    std::uint64_t incarnation,
                                                    endpoint_failure& why) noexcept {
    using made = result<std::unique_ptr<sender_core>, endpoint_failure>;
    return made_or_why<std::unique_ptr<sender_core>>(why, [&]() -> made {
        std::unique_ptr<sender_core> core(new sender_core);
        core->incarnation_ = incarnation;
        core->name_ = target.name;
        core->fixed_ = true;
        core->belong_to(std::move(participant), type, shape, options);
        if (auto const refused = core->take_lane(target); refused.code != endpoint_errc{}) {
            return refused;
        }
        return core;
    });
}

sender_core::~sender_core() { close(); }

void sender_core::say_arrival() noexcept {
    ring_for_arrival(segment_->bell());
    wake_descriptors();
}

/// Once per arming of the receiver; what fails costs it a slice.
void sender_core::wake_descriptors() noexcept {
    // Pairs with the release in bell_sleeper::prepare(): `arm` was loaded before, or (say_arrival)
    // `rung` was incremented, which is a full barrier or else found by the receiver's next slice.
    std_atomics::fence(std::memory_order_seq_cst);
    if (auto const number = wake_seen_.due(receiver_ticket_, segment_->control().wake);
        number != 0) {
        (void)write_to_wake_pipe(participant_->dir(), receiver_ticket_, number);
    }
}

void sender_core::close() noexcept {
    if (mark_.is_child() || closed_) {
        return;
    }
    closed_ = true;
    if (inbox_ != nullptr) {
        (void)let_go(send_errc::closed);
    }
    open_ = false;
}

std::uint64_t sender_core::sent() const noexcept {
    return sent_before_ +
           (inbox_ != nullptr ? ring.position() - ring.geometry().start_position : 0);
}

std::uint32_t sender_core::lane_count() const noexcept {
    return inbox_ != nullptr ? segment_->constants.lane_count : 0;
}

/// What stands there is only counted with: other senders' numbers, and stamps of cells within bounds
/// whatever the numbers are.
std::uint64_t sender_core::under_way_of_others() const noexcept {
    constexpr auto relaxed = std::memory_order_relaxed; // figures
    std::uint64_t all = 0;
    for (std::uint32_t i = 0; i < lane_count(); ++i) {
        lane_header const& h = segment_->lanes()[i];
        if (i == lane_ || owner_word<>::load(h.owner).phase() != slot_phase::ready) {
            continue;
        }
        std::uint64_t const start = std_atomics::load(h.start, relaxed);
        // What is over first: it is never more than what was begun with.
        std::uint64_t const answered = std_atomics::load(h.answered, std::memory_order_acquire);
        std::uint64_t const done = std_atomics::load(h.done, std::memory_order_acquire);
        std::uint64_t const deferred = std_atomics::load(h.deferred, relaxed);
        std::uint64_t const taken = std_atomics::load(h.taken, relaxed);
        std::uint64_t const next = static_cast<std::int64_t>(taken - start) > 0 ? taken : start;
        ring_geometry const g = segment_->geometry(i);
        // Those that were sent are the first ones: bisected, and mostly there are none.
        std::uint64_t sent = 0;
        for (std::uint64_t unknown = g.cell_count; unknown != 0;) {
            std::uint64_t const half = sent == 0 && unknown == g.cell_count ? 0 : unknown / 2;
            std::uint64_t const at = next + sent + half;
            if (std_atomics::load(g.stamp(at), relaxed) == ready_stamp(at)) {
                sent += half + 1;
                unknown -= half + 1;
            } else {
                unknown = half;
            }
        }
        all += sent + (taken != done ? 1 : 0) + between(answered, deferred);
    }
    return all;
}

/// Called when nobody is attached, or whoever was has ended. True: somebody is.
bool sender_core::find_receiver() noexcept {
    if (mark_.is_child() || closed_) {
        not_attached_ = mark_.is_child() ? send_errc::forked : send_errc::closed;
        return false;
    }
    if (inbox_ != nullptr) {
        not_attached_ = let_go(ended()); // said once; the next call looks for a successor
        return false;
    }
    participant_->keep_notice();
    // acquire, before looking: whoever comes after the look has changed it.
    std::uint32_t const epoch =
        std_atomics::load(participant_->epoch_word(), std::memory_order_acquire);
    if (looked_ && epoch == epoch_seen_) {
        return false;
    }
    epoch_seen_ = epoch;
    looked_ = true;
    not_attached_ = send_errc::no_receiver;
    try {
        endpoint_failure const why = attach();
        if (why.code == endpoint_errc{}) {
            return true;
        }
        // Its files went while we looked: it is not there any more.
        if (why.code != endpoint_errc::no_receiver && why.code != endpoint_errc::domain_gone) {
            not_attached_ = send_errc::refused;
            refusal_ = why.message;
            refusal_code_ = why.code;
            looked_ = why.code != endpoint_errc::no_memory && why.code != endpoint_errc::system;
        }
    } catch (...) {
        looked_ = false; // out of memory: the next call looks again
    }
    return false;
}

/// Its death is noticed, but the kernel has still to take it apart: proof would come too late.
bool sender_core::is_dying(entry_info const& receiver) {
    auto const life = participant_->life_of(receiver.owner_ticket);
    return life.word != nullptr && os::robust_died_now(life.word);
}

endpoint_failure sender_core::attach() {
    if (fixed_) {
        return fail(endpoint_errc::no_receiver, "the inbox that this was for has ended");
    }
    auto const all = participant_->entries(entry_kind::inbox, name_);
    entry_info const* newest = nullptr;
    for (entry_info const& e : all) {
        bool const usable = (e.state == health::ready || e.state == health::draining) &&
                            !participant_->proven_dead(e.owner_ticket) && !is_dying(e);
        if (usable && (newest == nullptr || e.incarnation > newest->incarnation)) {
            newest = &e;
        }
    }
    if (newest == nullptr) {
        return fail(endpoint_errc::no_receiver, "nobody receives as '" + name_ + "'");
    }
    return take_lane(*newest);
}

endpoint_failure sender_core::take_lane(entry_info const& e) {
    std::string const doing = "cannot send to '" + name_ + "'";
    auto s = attach_inbox(participant_->dir(), e, access::read_write);
    if (!s) {
        return s.error();
    }
    lanes_constants const& c = s->constants;
    if (c.type_fingerprint != type_.fingerprint && !PARTYWALL_MUTANT(wrong_receiver_accepted)) {
        return fail(endpoint_errc::type_mismatch, doing + ": this side has " + describe(type_) +
                                                      ", the receiver of participant " +
                                                      std::to_string(e.owner_ticket) + " has " +
                                                      describe(e.type));
    }
    if (!has_shape(s->geometry(0), shape_)) {
        return fail(endpoint_errc::corrupt,
                    doing + ": the receiver's cells do not have the shape of its type");
    }
    // relaxed: whoever closes just now is found by the next send.
    if (std_atomics::load(s->control().closed, std::memory_order_relaxed) != 0) {
        return fail(endpoint_errc::no_receiver, doing + ": its receiver has closed");
    }
    auto segment = std::make_unique<inbox_segment>(std::move(*s));
    participant_core::life_view life = participant_->life_of(e.owner_ticket);
    chunk_pool<> chunks;
    if (c.pool.chunk_count != 0) {
        chunks = chunk_pool<>(c.cell_count, c.pool.chunk_count);
    }
    // From here on nothing fails for want of memory: what is claimed is opened.
    std::uint64_t const ticket = participant_->ticket();
    owner mine;
    // Senders begin to look in different places.
    auto const first = static_cast<std::uint32_t>(ticket % c.lane_count);
    std::uint32_t const index = lane<>::claim(segment->lanes(), c.lane_count, first, ticket, mine);
    if (index == lane<>::none) {
        return fail(endpoint_errc::no_lane,
                    doing + ": its " + std::to_string(c.lane_count) + " lanes are taken");
    }
    lane_header& h = segment->lanes()[index];
    ring_geometry g = segment->geometry(index);
    lane<>::fill(h, g, incarnation_, static_cast<std::uint32_t>(options_.overflow), fences_);
    ring = ring_writer<>(g);
    chunks.use(g, &h.slot, c.pool.pinning_slots, c.pool.pins_per_slot);
    pool = std::move(chunks);
    rings_used += 1;
    bool const gated = options_.overflow != overflow::drop_oldest;
    use({options_.overflow, options_.block_for, options_.waiting, options_.spin_for,
         c.wakes == static_cast<std::uint32_t>(wake::sleepers)},
        gate<>(h.control, gated ? &h.slot : nullptr, 1, g.cell_count, g.start_position), h.control,
        &h.slot, 1);
    bell_ = bell_ringer<>::one_of_many(segment->control().arm, segment->bell().rung, fences_,
                                       &h.control.fencing);
    leave_hints(c.hinted != 0 ? segment->hints() + index : nullptr);
    if (!lane<>::open(h, mine)) {
        return fail(endpoint_errc::corrupt, doing + ": somebody took a lane that was ours");
    }
    segment_ = std::move(segment);
    taken_ = &h.taken;
    receiver_fences_ = static_cast<fence_pair>(c.fences);
    memory_.bytes = segment_->map.size();
    memory_.prefaulted = options_.memory.prefault && segment_->map.prefault(segment_->map.size());
    memory_.locked = options_.memory.lock && segment_->map.lock();
    inbox_ = &segment_->control();
    life_ = std::move(life);
    lane_ = index;
    lane_owner_ = mine;
    receiver_ticket_ = e.owner_ticket;
    receiver_incarnation_ = e.incarnation;
    life_proof_ = false;
    open_ = true;
    say_arrival();
    participant_->bump_epoch(); // the receiver may wait for senders
    return {};
}

/// Why the receiver that was attached is of no use any more.
send_errc sender_core::ended() const noexcept {
    // acquire: the cursors come before it. Pairs with the release in receiver_core::let_go().
    bool const closed = std_atomics::load(inbox_->closed, std::memory_order_acquire) != 0;
    return closed ? send_errc::no_receiver : send_errc::peer_died;
}

bool sender_core::proven_dead() const noexcept {
    return participant_->proven_dead(receiver_ticket_);
}

/// Leaves the lane, whatever the reason; returns it.
send_errc sender_core::let_go(send_errc why) noexcept {
    if (inbox_ == nullptr) {
        return why;
    }
    ring_geometry const& g = ring.geometry();
    if (why != send_errc::closed) {
        // What the receiver has given back it has taken; it gives back late, so this is the most
        // that can be lost. Its word is only a number.
        std::uint64_t const cursor =
            std_atomics::load(slots()[0].cursor, std::memory_order_acquire);
        std::uint64_t const behind = (cursor_at(ring.position()) - cursor) / 2;
        lost_ += std::min({behind, g.cell_count, ring.position() - g.start_position});
    }
    sent_before_ += ring.position() - g.start_position;
    say_closed();
    say_arrival();
    bool const may_be_written = fixed_ || lent_from_ == rings_used;
    rings_used += 1;
    leave_hints(nullptr);
    inbox_ = nullptr;
    life_ = {};
    looked_ = false;
    // Receivers may end one after the other, without anybody having sent: the last loan may be of
    // one long before this one.
    if (may_be_written) {
        lent_ = std::move(segment_);
        lent_->map.forsake();
    } else {
        segment_.reset();
    }
    return why;
}

send_errc sender_core::wait_for_receiver(std::uint64_t wait_ns) noexcept {
    std::uint64_t const until = os::deadline_after(os::monotonic_ns(), wait_ns);
    for (;;) {
        // acquire, before looking: whoever comes after the look has changed it.
        std::uint32_t const seen =
            std_atomics::load(participant_->epoch_word(), std::memory_order_acquire);
        if (attached() || find_receiver()) {
            return send_ok;
        }
        if (not_attached_ == send_errc::closed || not_attached_ == send_errc::forked ||
            (not_attached_ == send_errc::refused && refusal_code_ != endpoint_errc::no_lane)) {
            return not_attached_;
        }
        if (send_errc const e = wait_for_change(seen, until); e != send_ok) {
            return e;
        }
    }
}

/// The receiver's place is never anybody else's. But where there is no notice, ask for proof.
bool sender_core::free_laggard(gate<>::laggard const&) noexcept {
    if (life_.word == nullptr && participant_->proven_dead(receiver_ticket_)) {
        life_proof_ = true;
    }
    return false;
}

send_errc sender_core::in_vain() noexcept {
    return life_proof_ ? send_errc::peer_died : attached() ? send_ok : ended();
}

std::uint64_t sender_core::life_of_laggard(gate<>::laggard const&, wait_list&) noexcept {
    return receiver_ticket_;
}

} // namespace partywall::inline v0::detail
