// SPDX-License-Identifier: BSL-1.0
// Holds, ends, and what happens when nothing is ready. Sleeping is in reading_wait.cpp.
#include <partywall/endpoint/reading_end.hpp>

#include "reading_wait.hpp"

#include <partywall/detail/mutant.hpp>
#include <partywall/os/membarrier.hpp>

#include <algorithm>
#include <chrono>
#include <new>
#include <thread>
#include <utility>

namespace partywall::inline v0::detail {
namespace {

constexpr std::uint64_t closed_bit = std::uint64_t{1} << 63;
/// Under constant load news are looked for once in so many messages.
constexpr std::uint32_t takes_between_looks = 1024;
/// Events that wait for a call that can report them. A program that never makes one loses the
/// oldest.
constexpr std::size_t postponed_max = 64;
constexpr std::size_t buffer_alignment = 128;

static_assert(samples_held_limit < 63);

constexpr std::uint64_t mask_of(std::uint32_t holds) noexcept {
    return (std::uint64_t{1} << holds) - 1;
}

} // namespace

reading_end::reading_end(std::shared_ptr<participant_core> participant)
    : participant_(std::move(participant)), words_(std::make_unique<wait_list>()) {
    postponed_.reserve(postponed_max);
    options_.samples_held_max = 0; // nothing can be out before use()
}
reading_end::~reading_end() = default;

void reading_end::use(reading_options const& options) noexcept {
    options_ = options;
    spin_ = spin_budget(options.waiting, static_cast<std::uint64_t>(options.spin_for.count()));
    free_holds_ = mask_of(options.samples_held_max);
    fences_light_ = participant_->publisher_may_omit_fence();
    takes_until_look_ = takes_between_looks;
}

void reading_end::close() noexcept {
    if (!mark_.is_child()) { // I5
        enter();
        let_go();
        close_descriptor();
        leave_set();
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

/// Another thread uses the subscriber from now on. A sample may still be with the thread before,
/// which may be giving it back this very moment: wait for that, and be sure that whatever it gives
/// back later it gives back as a stranger (I4).
void reading_end::take_over(char const* mark) noexcept {
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

void reading_end::release_elsewhere(std::uint32_t hold) noexcept {
    std::uint64_t const bit = std::uint64_t{1} << hold;
    // Afterwards the core may be gone.
    std::shared_ptr<participant_core> const participant =
        ends_with_descriptors().load(std::memory_order_relaxed) != 0 ? participant_ : nullptr;
    // acq_rel: release our reads of the sample, acquire closed_holds_. Pairs with collect(),
    // close(), and the other threads that give back.
    std::uint64_t const before = foreign_.fetch_or(bit, std::memory_order_acq_rel);
    if ((before & closed_bit) == 0) {
        // The core may be gone from here on: its user may have closed it just now. The word that
        // wakes a user who sleeps belongs to the process.
        kick_sleepers();
        if (participant != nullptr) {
            participant->kick_waiters(); // an event loop has to see to it that it is counted
        }
    } else if ((closed_holds_ & ~(before | bit)) == 0) {
        destroy();
    }
}

void reading_end::collect() noexcept {
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

void reading_end::destroy() noexcept {
    if (!mark_.is_child()) { // I5
        bool left = false;
        for (auto* const list : {&sources_, &detached_}) {
            for (auto const& s : *list) {
                if (s->seat) {
                    give_back(*s);
                    left = true;
                }
            }
        }
        if (left) {
            gave_back();
        }
    }
    delete this;
}

void reading_end::flush(source& s) noexcept {
    if (mark_.is_child() || !s.seat) { // I5
        return;
    }
    std::uint64_t oldest = s.reader.position();
    if (PARTYWALL_MUTANT(cursor_never_published)) {
        return;
    }
    if (s.held != 0 && !PARTYWALL_MUTANT(held_samples_given_back)) { // I1
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

void reading_end::publish_counters(source& s) noexcept {
    if (s.seat && !mark_.is_child()) { // I5
        s.seat.count_received(s.received);
        s.seat.count_missed(s.missed);
    }
}

bool reading_end::grow(hold_slot& h, std::uint64_t bytes_max) noexcept {
    std::uint64_t const bytes = (bytes_max + 7) / 8 * 8;
    h.memory.reset(new (std::nothrow) std::byte[bytes + buffer_alignment]);
    h.capacity = h.memory ? bytes : 0;
    if (!h.memory) {
        no_memory_ = true;
        calm_ = false;
        return false;
    }
    auto const address = reinterpret_cast<std::uintptr_t>(h.memory.get());
    h.buffer = h.memory.get() + (buffer_alignment - address % buffer_alignment) % buffer_alignment;
    return true;
}

/// Buffers of every hold that is not out with a user.
bool reading_end::grow_holds(std::uint64_t bytes_max) noexcept {
    for (std::uint64_t rest = free_holds_; rest != 0; rest &= rest - 1) {
        hold_slot& h = holds_[static_cast<std::size_t>(std::countr_zero(rest))];
        if (h.capacity < bytes_max && !grow(h, bytes_max)) {
            no_memory_ = false; // said by the caller
            return false;
        }
    }
    return true;
}

/// In order of what it costs: pinned, which holds nobody back; where it lies, which holds back the
/// writer; copied, where nothing else protects it.
bool reading_end::take_large(source& s, taken& t) noexcept {
    ring_geometry const& g = s.reader.geometry();
    if (!g.pool) {
        return bad_length(s);
    }
    std::uint64_t const word = s.reader.descriptor(); // once: what follows is a check of this value
    std::uint64_t const code = descriptor::chunk_code(word);
    std::uint64_t const bytes = descriptor::bytes(word);
    if ((code == 0 || code > g.pool.chunk_count || bytes > g.pool.payload_bytes_max ||
         (g.large_bytes != 0 && bytes != g.large_bytes)) &&
        !PARTYWALL_MUTANT(descriptor_not_checked)) {
        return bad_length(s);
    }
    std::byte const* const data = g.pool.chunk(code - 1);
    auto const hold = static_cast<std::uint32_t>(std::countr_zero(free_holds_));
    hold_slot& h = holds_[hold];
    std::uint64_t const position = s.reader.position();
    bool const cursor_holds =
        s.lossless && static_cast<std::int64_t>(position - s.in_place_from) >= 0;
    h.in_place = false;
    h.pin_code = 0;
    if (s.pins_free != 0) {
        auto const pin = static_cast<std::uint32_t>(std::countr_zero(s.pins_free));
        s.seat.pin(pin, code, cursor_holds);
        if (!cursor_holds && !s.reader.still_there(position)) {
            (void)s.seat.unpin(pin, code);
            return false; // overwritten meanwhile: look_around() jumps
        }
        s.pins_free = static_cast<std::uint8_t>(s.pins_free & (s.pins_free - 1));
        s.pin_uses[pin] = 1;
        h.pin = pin;
        h.pin_code = code;
        t.data = data;
    } else if (cursor_holds) {
        h.in_place = true;
        t.data = data;
    } else {
        if (h.capacity < bytes && !grow(h, g.pool.payload_bytes_max)) {
            return false;
        }
        copy_words<>::load(h.buffer, data, bytes);
        if (!s.reader.still_there(position)) {
            return false;
        }
        t.data = h.buffer;
    }
    took(s, hold, position, bytes, t);
    return true;
}

void reading_end::release_pin(hold_slot& h) noexcept {
    source& s = *h.from;
    std::uint64_t const code = std::exchange(h.pin_code, 0);
    s.pin_uses[h.pin] -= 1;
    if (s.pin_uses[h.pin] != 0) {
        return;
    }
    s.pins_free = static_cast<std::uint8_t>(s.pins_free | 1U << h.pin);
    if (mark_.is_child()) { // I5
        return;
    }
    // Only a bad fellow reader can have changed our pin, and so let the writer in.
    if (!s.seat.unpin(h.pin, code)) {
        s.corrupt = true;
    }
    calm_ = false;
    if (s.lossless && s.unflushed() >= s.flush_every) {
        flush(s);
    }
}

void reading_end::count_memory(mapping const& map) noexcept {
    bool const first = memory_.bytes == 0;
    memory_.bytes += map.size();
    if (options_.memory.prefault) {
        memory_.prefaulted = map.prefault(map.size()) && (first || memory_.prefaulted);
    }
    if (options_.memory.lock) {
        memory_.locked = map.lock() && (first || memory_.locked);
    }
}

bool reading_end::bad_length(source& s) noexcept {
    s.corrupt = s.reader.still_there(s.reader.position()); // otherwise: overwritten meanwhile
    return false;
}

void reading_end::refresh_soon() noexcept {
    takes_until_look_ = takes_between_looks;
    look_due_ = true;
    if (has_news()) {
        refresh();
    }
    for (auto const& s : sources_) {
        publish_counters(*s);
    }
}

/// Overtaken: goes to the oldest message that is still there, or, when the writer is so fast that
/// it overtakes us again and again, to the middle of the ring.
void reading_end::jump(source& s) noexcept {
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
    if (counts_missed_ && static_cast<std::int64_t>(to - counted) > 0) {
        std::uint64_t const count_of = PARTYWALL_MUTANT(loss_off_by_one) ? 1 : 0;
        s.missed += to - counted - count_of;
        s.missed_now += to - counted - count_of;
    }
}

/// Deals with a source that gave nothing.
reading_end::settled reading_end::settle(source& s, taken& event) noexcept {
    bool const ending = s.ending; // before the look: I3
    if (PARTYWALL_MUTANT(last_messages_lost) && ending) {
        return finish(s, event);
    }
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

bool reading_end::look_around(taken& event, bool may_look_again) noexcept {
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
    for (auto const& s : sources_) {
        again = again || s->ending;
    }
    if (has_news()) {
        for (auto const& s : sources_) {
            publish_counters(*s);
        }
        again = refresh() || again;
    }
    if (again && may_look_again) {
        return true;
    }
    if (report(event)) {
        return false;
    }
    if (!postponed_.empty()) {
        event = postponed_.front();
        postponed_.erase(postponed_.begin());
    } else {
        event = error(receive_errc::empty);
    }
    return false;
}

bool reading_end::let_gather(source& s) noexcept {
    std::uint64_t const run = s.received - std::exchange(s.received_at_gap, s.received);
    if (run < look_pacer::burst || options_.waiting == waiting::park) {
        return false;
    }
    std::uint64_t const now = os::monotonic_ns();
    std::uint64_t const pause = pacer_.pause_ns(run, now);
    if (pause == 0) {
        return false;
    }
    while (os::monotonic_ns() - now < pause) {
        spin_pause();
    }
    return true;
}

bool reading_end::look_for_ends(taken& event) noexcept {
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

void reading_end::postpone(taken const& event) noexcept {
    calm_ = false;
    switch (event.error) {
    case receive_errc::peer_died:
    case receive_errc::publisher_closed:
    case receive_errc::refused:
    case receive_errc::corrupt:
        if (postponed_.size() == postponed_max) {
            postponed_.erase(postponed_.begin());
        }
        postponed_.push_back(event); // there is room: reserved
        if (descriptor_ != nullptr) {
            descriptor_->disturb(); // there is something to be reported
        }
        break;
    default: break; // the next call says it again
    }
}

reading_end::settled reading_end::finish(source& s, taken& event) noexcept {
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
    detached_.push_back(std::move(*at));
    sources_.erase(at);
    next_ = 0;
    source_ended(s); // detached_ keeps it, whether or not it is held
    sweep_detached();
    return event.error == receive_errc::empty ? settled::gone : settled::event;
}

void reading_end::sweep_detached() noexcept {
    std::erase_if(detached_, [&](std::unique_ptr<source> const& s) {
        if (s->held != 0) {
            return false;
        }
        received_before_ += s->received;
        missed_before_ += s->missed;
        if (s->seat && !mark_.is_child()) { // I5
            give_back(*s);
        }
        return true;
    });
}

std::uint64_t reading_end::received() const noexcept {
    std::uint64_t sum = received_before_;
    for (auto const* const list : {&sources_, &detached_}) {
        for (auto const& s : *list) {
            sum += s->received;
        }
    }
    return sum;
}

std::uint64_t reading_end::missed() const noexcept {
    std::uint64_t sum = missed_before_;
    for (auto const* const list : {&sources_, &detached_}) {
        for (auto const& s : *list) {
            sum += s->missed;
        }
    }
    return sum;
}

} // namespace partywall::inline v0::detail
