// SPDX-License-Identifier: BSL-1.0
// Waiting for room.
#include <partywall/endpoint/writing_end.hpp>

#include <partywall/inbox/lanes_layout.hpp>

#include <partywall/detail/mutant.hpp>
#include <partywall/os/membarrier.hpp>
#include <partywall/os/robust_word.hpp>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

namespace partywall::inline v0::detail {
namespace {

constexpr std::uint64_t question_interval_ns = 1'000'000; ///< "does the laggard live?"
constexpr std::uint64_t notice_backoff_first_ns = 50'000;
constexpr std::uint64_t notice_backoff_last_ns = 10'000'000;

} // namespace

void writing_end::use(writing_options const& options, gate<> const& ahead, ring_control& control,
                      reader_slot* slots, std::uint32_t slot_count) noexcept {
    gate_ = ahead;
    control_ = &control;
    slots_ = slots;
    slot_count_ = slot_count;
    rings_ = options.rings;
    leave_hints(hint_);
    block_ns_ = static_cast<std::uint64_t>(options.block_for.count());
    overflow_ = options.overflow;
    spin_ = spin_budget(options.waiting, static_cast<std::uint64_t>(options.spin_for.count()));
}

void writing_end::announce_specially() noexcept {
    if (hint_ != nullptr) {
        // release: pairs with the acquire in receiver_core::find_hinted(). Who sees the hint finds
        // the message; a hint itself may be late, or never come.
        std_atomics::store(*hint_, hint_of(ring.position()), std::memory_order_release);
    }
    if (rings_ && bell_.ring_if_armed()) {
        rang();
    }
}

void writing_end::say_closed() noexcept {
    open_ = false;
    // release: pairs with the acquire of a reader; the messages come before the end.
    std_atomics::store(control().closed, cursor_at(ring.position()), std::memory_order_release);
    // release: as in gate::scan(), for who joins a ring that is closed.
    std_atomics::store(control().position, ring.position(), std::memory_order_release);
}

send_errc writing_end::refusal() const noexcept {
    return mark_.is_child() ? send_errc::forked : send_errc::closed;
}

void writing_end::put_with_pool(std::byte const* message, std::uint64_t bytes) noexcept {
    ring_geometry const& g = ring.geometry();
    if (g.variable_length && bytes <= g.payload_bytes_max) {
        std::uint64_t const position = ring.position();
        ring.put(message, bytes);
        pool.committed_inline(position);
        return;
    }
    // Plain stores, as by whoever writes into a loan: nobody reads this chunk, but for readers that
    // copy because they have no pin left, and throw away what they find changed.
    if (bytes != 0) {
        std::memcpy(pool.acquire(), message, bytes);
    }
    commit_with_pool(bytes);
}

void writing_end::commit_with_pool(std::uint64_t bytes) noexcept {
    (void)pool.acquire(); // what is committed was acquired, but for a message of no bytes
    std::uint64_t const position = ring.position();
    (void)ring.begin(); // marks the cell: only then may others find the new message in it
    // Messages of one size are of that size also where less of it was written, as in a cell.
    std::uint64_t const one_size = ring.geometry().large_bytes;
    ring.commit(pool.descriptor(one_size != 0 ? one_size : bytes));
    pool.committed(position);
}

void writing_end::rang() noexcept {
    add_to_own(control().wakes, 1);
    wake_descriptors();
}

bool writing_end::interrupted() noexcept {
    // acquire: what the interrupting thread did before is visible to the one it interrupts.
    std::uint32_t const now = interrupts_from_->load(std::memory_order_acquire);
    if (now == *interrupts_heeded_ || PARTYWALL_MUTANT(interrupt_ignored)) {
        return false;
    }
    *interrupts_heeded_ = now;
    return true;
}

void writing_end::interrupt() noexcept {
    if (mark_.is_child()) {
        return;
    }
    int const saved = errno;
    // release: pairs with the acquire in interrupted().
    interrupts_from_->fetch_add(1, std::memory_order_release);
    os::futex_wake(reinterpret_cast<std::uint32_t const&>(*interrupts_from_), INT_MAX, false);
    errno = saved;
}

send_errc writing_end::wait_for_change(std::uint32_t epoch, std::uint64_t until_ns) noexcept {
    if (interrupted()) {
        return send_errc::interrupted;
    }
    if (os::monotonic_ns() >= until_ns) {
        return send_errc::timed_out;
    }
    wait_list words;
    words.add(
        {reinterpret_cast<std::uint32_t const*>(interrupts_from_), *interrupts_heeded_, false});
    words.add_data({&participant_->epoch_word(), epoch, true});
    words.park(until_ns);
    return send_ok;
}

send_errc writing_end::make_room(std::uint64_t wait_ns) noexcept {
    gate<>::laggard held_by;
    add_to_own(control().scans, 1);
    if (gate_.scan(ring.position(), held_by) || PARTYWALL_MUTANT(full_ring_overwritten)) {
        return send_ok;
    }
    participant_->keep_notice();
    std::uint64_t const start = os::monotonic_ns();
    std::uint64_t const until =
        overflow_ == overflow::reject ? start : os::deadline_after(start, wait_ns);
    send_errc const outcome = wait_for_room(held_by, until);
    add_to_own(control().blocked_count, 1);
    add_to_own(control().blocked_ns, os::monotonic_ns() - start);
    if (outcome != send_ok) {
        add_to_own(control().rejected, 1);
    }
    return outcome;
}

bool writing_end::find_room() noexcept {
    gate<>::laggard held_by;
    add_to_own(control().scans, 1);
    return gate_.scan(ring.position(), held_by) || ask_laggards(held_by);
}

/// Whether there is room once the dead among those who hold it up are out of the way. Asks at most
/// once per question_interval_ns.
bool writing_end::ask_laggards(gate<>::laggard& held_by) noexcept {
    std::uint64_t const now = os::monotonic_ns();
    if (now < next_question_ns_) {
        return false;
    }
    next_question_ns_ = now + question_interval_ns;
    // One after the other, if several have died.
    for (std::uint32_t i = 0; i < slot_count_ && free_laggard(held_by); ++i) {
        if (gate_.scan(ring.position(), held_by)) {
            return true;
        }
    }
    return false;
}

send_errc writing_end::wait_for_room(gate<>::laggard held_by, std::uint64_t until_ns) noexcept {
    std::uint64_t backoff = notice_backoff_first_ns;
    std::uint64_t const start = os::monotonic_ns();
    std::uint64_t const spin_until = until_ns > start ? spin_.spin_until(start, until_ns) : start;
    for (;;) {
        if (ask_laggards(held_by)) {
            return send_ok;
        }
        std::uint64_t const now = os::monotonic_ns();
        if (interrupted()) {
            return send_errc::interrupted;
        }
        if (send_errc const why = in_vain(); why != send_ok) {
            return why;
        }
        if (now >= until_ns) {
            return overflow_ == overflow::reject ? send_errc::full : send_errc::timed_out;
        }
        bool const spins = now < spin_until;
        bool woken = false;
        if (spins) {
            for (int i = 0; i < 32; ++i) {
                spin_pause();
            }
        } else {
            spin_.in_vain();
            woken = sleep_for_room(held_by, until_ns, backoff);
        }
        if (gate_.scan(ring.position(), held_by)) {
            if (spins) {
                spin_.came(now - start);
            } else if (woken) {
                spin_.slept(os::monotonic_ns() - now);
            }
            return send_ok;
        }
    }
}

/// The bell, the other way round: the writer arms, the laggard rings. `held_by.freed` was loaded
/// before the arming; only then is a ring in between seen as a changed word.
bool writing_end::sleep_for_room(gate<>::laggard const& held_by, std::uint64_t until_ns,
                                 std::uint64_t& backoff_ns) noexcept {
    // relaxed: ordered before the re-check by the heavy fence; this thread alone writes it.
    add_to_own(control().room_arm, 1);
    wait_list words;
    words.add(
        {reinterpret_cast<std::uint32_t const*>(interrupts_from_), *interrupts_heeded_, false});
    if (!os::heavy_fence()) { // pairs with the light fence in reader_seat::ring_room()
        words.cannot_rely_on_wakes();
    }
    gate<>::laggard again;
    if (gate_.scan(ring.position(), again) || again.slot != held_by.slot ||
        again.seen != held_by.seen) {
        return false;
    }
    reader_slot const& slot = slots()[held_by.slot];
    words.add_data({&slot.freed, held_by.freed, true});
    bool told = false; // of its death
    std::uint64_t end = until_ns;
    participant_core::life_view life;
    std::uint64_t const ticket = life_of_laggard(held_by, words);
    try {
        if (ticket != 0 && ticket != participant_->ticket()) {
            life = participant_->life_of(ticket);
        }
    } catch (...) { // out of memory: the slices do without notice
    }
    if (life.word != nullptr) {
        std::uint32_t const value = os::robust_value(life.word);
        if (os::robust_owner_died(value)) {
            // Notice, but no proof yet: the kernel is tearing the process down. Ask again soon.
            end = std::min(end, os::monotonic_ns() + backoff_ns);
            backoff_ns = std::min(backoff_ns * 2, notice_backoff_last_ns);
            next_question_ns_ = 0;
            os::futex_wake(*os::robust_futex(life.word), INT_MAX, true);
        } else if (os::robust_is_held(value)) {
            told = words.add({os::robust_futex(life.word), value, true});
        }
    }
    if (told) {
        words.peer_death_is_told();
    } else {
        words.peer_death_matters();
    }
    bool const woken = words.park(end) == os::futex_result::woken;
    if (life.word != nullptr && os::robust_owner_died(os::robust_value(life.word))) {
        next_question_ns_ = 0;
        os::futex_wake(*os::robust_futex(life.word), INT_MAX, true); // the kernel wakes only one
    }
    return woken;
}

} // namespace partywall::inline v0::detail
