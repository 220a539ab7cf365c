// SPDX-License-Identifier: BSL-1.0
// What everybody who sends has in common, whatever the message type and the style: one ring, a gate
// that says how far it may go, a bell, and waiting for room. Whose ring it is, and what becomes of
// a reader that holds it up, is the business of publisher_core (a topic's readers) and sender_core
// (one receiver).
//
// What every message passes is inline here: the check that the handle may be used, the gate, the
// ring, the bell. Everything that happens less often than once per lap is in src/endpoint.
#pragma once

#include <partywall/endpoint/endpoint_errc.hpp>
#include <partywall/endpoint/endpoint_options.hpp>
#include <partywall/export.hpp>
#include <partywall/registry/participant_core.hpp>
#include <partywall/ring/chunk_pool.hpp>
#include <partywall/ring/gate.hpp>
#include <partywall/ring/ring_writer.hpp>
#include <partywall/wait/bell.hpp>
#include <partywall/wait/spin_budget.hpp>
#include <partywall/wait/waiting.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>

namespace partywall::inline v0::detail {

/// No error. Hot paths hand errors on as bare enums.
inline constexpr send_errc send_ok{};

/// A time-out as nanoseconds to wait; negative ones do not wait.
constexpr std::uint64_t wait_ns(std::chrono::nanoseconds timeout) noexcept {
    return timeout.count() > 0 ? static_cast<std::uint64_t>(timeout.count()) : 0;
}

/// What the options of publishers and senders have in common.
struct writing_options {
    partywall::overflow overflow = partywall::overflow::drop_oldest;
    std::chrono::nanoseconds block_for{};
    partywall::waiting waiting = partywall::waiting::spin_then_park;
    std::chrono::nanoseconds spin_for{};
    bool rings = true;
};

class PARTYWALL_API writing_end {
  public:
    writing_end(writing_end const&) = delete;
    writing_end& operator=(writing_end const&) = delete;

    /// Makes sure that the cell at ring.position() may be written, and that a message of `bytes`
    /// (0: its size is known to fit) is not too large, for which nobody waits.
    [[gnu::always_inline]] send_errc admit(std::uint64_t bytes = 0) noexcept {
        if (mark_.is_child() || !open_) [[unlikely]] {
            return refusal();
        }
        if (bytes > ring.geometry().message_bytes_max()) [[unlikely]] {
            return send_errc::too_large;
        }
        if (!gate_.open(ring.position())) [[unlikely]] {
            return make_room(block_ns_);
        }
        return send_ok;
    }
    send_errc admit_for(std::uint64_t wait_ns, std::uint64_t bytes = 0) noexcept {
        send_errc const refused = mark_.is_child() || !open_ ? refusal()
                                  : bytes > ring.geometry().message_bytes_max()
                                      ? send_errc::too_large
                                      : send_ok;
        if (refused != send_ok || gate_.open(ring.position())) {
            return refused;
        }
        return make_room(wait_ns);
    }
    /// Whether the cell at ring.position() may be written. Neither waits nor counts as a refusal,
    /// and leaves an interrupt to a call that waits.
    [[gnu::always_inline]] bool has_room() noexcept {
        return gate_.open(ring.position()) || find_room();
    }
    /// Tells the readers. After commit().
    [[gnu::always_inline]] void announce() noexcept {
        if (special_) [[unlikely]] {
            announce_specially();
        } else if (bell_.ring_if_armed()) [[unlikely]] {
            rang();
        }
    }

    /// Publishes a copy of a message whose size the compiler knows. After admit().
    template <class T>
    [[gnu::always_inline]] void put(T const& message) noexcept {
        if constexpr (sizeof(T) > always_inline_bytes) {
            if (pool) [[unlikely]] {
                if constexpr (sizeof(T) <= inline_bytes_default) {
                    put_copy_with_pool(message);
                } else {
                    put_with_pool(reinterpret_cast<std::byte const*>(&message), sizeof(T));
                }
                return;
            }
        }
        ring.put(message);
    }
    /// Same for a message of any size, `bytes` <= message_bytes_max().
    [[gnu::always_inline]] void put(std::byte const* message, std::uint64_t bytes) noexcept {
        if (pool) [[unlikely]] {
            put_with_pool(message, bytes);
        } else {
            ring.put(message, bytes);
        }
    }
    /// A loan to the user follows. For whoever has more than one ring in its life.
    void lends() noexcept {}
    /// Memory of the next message, to be written in place and then published by commit().
    std::byte* begin() noexcept { return pool ? pool.acquire() : ring.begin(); }
    /// The same for messages of one size, for which less has to be asked.
    template <class T>
    [[gnu::always_inline]] std::byte* begin_fixed() noexcept {
        if constexpr (sizeof(T) > always_inline_bytes) {
            if (pool) [[unlikely]] {
                return pool.acquire();
            }
        }
        return ring.begin();
    }
    template <class T>
    [[gnu::always_inline]] void commit_fixed(std::byte* memory) noexcept {
        if constexpr (sizeof(T) > always_inline_bytes) {
            if (pool) [[unlikely]] {
                commit_with_pool(sizeof(T));
                return;
            }
        }
        ring.commit_at(memory);
    }
    void commit(std::uint64_t bytes) noexcept {
        if (pool) {
            commit_with_pool(bytes);
        } else if (ring.geometry().variable_length) {
            ring.commit(bytes);
        } else {
            ring.commit();
        }
    }

    ring_writer<> ring;
    /// Where messages lie that are too long for a cell; empty if none are.
    chunk_pool<> pool;
    /// Counts the rings that there have been: memory of an earlier one is not lent any more.
    std::uint32_t rings_used = 0;

    void interrupt() noexcept;
    /// Whoever interrupts `word` interrupts this, from now on: `seen` is what of it was heeded.
    void interrupted_by(std::atomic<std::uint32_t>& word, std::uint32_t& seen) noexcept {
        interrupts_from_ = &word;
        interrupts_heeded_ = &seen;
    }
    memory_report const& memory() const noexcept { return memory_; }
    /// Neither closed nor a forked child's copy.
    bool usable() const noexcept { return open_ && !mark_.is_child(); }
    /// `forked` in a forked child, else `closed`.
    send_errc refusal() const noexcept;

  protected:
    writing_end() = default;
    virtual ~writing_end() = default;
    /// `slots`: those who hold us up; they outlive this, as `control` does.
    void use(writing_options const& options, gate<> const& ahead, ring_control& control,
             reader_slot* slots, std::uint32_t slot_count) noexcept;
    /// Where every message is to leave a hint; nullptr: nowhere.
    void leave_hints(std::uint16_t* hint) noexcept {
        hint_ = hint;
        special_ = hint_ != nullptr || !rings_;
    }
    /// Says in the ring that no message follows (writing_end is closed afterwards).
    void say_closed() noexcept;
    bool interrupted() noexcept;
    /// Sleeps until the registry is not as it was at `epoch`, for who waits for others to come.
    /// send_ok, interrupted, timed_out.
    send_errc wait_for_change(std::uint32_t epoch, std::uint64_t until_ns) noexcept;
    ring_control& control() const noexcept { return *control_; }
    memory_report memory_;
    reader_slot* slots() const noexcept { return slots_; }

    // What differs; all of it off the hot path.

    /// Frees the place of a laggard that is proven to be nobody's any more. True: scan again.
    virtual bool free_laggard(gate<>::laggard const& held_by) noexcept = 0;
    /// Why waiting for room is in vain, although nothing was proven; send_ok: it is not.
    virtual send_errc in_vain() noexcept = 0;
    /// Whose life matters to a wait for this laggard, 0 for nobody's; may add words of its own.
    virtual std::uint64_t life_of_laggard(gate<>::laggard const& held_by,
                                          wait_list& words) noexcept = 0;
    /// The bell was rung: writes to the pipes of those who wait through descriptors.
    virtual void wake_descriptors() noexcept = 0;

    // Read for every message.
    os::fork_mark mark_ = os::fork_mark::current();
    bool open_ = false;
    bool special_ = false; ///< it does not ring, or leaves a hint
    gate<> gate_;
    bell_ringer<> bell_;
    // Read less often than once per lap.
    bool rings_ = true;
    std::uint16_t* hint_ = nullptr; ///< where a receiver of many looks first
    std::uint64_t block_ns_ = 0;
    overflow overflow_ = overflow::drop_oldest;
    spin_budget spin_;
    ring_control* control_ = nullptr;
    reader_slot* slots_ = nullptr;
    std::uint32_t slot_count_ = 0;
    std::uint64_t next_question_ns_ = 0; ///< when a laggard may next be asked whether it lives
    std::shared_ptr<participant_core> participant_;
    std::atomic<std::uint32_t> interrupts_{0}; ///< also the futex that interrupt() wakes
    std::uint32_t interrupts_seen_ = 0;
    std::atomic<std::uint32_t>* interrupts_from_ = &interrupts_;
    std::uint32_t* interrupts_heeded_ = &interrupts_seen_;

  private:
    /// By value: a message whose address were handed on here would have to lie in memory for all the
    /// others, which go through registers.
    template <class T>
    [[gnu::noinline, gnu::cold]] void put_copy_with_pool(T message) noexcept {
        put_with_pool(reinterpret_cast<std::byte const*>(&message), sizeof(T));
    }
    [[gnu::noinline]] void put_with_pool(std::byte const* message, std::uint64_t bytes) noexcept;
    void commit_with_pool(std::uint64_t bytes) noexcept;
    [[gnu::noinline, gnu::cold]] void rang() noexcept;
    [[gnu::noinline]] void announce_specially() noexcept;
    [[gnu::noinline]] send_errc make_room(std::uint64_t wait_ns) noexcept;
    [[gnu::noinline]] bool find_room() noexcept;
    bool ask_laggards(gate<>::laggard& held_by) noexcept;
    send_errc wait_for_room(gate<>::laggard held_by, std::uint64_t until_ns) noexcept;
    /// True: somebody woke us.
    bool sleep_for_room(gate<>::laggard const& held_by, std::uint64_t until_ns,
                        std::uint64_t& notice_backoff_ns) noexcept;
};

} // namespace partywall::inline v0::detail
