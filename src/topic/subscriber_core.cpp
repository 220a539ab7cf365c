// SPDX-License-Identifier: BSL-1.0
// Life of a subscriber, holds, and what happens when nothing is ready. Sleeping is in
// subscriber_wait.cpp, attaching in subscriber_attach.cpp.
#include <partywall/topic/subscriber_core.hpp>

#include "subscriber_attach.hpp"
#include "subscriber_wait.hpp"

#include <partywall/name.hpp>
#include <partywall/os/membarrier.hpp>
#include <partywall/os/robust_word.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>
#include <thread>
#include <utility>

namespace partywall::inline v0::detail {
namespace {

constexpr std::uint64_t closed_bit = std::uint64_t{1} << 63;
/// Under constant load the registry is looked at once in so many messages.
constexpr std::uint32_t takes_between_looks = 1024;
/// Without notice (no life word to look at) a poller asks for proof once in so many polls.
constexpr std::uint32_t polls_between_proofs = 1 << 16;
/// Events that wait for a call that can report them. A program that never makes one loses the
/// oldest.
constexpr std::size_t postponed_max = 64;
constexpr std::size_t buffer_alignment = 128;

static_assert(samples_held_limit < 63);

constexpr std::uint64_t mask_of(std::uint32_t holds) noexcept {
    return (std::uint64_t{1} << holds) - 1;
}

std::string check_options(subscriber_options const& o, payload_shape const& shape, bool latest) {
    if (o.delivery != delivery::lossy && o.delivery != delivery::lossless &&
        o.delivery != delivery::looking) {
        return "unknown delivery";
    }
    if (o.samples_held_max == 0 || o.samples_held_max > samples_held_limit) {
        return "samples_held_max " + std::to_string(o.samples_held_max) + " is not in 1.." +
               std::to_string(samples_held_limit);
    }
    if (o.any_type && o.delivery == delivery::lossless) {
        return "any_type and lossless contradict each other: a monitor holds nobody back";
    }
    if (o.any_type && !(shape.variable_length && shape.element_bytes == 1)) {
        return "any_type needs a subscriber of bytes: another type says how long messages are";
    }
    if (latest && o.delivery == delivery::lossless) {
        return "latest reads the newest value only and cannot be lossless";
    }
    if (o.spin_for.count() < 0) {
        return "spin_for is negative";
    }
    return {};
}

} // namespace

subscriber_core::subscriber_core(std::shared_ptr<participant_core> participant)
    : participant_(std::move(participant)), polls_until_proof_(polls_between_proofs),
      words_(std::make_unique<wait_list>()) {
    postponed_.reserve(postponed_max);
}
subscriber_core::~subscriber_core() = default;

subscriber_core::handle subscriber_core::create(std::shared_ptr<participant_core> participant,
                                                std::string_view topic, type_facts const& type,
                                                payload_shape const& shape,
                                                subscriber_options const& options, bool latest,
                                                endpoint_failure& why) noexcept {
    return made_or_why<handle>(why, [&] {
        return make(std::move(participant), topic, type_of(type), shape, options, latest);
    });
}

result<subscriber_core::handle, endpoint_failure>
subscriber_core::make(std::shared_ptr<participant_core> participant, std::string_view topic,
                      type_info const& type, payload_shape const& shape,
                      subscriber_options const& options, bool latest) {
    std::string const doing = "cannot subscribe to topic '" + std::string(topic) + "'";
    if (participant->forked()) {
        return fail(endpoint_errc::forked, doing + ": this is a forked child");
    }
    if (auto const ok = check_name(topic); !ok) {
        return fail(endpoint_errc::bad_name, explain(ok.error(), name_kind::endpoint, topic));
    }
    if (std::string const bad = check_options(options, shape, latest); !bad.empty()) {
        return fail(endpoint_errc::bad_option, doing + ": " + bad);
    }
    if (participant->domain_gone()) { // nobody will come where nobody looks
        return fail(endpoint_errc::domain_gone,
                    doing + ": domain '" + participant->domain() + "' was removed");
    }
    if (lingering_publishers().exchange(0, std::memory_order_relaxed) != 0) {
        participant->recover();
    }
    handle core(new subscriber_core(std::move(participant)));
    // First what closing relies on: from here on anything may fail.
    core->options_ = options;
    core->free_holds_ = mask_of(options.samples_held_max);
    core->fences_light_ = core->participant_->publisher_may_omit_fence();
    core->topic_ = topic;
    core->type_ = type;
    core->shape_ = shape;
    core->latest_ = latest;
    core->takes_until_look_ = takes_between_looks;
    if (latest) {
        core->options_.history = 1;
    }
    bool const lossless = options.delivery == delivery::lossless;
    if (lossless) {
        entry_spec spec;
        spec.kind = entry_kind::topic_subscription;
        spec.name = topic;
        spec.type = type;
        spec.flags = subscription_lossless;
        spec.initial = health::ready;
        auto entry = core->participant_->add_entry(spec);
        if (!entry) {
            return from_registry(entry.error(), doing);
        }
        core->entry_ = std::move(*entry);
        core->has_entry_ = true;
    }
    if (auto ok = check_topic(*core->participant_, lossless ? &core->entry_ : nullptr, topic, type,
                              options.any_type, lossless);
        !ok) {
        return ok.error();
    }
    if (auto ok = subscriber_attach::refresh(*core, true); !ok) {
        return ok.error();
    }
    return core;
}

void subscriber_core::close() noexcept {
    if (!mark_.is_child()) { // I5
        enter();
        let_go();
    }
    user_.store(nullptr, std::memory_order_relaxed);
    closed_holds_ = mask_of(options_.samples_held_max) & ~free_holds_;
    // acq_rel: release closed_holds_ to the thread that gives the last sample back; acquire the
    // reads of samples that were given back before. Pairs with release_elsewhere().
    std::uint64_t const back = foreign_.fetch_or(closed_bit, std::memory_order_acq_rel);
    if ((closed_holds_ & ~back) == 0) {
        destroy();
    }
}

/// Leaves whatever no held sample needs, and the registry: a sample that outlives its subscriber
/// holds back the publisher that it is of, and nobody else.
void subscriber_core::let_go() noexcept {
    bool left = false;
    for (auto* const list : {&sources_, &detached_}) {
        for (auto const& s : *list) {
            if (s->seat && s->held == 0) {
                s->seat.leave();
                left = true;
            } else if (s->lossless) {
                flush(*s);
            }
        }
    }
    if (has_entry_) {
        (void)participant_->remove_entry(entry_);
    } else if (left) {
        participant_->bump_epoch(); // others may wait for the room
    }
    // What was kept for us alone goes with us, as far as its owner's death is proven by now: read
    // or not, and whether we ever came to looking at it.
    if (has_entry_ && somebody_left()) {
        participant_->recover();
    } else if (!recover_due_.empty()) {
        recover_after_deaths();
    }
}

/// Whether the topic has a publisher whose process has ended.
bool subscriber_core::somebody_left() const noexcept {
    try {
        auto const all = participant_->entries(entry_kind::topic_publisher, topic_);
        return std::any_of(all.begin(), all.end(), [&](entry_info const& e) {
            return participant_->proven_dead(e.owner_ticket);
        });
    } catch (...) {
        return true; // out of memory: recovery looks by itself
    }
}

/// Another thread uses the subscriber from now on. A sample may still be with the thread before,
/// which may be giving it back this very moment: wait for that, and be sure that whatever it gives
/// back later it gives back as a stranger (I4).
void subscriber_core::take_over(char const* mark) noexcept {
    if (!fences_light_) {
        return; // user_ stays nobody: every release is a stranger's
    }
    // relaxed: ordered by the fence pair.
    user_.store(mark, std::memory_order_relaxed);
    if (!os::heavy_fence()) { // pairs with the compiler fence in release()
        // A sandbox that came up after we registered. A store leaves its processor within
        // microseconds; nothing better is to be had.
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    for (hold_slot const& h : holds_) {
        // acquire: pairs with the release after release_here().
        while (h.releasing.load(std::memory_order_acquire) != 0) {
            std::this_thread::yield(); // some ten instructions of a thread of this process
        }
    }
}

void subscriber_core::release_elsewhere(std::uint32_t hold) noexcept {
    std::uint64_t const bit = std::uint64_t{1} << hold;
    // acq_rel: release our reads of the sample, acquire closed_holds_. Pairs with collect(),
    // close(), and the other threads that give back.
    std::uint64_t const before = foreign_.fetch_or(bit, std::memory_order_acq_rel);
    if ((before & closed_bit) == 0) {
        // The core may be gone from here on: its user may have closed it just now. The word that
        // wakes a user who sleeps belongs to the process.
        kick_sleepers();
    } else if ((closed_holds_ & ~(before | bit)) == 0) {
        destroy();
    }
}

void subscriber_core::collect() noexcept {
    // acquire: pairs with the release in release_elsewhere().
    std::uint64_t back = foreign_.exchange(0, std::memory_order_acquire);
    while (back != 0) {
        auto const hold = static_cast<std::uint32_t>(std::countr_zero(back));
        back &= back - 1;
        release_here(hold);
    }
    for (auto const& s : sources_) {
        if (s->lossless) {
            flush(*s);
        }
    }
}

void subscriber_core::destroy() noexcept {
    if (!mark_.is_child()) { // I5
        bool left = false;
        for (auto* const list : {&sources_, &detached_}) {
            for (auto const& s : *list) {
                if (s->seat) {
                    s->seat.leave();
                    left = true;
                }
            }
        }
        if (left) {
            participant_->bump_epoch(); // others may wait for the room
        }
    }
    delete this;
}

void subscriber_core::flush(source& s) noexcept {
    if (mark_.is_child() || !s.seat) { // I5
        return;
    }
    std::uint64_t oldest = s.reader.position();
    if (s.held != 0) { // I1
        std::uint64_t out = mask_of(options_.samples_held_max) & ~free_holds_;
        while (out != 0) {
            hold_slot const& h = holds_[static_cast<std::size_t>(std::countr_zero(out))];
            out &= out - 1;
            if (h.from == &s && h.in_place && static_cast<std::int64_t>(oldest - h.position) > 0) {
                oldest = h.position;
            }
        }
    }
    if (static_cast<std::int64_t>(oldest - s.seat.published()) > 0) {
        s.seat.publish_cursor(oldest);
        publish_counters(s);
    }
}

void subscriber_core::publish_counters(source& s) noexcept {
    if (s.seat && !mark_.is_child()) { // I5
        s.seat.count_received(s.received);
        s.seat.count_missed(s.missed);
    }
}

bool subscriber_core::grow(hold_slot& h, std::uint64_t bytes_max) noexcept {
    std::uint64_t const bytes = (bytes_max + 7) / 8 * 8;
    h.memory.reset(new (std::nothrow) std::byte[bytes + buffer_alignment]);
    h.capacity = h.memory ? bytes : 0;
    if (!h.memory) {
        no_memory_ = true;
        return false;
    }
    auto const address = reinterpret_cast<std::uintptr_t>(h.memory.get());
    h.buffer = h.memory.get() + (buffer_alignment - address % buffer_alignment) % buffer_alignment;
    return true;
}

/// Buffers of every hold that is not out with a user.
bool subscriber_core::grow_holds(std::uint64_t bytes_max) noexcept {
    for (std::uint64_t rest = free_holds_; rest != 0; rest &= rest - 1) {
        hold_slot& h = holds_[static_cast<std::size_t>(std::countr_zero(rest))];
        if (h.capacity < bytes_max && !grow(h, bytes_max)) {
            no_memory_ = false; // said by the caller
            return false;
        }
    }
    return true;
}

bool subscriber_core::bad_length(source& s) noexcept {
    s.corrupt = s.reader.still_there(s.reader.position()); // otherwise: overwritten meanwhile
    return false;
}

/// A publisher that was refused for a reason that may pass is tried again now and then.
void subscriber_core::retry_refused() noexcept {
    constexpr std::uint64_t interval_ns = 100'000'000;
    if (retry_refused_ && os::monotonic_ns() - retried_ns_ >= interval_ns) {
        retried_ns_ = os::monotonic_ns();
        epoch_seen_ -= 1; // the next look at the epoch looks at the registry
    }
}

void subscriber_core::refresh_soon() noexcept {
    takes_until_look_ = takes_between_looks;
    look_due_ = true;
    retry_refused();
    // acquire: pairs with the release in bump_epoch().
    if (std_atomics::load(participant_->epoch_word(), std::memory_order_acquire) != epoch_seen_) {
        refresh();
    }
    for (auto const& s : sources_) {
        publish_counters(*s);
    }
}

bool subscriber_core::refresh() noexcept {
    try {
        auto const changed = subscriber_attach::refresh(*this, false);
        return changed && *changed;
    } catch (...) {
        epoch_seen_ -= 1; // out of memory: the next look tries again
        return false;
    }
}

/// Overtaken: goes to the oldest message that is still there, or, when the writer is so fast that
/// it overtakes us again and again, to the middle of the ring.
void subscriber_core::jump(source& s) noexcept {
    constexpr std::uint8_t patience = 3;
    std::uint64_t const from = s.reader.position();
    std::uint64_t const count = s.reader.geometry().cell_count;
    std::uint64_t to = s.reader.find_end(from) - count;
    if (s.jumps >= patience) {
        to += count / 2;
    } else {
        s.jumps += 1;
    }
    if (s.lossless && static_cast<std::int64_t>(to - s.in_place_from) > 0) {
        to = s.in_place_from; // only history can be overtaken; the rest is protected
        if (static_cast<std::int64_t>(to - from) <= 0) {
            s.corrupt = true;
            return;
        }
    }
    if (static_cast<std::int64_t>(to - from) <= 0) {
        // The message is gone, whatever the stamps of its neighbours say. If they say so again and
        // again, no writer of ours wrote them: on to the next position of cell 0, which find_end()
        // believed, and which is therefore no lap ahead. That ends it, whatever it holds.
        to = s.jumps >= patience ? (from | (count - 1)) + 1 : from + 1;
    }
    s.reader.set_position(to);
    std::uint64_t const counted =
        static_cast<std::int64_t>(from - s.counted_from) > 0 ? from : s.counted_from;
    if (!latest_ && static_cast<std::int64_t>(to - counted) > 0) {
        s.missed += to - counted;
        s.missed_now += to - counted;
    }
}

/// Deals with a source that gave nothing.
subscriber_core::settled subscriber_core::settle(source& s, taken& event) noexcept {
    bool const ending = s.ending; // before the look: I3
    switch (s.corrupt ? cell_state::corrupt : s.reader.look()) {
    case cell_state::ready: break;
    case cell_state::lapped: jump(s); break;
    case cell_state::corrupt:
        s.corrupt = true;
        if (s.seat) {
            s.seat.count_corrupt();
        }
        return finish(s, event);
    case cell_state::not_yet:
        if (ending) {
            return finish(s, event);
        }
        break;
    }
    return settled::stays;
}

bool subscriber_core::look_around(taken& event, bool may_look_again) noexcept {
    if (no_memory_) {
        no_memory_ = false;
        event = error(receive_errc::no_memory);
        return false;
    }
    bool again = false;
    for (std::size_t i = 0; i < sources_.size();) {
        source& s = *sources_[i];
        std::uint64_t const before = s.reader.position();
        settled const outcome = settle(s, event);
        if (outcome == settled::event) {
            return false;
        }
        if (outcome == settled::gone) {
            again = true; // its place is another's now
            continue;
        }
        again = again || s.reader.position() != before || s.corrupt ||
                s.reader.look() == cell_state::ready;
        i += 1;
    }
    if (again && may_look_again) {
        return true;
    }
    for (auto const& s : sources_) {
        if (s->lossless && s->unflushed() != 0) {
            flush(*s);
        }
    }
    notice_ends(1);
    retry_refused();
    for (auto const& s : sources_) {
        again = again || s->ending;
    }
    // acquire: pairs with the release in bump_epoch().
    if (std_atomics::load(participant_->epoch_word(), std::memory_order_acquire) != epoch_seen_) {
        for (auto const& s : sources_) {
            publish_counters(*s);
        }
        again = refresh() || again;
    }
    if (again && may_look_again) {
        return true;
    }
    if (refused_) {
        refused_ = false;
        event = error(receive_errc::refused);
    } else if (!postponed_.empty()) {
        event = postponed_.front();
        postponed_.erase(postponed_.begin());
    } else {
        event = error(receive_errc::empty);
    }
    return false;
}

bool subscriber_core::look_for_ends(taken& event) noexcept {
    notice_ends(takes_between_looks);
    for (std::size_t i = 0; i < sources_.size();) {
        settled const outcome = settle(*sources_[i], event);
        if (outcome == settled::event) {
            return true; // and look again at the next call
        }
        i += outcome == settled::stays ? 1 : 0;
    }
    look_due_ = false;
    return false;
}

void subscriber_core::postpone(taken const& event) noexcept {
    switch (event.error) {
    case receive_errc::peer_died:
    case receive_errc::publisher_closed:
    case receive_errc::refused:
    case receive_errc::corrupt:
        if (postponed_.size() == postponed_max) {
            postponed_.erase(postponed_.begin());
        }
        postponed_.push_back(event); // there is room: reserved
        break;
    default: break; // the next call says it again
    }
}

/// Cheap signs that a publisher has ended: its own word, and the kernel's mark on its life word.
void subscriber_core::notice_ends(std::uint32_t polls) noexcept {
    bool const ask_for_proof = polls_until_proof_ <= polls;
    polls_until_proof_ = ask_for_proof ? polls_between_proofs : polls_until_proof_ - polls;
    for (auto const& p : sources_) {
        source& s = *p;
        if (s.ending) {
            continue;
        }
        // acquire: pairs with the release in publisher_core::close(): every message comes first.
        if (std_atomics::load(s.control->closed, std::memory_order_acquire) != 0) {
            s.ending = true;
            continue;
        }
        std::uint32_t const life = s.life.word != nullptr ? os::robust_value(s.life.word) : 0;
        if (os::robust_owner_died(life) ||
            (ask_for_proof && !os::robust_is_held(life) && participant_->proven_dead(s.ticket))) {
            mark_ended(s);
        }
    }
    if (ask_for_proof && !recover_due_.empty()) {
        recover_after_deaths();
    }
}

/// Notice was enough to report a death; what the dead left is removed only with proof.
void subscriber_core::recover_after_deaths() noexcept {
    bool proven = false;
    std::erase_if(recover_due_, [&](std::uint64_t ticket) {
        bool const dead = participant_->proven_dead(ticket);
        proven = proven || dead;
        return dead;
    });
    if (proven) {
        participant_->recover();
    }
}

subscriber_core::settled subscriber_core::finish(source& s, taken& event) noexcept {
    auto const at = std::find_if(sources_.begin(), sources_.end(),
                                 [&](auto const& p) { return p.get() == &s; });
    s.detached = true;
    words_stale_ = true;
    event = error(s.corrupt               ? receive_errc::corrupt
                  : s.dead                ? receive_errc::peer_died
                  : options_.report_close ? receive_errc::publisher_closed
                                          : receive_errc::empty);
    event.publisher = s.incarnation;
    event.missed = s.missed_now;
    finished_.push_back(s.incarnation);
    subscriber_attach::free_surplus(*this, s);
    // A publisher that closed and left before we came stayed for us alone.
    if (s.dead || (s.lossless && participant_->proven_dead(s.ticket))) {
        recover_due_.push_back(s.ticket);
    }
    if (retry_refused_) {
        epoch_seen_ -= 1; // there may be room for another one now
    }
    detached_.push_back(std::move(*at));
    sources_.erase(at);
    next_ = 0;
    sweep_detached();
    return event.error == receive_errc::empty ? settled::gone : settled::event;
}

void subscriber_core::sweep_detached() noexcept {
    std::erase_if(detached_, [&](std::unique_ptr<source> const& s) {
        if (s->held != 0) {
            return false;
        }
        received_before_ += s->received;
        missed_before_ += s->missed;
        if (s->seat && !mark_.is_child()) { // I5
            s->seat.leave();
        }
        return true;
    });
}

std::uint64_t subscriber_core::received() const noexcept {
    std::uint64_t sum = received_before_;
    for (auto const* const list : {&sources_, &detached_}) {
        for (auto const& s : *list) {
            sum += s->received;
        }
    }
    return sum;
}

std::uint64_t subscriber_core::missed() const noexcept {
    std::uint64_t sum = missed_before_;
    for (auto const* const list : {&sources_, &detached_}) {
        for (auto const& s : *list) {
            sum += s->missed;
        }
    }
    return sum;
}

bool subscriber_core::go_to_newest(source& s) noexcept {
    cell_state const state = s.reader.look();
    if (state != cell_state::ready && state != cell_state::lapped) {
        return false;
    }
    std::uint64_t const from = s.reader.position();
    std::uint64_t const newest = s.reader.find_end(from + 1) - 1;
    if (static_cast<std::int64_t>(newest - from) > 0) {
        s.reader.set_position(newest);
    }
    return s.reader.look() == cell_state::ready;
}

void subscriber_core::remember(taken const& t) noexcept {
    hold_slot& h = holds_.back();
    std::uint64_t const bytes_max = holds_[t.hold].from->reader.geometry().payload_bytes_max;
    if (h.capacity < t.bytes && !grow(h, bytes_max)) {
        no_memory_ = false; // this value was delivered; only a repetition is not to be had
        last_.error = receive_errc::empty;
        return;
    }
    std::memcpy(h.buffer, t.data, t.bytes);
    last_ = t;
    last_.missed = 0;
}

taken subscriber_core::again() noexcept {
    if (last_.error != receive_errc::none) {
        return error(receive_errc::empty);
    }
    auto const hold = static_cast<std::uint32_t>(std::countr_zero(free_holds_));
    hold_slot& h = holds_[hold];
    hold_slot const& kept = holds_.back();
    if (h.capacity < last_.bytes && !grow(h, kept.capacity)) {
        no_memory_ = false;
        return error(receive_errc::no_memory);
    }
    std::memcpy(h.buffer, kept.buffer, last_.bytes);
    free_holds_ &= free_holds_ - 1;
    h.from = &kept_;
    h.in_place = false;
    kept_.held += 1;
    taken t = last_;
    t.data = h.buffer;
    t.hold = hold;
    return t;
}

} // namespace partywall::inline v0::detail
