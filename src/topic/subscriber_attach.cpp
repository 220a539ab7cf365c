// SPDX-License-Identifier: BSL-1.0
#include "subscriber_attach.hpp"
#include "../endpoint/reading_wait.hpp"

#include <algorithm>
#include <utility>

namespace partywall::inline v0::detail {
namespace {

constexpr auto relaxed = std::memory_order_relaxed; // words of a slot, published with `ready`

fence_pair pair_of(participant_core const& participant) noexcept {
    return participant.publisher_may_omit_fence() ? fence_pair::sleeper : fence_pair::publisher;
}

bool contains(std::vector<std::uint64_t> const& all, std::uint64_t one) {
    return std::find(all.begin(), all.end(), one) != all.end();
}

/// Whether a publisher that could not be attached for this reason may be attached later, although
/// nothing changes in the registry.
bool may_pass(endpoint_errc code) noexcept {
    return code == endpoint_errc::no_memory || code == endpoint_errc::system ||
           code == endpoint_errc::too_many_publishers ||
           code == endpoint_errc::too_many_subscribers || code == endpoint_errc::no_lane;
}

} // namespace

void subscriber_attach::prune(std::vector<std::uint64_t>& incarnations,
                              std::vector<entry_info> const& publishers) {
    std::erase_if(incarnations, [&](std::uint64_t i) {
        return std::none_of(publishers.begin(), publishers.end(),
                            [i](entry_info const& e) { return e.incarnation == i; });
    });
}

void subscriber_attach::note_ends(subscriber_core& core, std::vector<entry_info> const& publishers,
                                  bool& changed) {
    for (auto const& s : core.sources_) {
        bool const listed =
            std::any_of(publishers.begin(), publishers.end(),
                        [&](entry_info const& e) { return e.incarnation == s->incarnation; });
        if (listed || s->ending) {
            continue;
        }
        // Its entry is gone: it closed, or somebody recovered it after its death. An entry that just
        // could not be read is neither.
        mark_ended(*s);
        s->ending = !s->dead || core.participant_->proven_dead(s->ticket);
        s->dead = s->dead && s->ending;
        changed = changed || s->ending;
    }
}

result<bool, endpoint_failure> subscriber_attach::refresh(subscriber_core& core, bool initial) {
    participant_core& participant = *core.participant_;
    bool changed = false;
    // acquire, before looking: whoever changes the registry after our look changes this again.
    core.epoch_seen_ = std_atomics::load(participant.epoch_word(), std::memory_order_acquire);
    auto const publishers = participant.entries(core.publishers_, core.topic_);
    prune(core.finished_, publishers);
    prune(core.refused_by_, publishers);
    core.retry_refused_ = false;
    note_ends(core, publishers, changed);
    for (entry_info const& e : publishers) {
        auto const attached =
            std::find_if(core.sources_.begin(), core.sources_.end(),
                         [&](auto const& s) { return s->incarnation == e.incarnation; });
        if (attached != core.sources_.end()) {
            free_surplus(core, **attached);
            continue;
        }
        if (contains(core.finished_, e.incarnation)) {
            continue;
        }
        bool const ended = e.state == health::closed || participant.proven_dead(e.owner_ticket);
        if (ended && core.wanted_.delivery != delivery::lossless) {
            continue; // what it sent is history, and leaves with its files
        }
        bool const starting = e.state == health::starting && !ended;
        if (starting && core.wanted_.delivery != delivery::lossless) {
            continue; // it may still be refused itself; it is read from its first message
        }
        auto s = attach(core, e, initial, ended);
        if (!s) {
            // The same; we look again when it is ready. But it may not have seen us, and nothing but
            // our seat would hold it back: a lossless subscription that cannot have it for now
            // cannot be had.
            bool const needed = initial && may_pass(s.error().code);
            if (starting && !needed) {
                continue;
            }
            core.retry_refused_ = core.retry_refused_ || may_pass(s.error().code);
            bool const later = core.patient_ && may_pass(s.error().code);
            if (initial && !later && s.error().code != endpoint_errc::domain_gone) {
                return s.error();
            }
            if (s.error().code != endpoint_errc::domain_gone &&
                !contains(core.refused_by_, e.incarnation)) {
                core.refused_by_.push_back(e.incarnation);
                core.refusal_ = s.error().message;
                core.refusal_code_ = s.error().code;
                core.refused_ = true;
                changed = true;
            }
            continue; // domain_gone: its files went while we looked, and so will its entry
        }
        if (*s == nullptr) {
            core.finished_.push_back(e.incarnation); // it ended, and nothing of it is for us
            continue;
        }
        core.sources_.push_back(std::move(*s));
        core.words_stale_ = true;
        core.sources_seen_ += 1;
        changed = true;
    }
    return changed;
}

result<void, endpoint_failure> subscriber_attach::check(subscriber_core const& core,
                                                        topic_segments const& t,
                                                        entry_info const& publisher) {
    auto const refuse = [&](endpoint_errc code, std::string reason) {
        return fail(code, "cannot attach to the publisher of participant " +
                              std::to_string(publisher.owner_ticket) + " on topic '" + core.topic_ +
                              "': " + std::move(reason));
    };
    if (core.sources_.size() >= publishers_per_topic_max) {
        return refuse(endpoint_errc::too_many_publishers,
                      std::to_string(publishers_per_topic_max) + " publishers are attached");
    }
    if (core.wanted_.delivery == delivery::lossless &&
        publisher.policy == static_cast<std::uint32_t>(overflow::drop_oldest)) {
        return refuse(endpoint_errc::option_mismatch,
                      "it drops the oldest message, and this subscription is lossless");
    }
    if (core.wanted_.any_type) {
        return {};
    }
    if (t.type_fingerprint != core.type_.fingerprint) {
        return refuse(endpoint_errc::type_mismatch, "it sends " + describe(publisher.type) +
                                                        ", this side receives " +
                                                        describe(core.type_));
    }
    if (!has_shape(t.geometry, core.shape_)) {
        return refuse(endpoint_errc::corrupt, "its cells do not have the shape of its type");
    }
    return {};
}

reader_slot* subscriber_attach::find_reservation(subscriber_core const& core, reader_slot* slots,
                                                 std::uint32_t count,
                                                 std::uint64_t publisher_ticket) {
    for (std::uint32_t i = 0; i < count; ++i) {
        owner const seen = owner_word<>::load(slots[i].owner);
        if (seen.phase() == slot_phase::ready && seen.ticket() == publisher_ticket &&
            std_atomics::load(slots[i].role, relaxed) ==
                static_cast<std::uint32_t>(reader_role::reservation) &&
            std_atomics::load(slots[i].subscription, relaxed) == core.entry_.incarnation &&
            std_atomics::load(slots[i].subscription_ticket, relaxed) ==
                core.participant_->ticket()) {
            return &slots[i];
        }
    }
    return nullptr;
}

/// We came by ourselves while the publisher was reserving a place for us.
void subscriber_attach::free_surplus(subscriber_core const& core, source& s) noexcept {
    if (!s.lossless) {
        return;
    }
    // The size of our mapping, not a number from it.
    auto const count = static_cast<std::uint32_t>((s.readers_map.size() - reader_slots_offset) /
                                                  sizeof(reader_slot));
    reader_slot* const slots = topic_segments::slots_of(s.readers_map);
    if (reader_slot* const surplus = find_reservation(core, slots, count, s.ticket)) {
        take_reservation(core, *surplus, s, pair_of(*core.participant_), true);
    }
}

/// {publisher, ready} -> {us, ready}; the cursor stays where it is. A surplus one is freed.
bool subscriber_attach::take_reservation(subscriber_core const& core, reader_slot& slot, source& s,
                                         fence_pair pair, bool surplus) {
    owner seen = owner_word<>::load(slot.owner);
    if (seen.phase() != slot_phase::ready || seen.ticket() != s.ticket ||
        !owner_word<>::exchange(slot.owner, seen, core.participant_->ticket(), slot_phase::ready)) {
        return false;
    }
    std_atomics::store(slot.role, static_cast<std::uint32_t>(reader_role::lossless), relaxed);
    reader_seat<> seat(slot, *s.control, seen, pair);
    if (surplus) {
        seat.leave();
    } else {
        s.seat = seat;
    }
    return true;
}

bool subscriber_attach::take_seat(subscriber_core& core, source& s, topic_segments const& t,
                                  entry_info const& e, bool ended, bool& reserved) {
    participant_core& participant = *core.participant_;
    fence_pair const pair = pair_of(participant);
    bool const lossless = core.wanted_.delivery == delivery::lossless;
    if (lossless) {
        reader_slot* const slot = find_reservation(core, t.slots(), t.slot_count, s.ticket);
        reserved = slot != nullptr && take_reservation(core, *slot, s, pair, false);
        if (reserved || ended) {
            return true;
        }
    }
    auto const role = lossless ? reader_role::lossless : reader_role::lossy;
    owner mine;
    reader_slot* slot =
        reader_seat<>::claim(t.slots(), t.slot_count, participant.ticket(), role, mine);
    if (slot == nullptr) {
        reclaim_slots(participant, e, t.slots(), t.slot_count);
        slot = reader_seat<>::claim(t.slots(), t.slot_count, participant.ticket(), role, mine);
    }
    if (slot == nullptr) {
        return false;
    }
    s.seat = reader_seat<>(*slot, *s.control, mine, pair);
    if (lossless) {
        // relaxed: published with `ready`. So that a place that the publisher reserved for the
        // same subscription is known to be surplus.
        std_atomics::store(slot->subscription, core.entry_.incarnation, relaxed);
        std_atomics::store(slot->subscription_ticket, participant.ticket(), relaxed);
        s.in_place_from = s.seat.join();
    }
    return true;
}

/// Where to begin. The cursor, if there is one, protects in_place_from and what follows.
void subscriber_attach::place(subscriber_core const& core, source& s, bool initial, bool reserved) {
    ring_geometry const& g = s.reader.geometry();
    std::uint64_t const start = g.start_position;
    if (reserved) {
        s.seat.adopt(start);
        s.in_place_from = start;
        s.counted_from = start;
        s.reader.set_position(start);
        return;
    }
    std::uint64_t const end =
        s.lossless ? s.reader.walk_to_end(s.in_place_from) : s.reader.find_end(start);
    std::uint64_t const sent = end - start;
    std::uint64_t const there = std::min(sent, g.cell_count);
    // A publisher that came after us is read from its first message; what it had overwritten
    // before we came is missed, and counted.
    std::uint64_t const wanted = initial ? std::min(core.wanted_.history, there) : there;
    s.reader.set_position(end - wanted);
    s.counted_from = initial ? end : start;
    if (initial && s.lossless) {
        // History is copied; what follows is held. The writer's position was older than the end.
        s.in_place_from = end;
        if (end != s.seat.published()) {
            s.seat.publish_cursor(end);
        }
    }
    if (!initial && !core.latest_) {
        s.missed = sent - there;
        s.missed_now = s.missed;
    }
}

result<std::unique_ptr<source>, endpoint_failure>
subscriber_attach::attach(subscriber_core& core, entry_info const& e, bool initial, bool ended) {
    auto t = attach_topic(core.participant_->dir(), e);
    if (!t) {
        return t.error();
    }
    if (auto const ok = check(core, *t, e); !ok) {
        return ok.error();
    }
    // Room first: nothing may fail once the seat is taken. A lossless subscription reads in place.
    bool const copies = core.wanted_.delivery != delivery::lossless || core.wanted_.history != 0;
    // Who can pin nothing copies large messages as well.
    std::uint64_t const copied_bytes_max = core.wanted_.delivery == delivery::looking
                                               ? t->geometry.message_bytes_max()
                                               : t->geometry.payload_bytes_max;
    if (copies && !core.grow_holds(copied_bytes_max)) {
        return fail(endpoint_errc::no_memory,
                    "cannot attach to a publisher on topic '" + core.topic_ + "': no memory for " +
                        std::to_string(core.options_.samples_held_max) + " messages of " +
                        std::to_string(copied_bytes_max) + " bytes");
    }
    core.sources_.reserve(core.sources_.size() + 1);
    core.detached_.reserve(core.sources_.size() + core.detached_.size() + 1);
    core.finished_.reserve(core.finished_.size() + core.sources_.size() + 1);
    core.recover_due_.reserve(core.recover_due_.size() + core.sources_.size() + 1);
    auto s = std::make_unique<source>();
    s->ticket = e.owner_ticket;
    s->number = e.number;
    s->incarnation = e.incarnation;
    s->lossless = core.wanted_.delivery == delivery::lossless;
    s->ending = ended;
    s->wakes = t->wakes;
    s->fences = t->fences;
    s->control = &t->control();
    s->bell = bell_sleeper<>(t->arm(), t->control().rung);
    s->reader = ring_reader<>(t->geometry, t->geometry.start_position);
    s->flush_every = t->geometry.cell_count / 4;
    s->life = core.participant_->life_of(e.owner_ticket);
    bool reserved = false;
    if (core.wanted_.delivery != delivery::looking &&
        !take_seat(core, *s, *t, e, ended, reserved)) {
        return fail(endpoint_errc::too_many_subscribers,
                    "cannot attach to the publisher of participant " +
                        std::to_string(e.owner_ticket) + " on topic '" + core.topic_ +
                        "': all its " + std::to_string(t->slot_count) +
                        " subscriber slots are taken by the living");
    }
    if (ended && !reserved) {
        return std::unique_ptr<source>();
    }
    if (ended) {
        mark_ended(*s);
    }
    if (s->seat) {
        s->sign = wake_sign<>(s->seat.slot().wake, &t->wake_arm());
    }
    if (s->seat && t->geometry.pool && &s->seat.slot() - t->slots() < t->pinning_slots) {
        s->pins_free = static_cast<std::uint8_t>((1U << t->pins_per_slot) - 1);
    }
    place(core, *s, initial, reserved);
    if (!reserved && core.wanted_.delivery != delivery::looking) {
        // Only now does the subscriber count as there: a publisher that waited for it may send at
        // once, and that message must not lie before our place.
        s->seat.set_ready();
    }
    s->ring_map = std::move(t->ring);
    s->readers_map = std::move(t->readers);
    if (auto const ok = core.source_attached(*s, e); !ok) {
        if (s->seat) {
            s->seat.leave();
        }
        return ok.error();
    }
    core.count_memory(s->ring_map);
    core.count_memory(s->readers_map);
    if (!reserved && core.wanted_.delivery != delivery::looking) {
        core.participant_->bump_epoch(); // publishers may wait for subscribers
    }
    return s;
}

} // namespace partywall::inline v0::detail
