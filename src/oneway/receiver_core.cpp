// SPDX-License-Identifier: BSL-1.0
// A receiver's life: its name, its lanes, and senders that come, close and die.
#include <partywall/oneway/receiver_core.hpp>

#include "../endpoint/reading_wait.hpp"
#include "../registry/decision_wait.hpp"
#include "inbox_segment.hpp"

#include <partywall/detail/mutant.hpp>
#include <partywall/inbox/lane.hpp>
#include <partywall/os/futex.hpp>
#include <partywall/os/robust_word.hpp>

#include <algorithm>
#include <bit>
#include <climits>
#include <cstring>
#include <utility>

namespace partywall::inline v0::detail {
namespace {

// Hints are looked at in lines of the cache, of which most have not changed, and in words of those.
constexpr std::uint32_t hints_per_word = 4;
constexpr std::uint32_t words_per_line = line_bytes / sizeof(std::uint64_t);

} // namespace

receiver_core::receiver_core(std::shared_ptr<participant_core> participant)
    : reading_end(std::move(participant)) {}
receiver_core::~receiver_core() = default;

receiver_core::handle receiver_core::create(std::shared_ptr<participant_core> participant,
                                            std::string_view name, type_facts const& type,
                                            payload_shape const& shape,
                                            receiver_options const& options,
                                            endpoint_failure& why) noexcept {
    return made_or_why<handle>(why, [&]() -> result<handle, endpoint_failure> {
        std::string const doing = "cannot receive as '" + std::string(name) + "'";
        if (auto const ok = may_make(*participant, doing, name); !ok) {
            return ok.error();
        }
        inbox_purpose purpose;
        purpose.doing = doing;
        purpose.name = name;
        purpose.type = type_of(type);
        purpose.shape = shape;
        purpose.options = options;
        handle core(new receiver_core(std::move(participant)));
        if (auto const ok = core->open(purpose); !ok) {
            return ok.error();
        }
        if (auto const ok = core->begin_service(doing); !ok) {
            return ok.error();
        }
        return core;
    });
}

result<void, endpoint_failure> receiver_core::open(inbox_purpose const& purpose) {
    std::string_view const doing = purpose.doing;
    receiver_options const& options = purpose.options;
    if (std::string const bad = check_reading(options.samples_held_max, options.spin_for);
        !bad.empty()) {
        return fail(endpoint_errc::bad_option, std::string(doing) + ": " + bad);
    }
    participant_core& me = *participant_;
    fence_pair const fences =
        me.publisher_may_omit_fence() ? fence_pair::sleeper : fence_pair::publisher;
    auto plan = plan_inbox(doing, purpose.shape, options, purpose.type.fingerprint, fences);
    if (!plan) {
        return plan.error();
    }
    use({options.samples_held_max, options.waiting, options.spin_for, options.report_close,
         options.memory});
    name_ = purpose.name;
    auto const drawn = new_number(me, doing);
    if (!drawn) {
        return drawn.error();
    }
    std::uint64_t const number = *drawn;
    std::uint32_t const count = plan->constants.lane_count;
    lanes_.resize(count);
    index_of_lane_.resize(count);
    hints_seen_.resize((lane_headers_offset(count) - hints_offset) / sizeof(std::uint16_t));
    watched_.reserve(count);
    sources_.reserve(count);
    detached_.reserve(2 * count);
    for (lane_state& one : lanes_) {
        one.start = options.start_position;
    }
    // From here on closing takes back whatever was done.
    entry_.number = number;
    entry_.incarnation = incarnation_of(me.ticket(), number);
    segment_ = std::make_unique<inbox_segment>();
    inbox_segment& s = *segment_;
    auto segment = create_inbox(me, number, *plan, options.memory, doing);
    if (!segment) {
        return segment.error();
    }
    s = std::move(*segment);
    count_memory(s.map);
    memory_.backed =
        options.memory.backing == backing::reserved ? plan->constants.cells_offset : plan->bytes();
    arrivals_ = &s.bell().arrivals;
    hints_ = s.constants.hinted != 0 ? s.hints() : nullptr;
    bell_ = bell_sleeper<>(s.control().arm, s.bell().rung);
    sign_ = wake_sign<>(s.control().wake, nullptr);
    wakes_ = options.wake == wake::sleepers;
    if (!purpose.has_entry) {
        return {};
    }
    entry_spec spec;
    spec.kind = purpose.kind;
    spec.name = purpose.name;
    spec.type = purpose.type;
    spec.number = number;
    spec.depth = plan->constants.cell_count;
    spec.payload_bytes_max = s.geometry(0).message_bytes_max();
    spec.initial = health::starting;
    spec.meta = options.metadata;
    auto entry = me.add_entry(spec);
    if (!entry) {
        return from_registry(entry.error(), doing);
    }
    entry_ = std::move(*entry);
    has_entry_ = true;
    return purpose.alone ? check_name_is_free(me, entry_, doing) : result<void, endpoint_failure>();
}

result<void, endpoint_failure> receiver_core::begin_service(std::string_view doing) {
    if (auto const ok = set_health(health::ready); !ok) {
        return from_registry(ok.error(), doing);
    }
    return {};
}

/// Of several that come at the same time one gets the name: our entry is visible, and so is theirs
/// before they look, so at least one of two sees the other. Who sees one in service, or an earlier
/// one that is as undecided as we are, gives way; who sees a later one waits for it to give way.
result<void, endpoint_failure> receiver_core::check_name_is_free(participant_core& participant,
                                                                 entry_info const& mine,
                                                                 std::string_view doing) {
    // Undecided: its holder died and the kernel has still to take it apart, or it makes up its mind
    // about us.
    decision_wait others(participant);
    for (;;) {
        others.look();
        bool undecided = false;
        for (entry_info const& e : participant.entries(entry_kind::inbox, mine.name)) {
            if (e.incarnation == mine.incarnation || e.state == health::closed ||
                participant.proven_dead(e.owner_ticket)) {
                continue;
            }
            auto const life = participant.life_of(e.owner_ticket);
            bool const dying =
                life.word != nullptr && os::robust_owner_died(os::robust_value(life.word));
            bool const later = e.state == health::starting && e.incarnation > mine.incarnation;
            if ((!dying && !later) || others.is_over()) {
                return fail(endpoint_errc::name_taken, std::string(doing) + ": participant " +
                                                           std::to_string(e.owner_ticket) +
                                                           " does, and lives");
            }
            undecided = true;
        }
        if (!undecided) {
            return {};
        }
        others.park();
    }
}

std::uint32_t receiver_core::senders_max() const noexcept { return segment_->constants.lane_count; }

result<void, failure<registry_errc>> receiver_core::set_metadata(metadata const& meta) {
    return participant_->set_metadata(entry_, meta);
}

bool receiver_core::refresh() noexcept {
    bool changed = false;
    look_anyway_ = false;
    // acquire, before looking: who comes after the look changes it again.
    arrivals_seen_ = std_atomics::load(*arrivals_, std::memory_order_acquire);
    try {
        for (std::uint32_t i = 0; i < lanes_.size(); ++i) {
            changed = look_at_lane(i) || changed;
        }
    } catch (...) {
        look_anyway_ = true; // out of memory: the next look tries again
    }
    free_after_deaths();
    return changed;
}

bool receiver_core::look_at_lane(std::uint32_t index) {
    lane_state& own = lanes_[index];
    lane_header& h = segment_->lanes()[index];
    if (own.from != nullptr) {
        source& s = *own.from;
        if (s.ending) {
            return false;
        }
        // acquire: pairs with the release in writing_end::say_closed(): every message comes first.
        bool const closed = std_atomics::load(h.control.closed, std::memory_order_acquire) != 0;
        std::uint32_t const life = s.life.word != nullptr ? os::robust_value(s.life.word) : 0;
        if (closed || os::robust_owner_died(life) ||
            (!os::robust_is_held(life) && participant_->proven_dead(s.ticket))) {
            mark_ended(s);
        }
        return s.ending;
    }
    if (own.held || own.waits_for_proof) {
        return false;
    }
    owner const seen = owner_word<>::load(h.owner);
    if (seen.phase() == slot_phase::ready && seen.ticket() != 0) {
        attach(index, seen);
        (void)look_at_lane(index); // it may have closed already, and will not say so again
        return true;
    }
    if (seen.phase() == slot_phase::filling && participant_->proven_dead(seen.ticket())) {
        // It may have opened the lane, and sent, between our look and its death: look again.
        look_anyway_ =
            !free_lane(index, seen, own.start + segment_->constants.cell_count) || look_anyway_;
    }
    return false;
}

void receiver_core::attach(std::uint32_t index, owner seen) {
    lane_state& own = lanes_[index];
    lane_header& h = segment_->lanes()[index];
    constexpr auto relaxed = std::memory_order_relaxed; // published with `ready`
    bool const drops =
        std_atomics::load(h.overflow, relaxed) == static_cast<std::uint32_t>(overflow::drop_oldest);
    ring_geometry g = segment_->geometry(index);
    g.start_position = own.start;
    if (drops && !grow_holds(g.payload_bytes_max)) {
        throw std::bad_alloc();
    }
    auto s = std::make_unique<source>();
    s->ticket = seen.ticket();
    s->number = index;
    std::uint64_t const said = std_atomics::load(h.incarnation, relaxed);
    s->incarnation = said >> 24 == seen.ticket() ? said : incarnation_of(seen.ticket(), 0);
    s->lossless = !drops;
    s->fences =
        std_atomics::load(h.fences, relaxed) == static_cast<std::uint32_t>(fence_pair::sleeper)
            ? fence_pair::sleeper
            : fence_pair::publisher;
    s->control = &h.control;
    s->reader = ring_reader<>(g, own.start);
    s->in_place_from = own.start;
    s->counted_from = own.start;
    s->flush_every = g.cell_count / 4;
    s->seat = reader_seat<>(h.slot, h.control, owner_word<>::load(h.slot.owner),
                            static_cast<fence_pair>(segment_->constants.fences));
    s->seat.adopt(own.start);
    if (g.pool) {
        s->pins_free =
            static_cast<std::uint8_t>((1U << segment_->constants.pool.pins_per_slot) - 1);
    }
    s->life = participant_->life_of(s->ticket);
    if (hints_ != nullptr) {
        // Its hint may have been passed over while nobody read the lane: as if it had just changed.
        std::uint16_t const now = std_atomics::load(hints_[index], std::memory_order_relaxed);
        hints_seen_[index] = static_cast<std::uint16_t>(~now);
    }
    lane_opened(*s); // the last thing that may fail
    own.seen = seen;
    own.from = s.get();
    sources_.push_back(std::move(s)); // there is room: reserved
    words_stale_ = true;
    sources_seen_ += 1;
}

void receiver_core::follow() noexcept {
    calm_looks_ = looks_between_sweeps;
    watched_.resize(sources_.size());
    std::fill(index_of_lane_.begin(), index_of_lane_.end(), 0U);
    for (std::size_t i = 0; i < sources_.size(); ++i) {
        watch(i);
        index_of_lane_[sources_[i]->number] = static_cast<std::uint32_t>(i + 1);
    }
    if (next_ >= sources_.size()) {
        next_ = 0;
    }
}

/// Which of four hints are not as they were seen.
std::uint64_t receiver_core::hints_changed(std::uint32_t word) const noexcept {
    std::uint64_t seen = 0;
    std::memcpy(&seen, hints_seen_.data() + word * hints_per_word, sizeof seen);
    // Four single hints, whose order among each other does not matter.
    // acquire: pairs with the release in writing_end::announce_specially().
    return seen ^ std_atomics::load(reinterpret_cast<std::uint64_t const*>(hints_)[word],
                                    std::memory_order_acquire);
}

/// The next lane whose hint has changed and that has a message; none: all of them.
std::size_t receiver_core::find_hinted() noexcept {
    auto const words = static_cast<std::uint32_t>(hints_seen_.size() / hints_per_word);
    std::uint32_t const first = hint_lane_ / hints_per_word;
    std::uint64_t const below = (std::uint64_t{1} << (hint_lane_ % hints_per_word * 16)) - 1;
    for (std::uint32_t k = 0; k <= words; ++k) {
        std::uint32_t const w = first + k < words ? first + k : first + k - words;
        if (w % words_per_line == 0 && k != 0 && k + words_per_line <= words) {
            std::uint64_t any = 0;
            for (std::uint32_t i = 0; i < words_per_line; ++i) {
                any |= hints_changed(w + i);
            }
            if (any == 0) {
                k += words_per_line - 1;
                continue;
            }
        }
        std::uint64_t changed = hints_changed(w);
        changed &= k == 0 ? ~below : k == words ? below : ~std::uint64_t{0};
        while (changed != 0) {
            auto const one = static_cast<std::uint32_t>(std::countr_zero(changed)) / 16;
            changed &= ~(std::uint64_t{0xffff} << (16 * one));
            std::uint32_t const at = w * hints_per_word + one;
            // acquire: as above. Before the look: what comes after that changes it again.
            std::uint16_t const now = std_atomics::load(hints_[at], std::memory_order_acquire);
            std::uint32_t const i = at < index_of_lane_.size() ? index_of_lane_[at] : 0;
            if (i != 0 && is_there(i - 1)) {
                hint_lane_ = (at + 1) % static_cast<std::uint32_t>(hints_seen_.size());
                return i - 1;
            }
            hints_seen_[at] = now; // looked after
        }
    }
    return ~std::size_t{0};
}

/// Ends are looked for by refresh(): when a sender says that it closed, and at every slice.
void receiver_core::notice_ends(std::uint32_t polls) noexcept {
    look_anyway_ = look_anyway_ || polls > 1 || calm_looks_ == 0;
}

void receiver_core::source_ended(source& s) noexcept {
    lane_state& own = lanes_[s.number];
    own.from = nullptr;
    own.start = s.reader.position() + segment_->constants.cell_count;
    own.held = true; // until give_back()
    own.received = s.received;
    own.missed = s.missed;
    publish_counters(s);
}

/// Nobody holds a message of the lane any more. Who closed in good order will not write again; for
/// whoever died that has to be proven.
void receiver_core::give_back(source& s) noexcept {
    if (closing_) {
        return; // the segment goes as a whole
    }
    lane_state& own = lanes_[s.number];
    own.held = false;
    if (s.dead || s.corrupt) {
        waiting_for_proof_ += 1;
        own.waits_for_proof = true;
        look_anyway_ = true;
    } else {
        free_lane(static_cast<std::uint32_t>(s.number), own.seen, own.start);
    }
}

void receiver_core::free_after_deaths() noexcept {
    for (std::uint32_t i = 0; waiting_for_proof_ != 0 && i < lanes_.size(); ++i) {
        lane_state& own = lanes_[i];
        if (own.waits_for_proof && (participant_->proven_dead(own.seen.ticket()) ||
                                    PARTYWALL_MUTANT(lane_freed_on_notice))) {
            own.waits_for_proof = false;
            waiting_for_proof_ -= 1;
            free_lane(i, own.seen, own.start);
        }
    }
}

/// False: the lane is not what it was when it was `seen`, and begins where it did.
bool receiver_core::free_lane(std::uint32_t index, owner seen, std::uint64_t start) noexcept {
    lane_state& own = lanes_[index];
    inbox_control& control = segment_->control();
    // Until now the lane's own counters said so: who reads the figures adds the two.
    add_to_own(control.received, std::exchange(own.received, 0));
    add_to_own(control.missed, std::exchange(own.missed, 0));
    own.seen = {};
    if (!lane<>::free_and_move(segment_->lanes()[index], seen, participant_->ticket(), own.start,
                               start)) {
        return false;
    }
    add_to_own(control.lanes_freed, 1);
    participant_->bump_epoch(); // senders may wait for a lane
    return true;
}

void receiver_core::let_go() noexcept {
    closing_ = true;
    if (segment_ == nullptr || !*segment_) {
        return;
    }
    for (auto const& s : sources_) {
        flush(*s); // what was taken is not lost
    }
    // release: the cursors come first. Pairs with the sender's look at `closed`, which is followed
    // by an acquire of its cursor.
    std_atomics::store(segment_->control().closed, std::uint32_t{1}, std::memory_order_release);
    wake_senders();
    if (has_entry_) {
        (void)participant_->remove_entry(entry_); // and its file
    } else {
        unlink_segment(participant_->dir(),
                       {segment_kind::lanes, participant_->ticket(), entry_.number});
    }
}

/// Those that wait for room will not get it.
void receiver_core::wake_senders() noexcept {
    for (std::uint32_t i = 0; i < lanes_.size(); ++i) {
        lane_header& h = segment_->lanes()[i];
        if (!owner_word<>::load(h.owner).is_free()) {
            std_atomics::store(h.slot.freed, h.slot.freed + 1, std::memory_order_release);
            os::futex_wake(h.slot.freed, INT_MAX, true);
        }
    }
}

void receiver_core::catch_up() noexcept { free_after_deaths(); }

void receiver_core::add_words(arming& a) noexcept {
    inbox_control& control = segment_->control();
    add_to_own(control.sleeps, 1);
    // A receiver that is sent to pays for no words but its bell's: deaths are looked for once per
    // slice. One that slept through a slice is told.
    bool const told = a.deaths != nullptr ? sources_.size() <= processes_told_max
                                          : slept_through_ && sources_.size() <= lives_slept_on_max;
    slept_on_lives_ = told && a.deaths == nullptr;
    for (auto const& s : sources_) {
        if (told && !a.add_life(s->life.sign(s->ticket))) {
            look_anyway_ = true; // it may have died already: the look after the arming finds it
        }
    }
    if ((!told && !sources_.empty()) || waiting_for_proof_ != 0) {
        a.words.peer_death_matters();
    }
    if (!wakes_) {
        a.words.cannot_rely_on_wakes();
        return;
    }
    if (a.wake != 0 && (a.heard || !bell_.waits() || sign_.number() != wake_number(a.wake))) {
        sign_.raise(a.wake);
        bell_.disarm();
    }
    bool const armed = bell_.prepare();
    if (armed && a.wake == 0) {
        sign_.forget();
    }
    a.words.add_data(bell_.rung_word());
    a.armed = a.armed || armed;
    for (auto const& one : sources_) {
        if (armed && one->fences == fence_pair::sleeper) {
            a.fenced_if(one->control->fencing);
        }
    }
}

void receiver_core::after_sleep() noexcept {
    os::futex_word const rung = bell_.rung_word();
    // relaxed: a slice has ended, or somebody rang; if he rang just now he is found next time.
    slept_through_ =
        !wakes_ || std_atomics::load(*rung.address, std::memory_order_relaxed) == rung.expected;
    look_anyway_ = look_anyway_ || slept_through_;
    if (std::exchange(slept_on_lives_, false)) {
        for (auto const& s : sources_) {
            if (s->life.word != nullptr && os::robust_died_now(s->life.word)) {
                os::futex_wake(*os::robust_futex(s->life.word), INT_MAX, true); // one was woken
                look_anyway_ = true;
            }
        }
    }
}

} // namespace partywall::inline v0::detail
