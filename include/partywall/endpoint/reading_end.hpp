// SPDX-License-Identifier: BSL-1.0
// What everybody who receives has in common, whatever the message type and the style: several rings
// (*sources*) read in turn, samples that are held in place, waiting, ends that are reported after
// the last message. Where the sources come from, and how they are given back, is the business of
// subscriber_core (one per publisher) and receiver_core (one per sender).
//
// Taking a message is inline here; jumps, ends and sleeping are in src/endpoint.
//
// Invariants
//   I1  A cursor is never published beyond the oldest held sample of its source that is not pinned.
//   I2  Words that `sample` touches after its subscriber was closed are `foreign_` and, once the
//       last sample is gone, everything: the last one out destroys the core.
//   I3  A source is finished (dead, closed, corrupt) only after a look at its next cell that came
//       after the end was known and found nothing there.
//   I4  Plain state is touched by the thread that user_ names, and by a release that began while
//       it named the releasing thread: the next user waits for those (take_over()).
//   I5  In a forked child nothing shared is written, whatever is called or destroyed there.
#pragma once

#include <partywall/endpoint/endpoint_errc.hpp>
#include <partywall/endpoint/endpoint_options.hpp>
#include <partywall/endpoint/payload.hpp>
#include <partywall/export.hpp>
#include <partywall/registry/participant_core.hpp>
#include <partywall/registry/wait_descriptor.hpp>
#include <partywall/ring/reader_seat.hpp>
#include <partywall/ring/ring_reader.hpp>
#include <partywall/wait/bell.hpp>
#include <partywall/wait/look_pacer.hpp>
#include <partywall/wait/spin_budget.hpp>
#include <partywall/wait/waitable.hpp>
#include <partywall/wait/waiting.hpp>
#include <partywall/wait/wake_word.hpp>

#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace partywall::inline v0::detail {

/// Names the calling thread for as long as it lives; costs no call.
inline thread_local constinit char thread_mark = 0;

/// One ring that is read. Process-private.
struct source {
    ring_reader<> reader;
    std::uint64_t in_place_from = 0; ///< lossless: cells from here on are protected by our cursor
    std::uint64_t flush_every = 1;   ///< cells that may be consumed before the cursor is published
    std::uint64_t received = 0;
    std::uint64_t received_at_gap = 0; ///< when a look last found nothing
    std::uint64_t missed = 0;
    std::uint64_t missed_now = 0;   ///< to be reported with the next sample
    std::uint64_t counted_from = 0; ///< what lies before was never promised to us
    std::uint32_t held = 0;         ///< samples that users hold
    std::uint8_t pins_free = 0;     ///< bit per pin of our seat
    std::array<std::uint8_t, pins_per_subscriber_max> pin_uses{}; ///< samples of one message
    std::uint8_t jumps = 0; ///< in a row, without a message in between
    bool lossless = false;
    bool ending = false; ///< closed or dead: finish when nothing is left
    bool dead = false;
    bool corrupt = false;
    bool detached = false; ///< no longer in the list; lives until held == 0
    bool wakes = true;
    fence_pair fences = fence_pair::publisher;
    reader_seat<> seat;
    bell_sleeper<> bell;
    wake_sign<> sign; ///< none where we have no slot
    ring_control const* control = nullptr;
    participant_core::life_view life;
    std::uint64_t ticket = 0;
    std::uint64_t number = 0;
    std::uint64_t incarnation = 0;
    mapping ring_map;
    mapping readers_map;

    std::uint64_t unflushed() const noexcept { return reader.position() - seat.published(); }
};

/// A message that was taken, or why there is none.
struct taken {
    std::byte const* data = nullptr;
    std::uint64_t bytes = 0;
    std::uint64_t position = 0;
    std::uint64_t missed = 0;
    std::uint64_t publisher = 0; ///< incarnation
    std::uint32_t hold = 0;
    receive_errc error = receive_errc::empty;
};

/// What the short way to a message came to.
enum class quick : std::uint8_t {
    took,
    nothing, ///< there is none, and there is nothing else to report
    unknown, ///< the long way must be gone
};

/// How a message gets out of a cell that may be overwritten meanwhile.
template <std::size_t Bytes>
struct copy_fixed_size {
    static bool copy(ring_reader<> const& reader, std::byte* target, std::uint64_t) noexcept {
        return reader.copy_fixed<Bytes>(target);
    }
};
struct copy_any_size {
    static bool copy(ring_reader<> const& reader, std::byte* target, std::uint64_t bytes) noexcept {
        return reader.copy(target, bytes);
    }
};

/// What the options of subscribers and receivers have in common.
struct reading_options {
    std::uint32_t samples_held_max = 2;
    partywall::waiting waiting = partywall::waiting::spin_then_park;
    std::chrono::nanoseconds spin_for{};
    bool report_close = false;
    memory_options memory = {};
};

struct serving;

class PARTYWALL_API reading_end : public waitable {
  public:
    /// A handle's destructor closes; the last sample destroys.
    struct closer {
        void operator()(reading_end* end) const noexcept { end->close(); }
    };
    reading_end(reading_end const&) = delete;
    reading_end& operator=(reading_end const&) = delete;

    /// try_once() until it gives something else than `empty`, or the deadline.
    template <class TryOnce>
    taken wait_for(TryOnce try_once, std::uint64_t wait_ns) noexcept {
        taken t = try_once();
        if (t.error != receive_errc::empty) [[likely]] {
            return t;
        }
        std::uint64_t const start = os::monotonic_ns();
        return wait_on(try_once, start, os::deadline_after(start, wait_ns));
    }
    /// The same after a try that gave `empty`, when it was `start`; both as os::monotonic_ns().
    template <class TryOnce>
    taken wait_on(TryOnce try_once, std::uint64_t start, std::uint64_t until) noexcept {
        taken t = error(receive_errc::empty);
        std::uint64_t const spin_until = until > start ? spin_.spin_until(start, until) : start;
        for (std::uint64_t now = start; now < spin_until; now = os::monotonic_ns()) {
            looked_at_ns_ = now;
            for (int i = 0; i < 16; ++i) {
                t = try_once();
                if (t.error != receive_errc::empty) {
                    spin_.came(now - start);
                    return t;
                }
                spin_pause();
            }
            if (interrupted()) {
                return error(receive_errc::interrupted);
            }
        }
        looked_at_ns_ = 0;
        spin_.in_vain();
        for (;;) {
            if (receive_errc const e = prepare_sleep(until); e != receive_errc::none) {
                if (e == receive_errc::timed_out && descriptor_ != nullptr) {
                    t = try_for_descriptor(try_once);
                }
                return t.error == receive_errc::empty ? error(e) : t;
            }
            t = try_once();
            if (t.error != receive_errc::empty) {
                return t;
            }
            bool const woken = sleep(until);
            // Before the bells are armed again, which takes a heavy fence, and the next message
            // a wake-up.
            t = try_once();
            if (t.error != receive_errc::empty) {
                if (woken) {
                    spin_.slept(os::monotonic_ns() - sleep_began_ns_);
                }
                return t;
            }
        }
    }

    /// try_once(), and where that finds nothing, makes sure that the descriptor, if there is one,
    /// becomes readable when there is something.
    template <class TryOnce>
    [[gnu::always_inline]] taken try_for_descriptor(TryOnce try_once) noexcept {
        taken t = try_once();
        if (t.error == receive_errc::empty && descriptor_ != nullptr) [[unlikely]] {
            for (int round = 0; round < arming_rounds_max && rearm(); ++round) {
                t = try_once();
                if (t.error != receive_errc::empty) {
                    break;
                }
            }
            end_arming(t.error == receive_errc::empty);
        }
        return t;
    }
    /// See fd() of the handles.
    result<int, failure<descriptor_errc>> descriptor() noexcept;
    bool has_descriptor() const noexcept { return descriptor_ != nullptr; }

    /// Keeps an event that a call without room for it ran into: a later call that finds nothing
    /// to take reports it.
    void postpone(taken const& event) noexcept;

    /// Gives a sample back. Any thread; after close() too.
    void release(std::uint32_t hold) noexcept {
        std::atomic<std::uint32_t>& releasing = holds_[hold].releasing;
        // relaxed: ordered before the look at user_ by the fence pair.
        releasing.store(1, std::memory_order_relaxed);
        std_atomics::compiler_fence(); // pairs with the heavy fence in take_over() (I4)
        // relaxed: equal only if this very thread stored it.
        if (user_.load(std::memory_order_relaxed) == &thread_mark) [[likely]] {
            release_here(hold);
            releasing.store(0, std::memory_order_release); // pairs with take_over()
        } else {
            releasing.store(0, std::memory_order_relaxed); // nothing was done under it
            release_elsewhere(hold);
        }
    }

    void close() noexcept;
    void interrupt() noexcept;
    std::uint32_t source_count() const noexcept {
        return static_cast<std::uint32_t>(sources_.size());
    }
    std::uint64_t sources_seen() const noexcept { return sources_seen_; }
    memory_report const& memory() const noexcept { return memory_; }
    std::uint64_t received() const noexcept;
    std::uint64_t missed() const noexcept;

  protected:
    friend struct serving; ///< the loops of those who answer what they read: src/calls
    /// How often one call looks again because something has changed: others could go on changing
    /// things for ever.
    static constexpr std::uint32_t rounds_max = 64;
    static constexpr int arming_rounds_max = 8;
    struct hold_slot {
        source* from = nullptr;
        std::uint64_t position = 0;
        std::unique_ptr<std::byte[]> memory; ///< holds `buffer`, which is aligned
        std::byte* buffer = nullptr;         ///< for copies; `capacity` bytes
        std::uint64_t capacity = 0;
        bool in_place = false;      ///< in the ring or a chunk, held by the cursor
        std::uint64_t pin_code = 0; ///< of the chunk that is held by pin `pin`; 0: none is
        std::uint32_t pin = 0;
        std::atomic<std::uint32_t> releasing{0}; ///< written by the thread that has the sample
    };

    explicit reading_end(std::shared_ptr<participant_core> participant);
    virtual ~reading_end();
    void use(reading_options const& options) noexcept;

    // What differs; all of it off the hot path, none of it called in a forked child.

    /// Whether refresh() would find something: a load or two.
    virtual bool has_news() const noexcept = 0;
    /// Attaches sources that are new, notes those that ended. True: something changed.
    virtual bool refresh() noexcept = 0;
    /// Cheap signs that a source has ended, asked for after so many polls or messages.
    virtual void notice_ends(std::uint32_t polls) noexcept = 0;
    /// `s` has just been reported as ended, and is in the list no more.
    virtual void source_ended(source& s) noexcept = 0;
    /// Nobody holds anything of `s`, which ended or whose reader leaves.
    virtual void give_back(source& s) noexcept = 0;
    /// The handle is closed: leaves whatever no held sample needs.
    virtual void let_go() noexcept = 0;
    /// Somebody may wait for what was just given back.
    virtual void gave_back() noexcept {}
    /// An event of its own to report when there is no message.
    virtual bool report(taken&) noexcept { return false; }
    /// After look_around().
    virtual void follow_sources() noexcept {}
    /// Now is the time for what can wait: the caller waits anyway.
    virtual void catch_up() noexcept = 0;
    /// Arms the bells, and adds the words that end a sleep.
    virtual void add_words(arming& a) noexcept = 0;
    /// Whether what happens in the registry matters.
    virtual bool follows_registry() const noexcept = 0;

    static taken error(receive_errc e) noexcept {
        taken t;
        t.error = e;
        return t;
    }

    /// What every call begins with: this thread is the user now, and what other threads gave back
    /// is counted.
    void enter() noexcept {
        // relaxed: equal only if this very thread stored it.
        if (user_.load(std::memory_order_relaxed) != &thread_mark) [[unlikely]] {
            take_over(&thread_mark);
        }
        // relaxed: a release that is seen late is collected by the next call.
        if (foreign_.load(std::memory_order_relaxed) != 0) [[unlikely]] {
            collect();
        }
    }

    /// What every look for a message begins with. False: `event` says why there is none now.
    [[gnu::always_inline]] bool may_take(taken& event) noexcept {
        if (mark_.is_child()) [[unlikely]] {
            event = error(receive_errc::forked);
            return false;
        }
        enter();
        if (free_holds_ == 0) [[unlikely]] {
            event = error(receive_errc::too_many_samples);
            return false;
        }
        return !look_due_ || !look_for_ends(event);
    }

    /// Whether nothing but a message is to be looked for: then take_now() of the cores may do it. What
    /// may_take() does besides is left to it.
    [[gnu::always_inline]] bool nothing_else_to_do() const noexcept {
        // relaxed, both: as in enter().
        return !mark_.is_child() && user_.load(std::memory_order_relaxed) == &thread_mark &&
               foreign_.load(std::memory_order_relaxed) == 0 && free_holds_ != 0 && !look_due_;
    }

    template <class Copy>
    [[gnu::always_inline]] bool take(source& s, taken& t) noexcept {
        std::uint64_t const bytes = s.reader.length();
        if (bytes > s.reader.geometry().payload_bytes_max) [[unlikely]] {
            return take_large(s, t);
        }
        auto const hold = static_cast<std::uint32_t>(std::countr_zero(free_holds_));
        hold_slot& h = holds_[hold];
        std::uint64_t const position = s.reader.position();
        if (s.lossless && static_cast<std::int64_t>(position - s.in_place_from) >= 0) {
            t.data = s.reader.geometry().payload(position);
            h.in_place = true;
        } else {
            if (h.capacity < bytes && !grow(h, s.reader.geometry().payload_bytes_max))
                [[unlikely]] {
                return false;
            }
            if (!Copy::copy(s.reader, h.buffer, bytes)) [[unlikely]] {
                return false; // overwritten meanwhile: look_around() jumps
            }
            t.data = h.buffer;
            h.in_place = false;
        }
        took(s, hold, position, bytes, t);
        return true;
    }
    /// `t.data` is in holds_[hold]: the message at `position`, where the reader is.
    [[gnu::always_inline]] void took(source& s, std::uint32_t hold, std::uint64_t position,
                                     std::uint64_t bytes, taken& t) noexcept {
        hold_slot& h = holds_[hold];
        free_holds_ &= free_holds_ - 1; // `hold` is the lowest
        h.from = &s;
        h.position = position;
        s.held += 1;
        s.reader.advance();
        s.received += 1;
        s.jumps = 0;
        t.bytes = bytes;
        t.position = position;
        t.missed = s.missed_now;
        t.publisher = s.incarnation;
        t.hold = hold;
        t.error = receive_errc::none;
        s.missed_now = 0;
        if (--takes_until_look_ == 0) [[unlikely]] {
            refresh_soon();
        }
    }

    /// Hands the next messages of `s`, whose first look() found ready, to handler(data, bytes), under
    /// one hold, and returns how many; 0: that is for the long way. The bookkeeping of a sample is
    /// done once. Every message is counted before the handler sees it, which may throw, close the
    /// handle, or take messages of the same one: then this ends.
    template <class Copy, class Handler>
    [[gnu::always_inline]] std::size_t hand_over(source& s, std::size_t limit, Handler& handler) {
        auto const hold = static_cast<std::uint32_t>(std::countr_zero(free_holds_));
        hold_slot& h = holds_[hold];
        ring_reader<> const at_first = s.reader;
        bool const in_place =
            s.lossless && static_cast<std::int64_t>(at_first.position() - s.in_place_from) >= 0;
        if (!in_place && h.capacity < at_first.geometry().payload_bytes_max &&
            !grow(h, at_first.geometry().payload_bytes_max)) [[unlikely]] {
            return 0;
        }
        // Room is given back in time, and news are looked for, as if each were taken by itself.
        std::uint64_t most = limit < s.flush_every ? limit : s.flush_every;
        most = most < takes_until_look_ ? most : takes_until_look_;
        free_holds_ &= free_holds_ - 1; // `hold` is the lowest
        h.from = &s;
        h.position = at_first.position();
        h.in_place = in_place;
        s.held += 1;
        struct giving_back {
            reading_end& end;
            std::uint32_t hold;
            ~giving_back() { end.release(hold); }
        } const guard{*this, hold};
        std::size_t count = 0;
        for (ring_reader<> next = at_first; count < most; next.advance()) {
            std::uint64_t const position = next.position();
            if (count != 0 && next.look() != cell_state::ready) {
                break;
            }
            std::uint64_t const bytes = next.length();
            if (bytes > next.geometry().payload_bytes_max) [[unlikely]] {
                break; // in a chunk, or corrupt
            }
            std::byte const* data = next.geometry().payload(position);
            if (!in_place) {
                if (!Copy::copy(next, h.buffer, bytes)) [[unlikely]] {
                    break; // overwritten meanwhile
                }
                data = h.buffer;
            }
            s.reader.set_position(position + 1);
            s.received += 1;
            s.jumps = 0;
            s.missed_now = 0;
            count += 1;
            if (--takes_until_look_ == 0) [[unlikely]] {
                refresh_soon();
            }
            handler(data, bytes);
            // relaxed: equal only if this very thread stored it; not after close().
            if (user_.load(std::memory_order_relaxed) != &thread_mark || s.detached ||
                s.reader.position() != position + 1) [[unlikely]] {
                break;
            }
            // Only a bad fellow reader can have moved our cursor, and so let the writer in.
            if (in_place && !next.still_there(position)) [[unlikely]] {
                s.corrupt = true;
                break;
            }
        }
        return count;
    }

    [[gnu::always_inline]] void release_here(std::uint32_t hold) noexcept {
        hold_slot& h = holds_[hold];
        source& s = *h.from;
        s.held -= 1;
        free_holds_ |= std::uint64_t{1} << hold;
        if (h.in_place) {
            // Only a bad fellow reader can have moved our cursor, and so let the writer in.
            if (!s.reader.still_there(h.position)) [[unlikely]] {
                s.corrupt = true;
            }
            calm_ = false;
            if (s.unflushed() >= s.flush_every) [[unlikely]] {
                flush(s);
            }
        } else if (h.pin_code != 0) [[unlikely]] {
            release_pin(h);
        }
        if (s.detached) [[unlikely]] {
            sweep_detached();
        }
    }

    /// `mark`: the calling thread's, as the calling code knows it. A library and a program that are
    /// linked to each other while they run may each have a thread_mark of their own.
    void take_over(char const* mark) noexcept;
    void release_elsewhere(std::uint32_t hold) noexcept;
    void collect() noexcept;
    /// Publishes the cursor of `s`: everything before its oldest held sample (I1).
    void flush(source& s) noexcept;
    bool grow(hold_slot& h, std::uint64_t bytes_max) noexcept;
    bool grow_holds(std::uint64_t bytes_max) noexcept;
    bool bad_length(source& s) noexcept;
    /// A message that lies in a chunk, or a length that cannot be.
    [[gnu::noinline]] bool take_large(source& s, taken& t) noexcept;
    [[gnu::noinline]] void release_pin(hold_slot& h) noexcept;
    /// Notes what was attached, and does with its memory what the options ask for.
    void count_memory(mapping const& map) noexcept;
    [[gnu::noinline, gnu::cold]] void refresh_soon() noexcept;
    void publish_counters(source& s) noexcept;
    /// Nothing was ready: jump, finish, refresh, flush. True: look again, if the caller `may`.
    /// False: `event` says why there is nothing.
    bool look_around(taken& event, bool may_look_again) noexcept;
    /// A look found nothing of the only source: after many messages its writer may be left alone for
    /// some hundred nanoseconds. True: look again.
    [[gnu::noinline]] bool let_gather(source& s) noexcept;
    /// Due now and then, however much is ready: true if `event` says that a publisher ended.
    [[gnu::noinline, gnu::cold]] bool look_for_ends(taken& event) noexcept;
    /// What became of a source that was looked at.
    enum class settled : std::uint8_t {
        stays, ///< it is as it was, or jumped
        gone,  ///< it was let go, and may not be touched any more
        event, ///< the same, and the user must hear of it
    };
    settled settle(source& s, taken& event) noexcept;
    void jump(source& s) noexcept;
    settled finish(source& s, taken& event) noexcept;
    void sweep_detached() noexcept;
    bool glance() noexcept final;
    bool look() noexcept override;
    participant_core const& belongs_to() const noexcept final { return *participant_; }
    void arm(arming& a) noexcept final;
    bool arming_is_stale() const noexcept final { return words_stale_; }
    bool any_ready() const noexcept;
    bool rearm() noexcept;
    void end_arming(bool found_nothing) noexcept;
    void close_descriptor() noexcept;
    receive_errc prepare_sleep(std::uint64_t until_ns) noexcept;
    /// True: somebody woke us.
    bool sleep(std::uint64_t until_ns) noexcept;
    bool interrupted() noexcept;
    void destroy() noexcept;

    // Read for every message.
    os::fork_mark mark_ = os::fork_mark::current();
    std::uint64_t free_holds_ = 0; ///< bit i: holds_[i] is free
    std::size_t next_ = 0;         ///< source to look at next
    std::vector<std::unique_ptr<source>> sources_;
    std::uint32_t takes_until_look_ = 1;
    /// Nothing has happened since look_around() last had nothing to do: it may be left out for a while.
    bool calm_ = false;
    bool look_due_ = false; ///< ends must be looked for, although messages are ready
    /// Holds that other threads gave back, bit per hold; bit 63: closed, the last sample destroys.
    std::atomic<std::uint64_t> foreign_{0};
    std::atomic<char const*> user_{nullptr};
    /// One more than users can have: the last is where `latest` keeps the newest value.
    std::array<hold_slot, samples_held_limit + 1> holds_{};

    std::shared_ptr<participant_core> participant_;
    reading_options options_;
    std::uint64_t closed_holds_ = 0; ///< holds that were out when the handle was closed
    std::uint64_t sources_seen_ = 0;
    memory_report memory_;
    std::uint64_t received_before_ = 0; ///< from finished sources
    std::uint64_t missed_before_ = 0;
    std::vector<std::unique_ptr<source>> detached_;
    std::vector<taken> postponed_;     ///< events that await a call that can report them
    bool counts_missed_ = true;        ///< what is jumped over was wanted
    bool no_memory_ = false;           ///< a buffer could not be had; not yet reported
    bool words_stale_ = false;         ///< sources changed since words_ was made
    bool fences_light_ = false;        ///< this process registered for membarrier
    std::unique_ptr<wait_list> words_; ///< what the sleep in preparation waits for
    std::uint64_t sleep_began_ns_ = 0; ///< its preparation did
    /// When a wait that spins last looked at the clock; 0: it did not, or has slept since.
    std::uint64_t looked_at_ns_ = 0;
    spin_budget spin_;
    look_pacer pacer_;
    std::unique_ptr<wait_descriptor> descriptor_;
    /// The same for interrupt(), which any thread may call.
    std::atomic<wait_descriptor const*> interrupted_too_{nullptr};
    std::atomic<std::uint32_t> interrupts_{0}; ///< also the futex that interrupt() wakes
    std::uint32_t interrupts_seen_ = 0;
};

} // namespace partywall::inline v0::detail
