// SPDX-License-Identifier: BSL-1.0
// The half of a publisher that does not depend on the message type. Users see publisher<T>.
//
// What every message passes is inline here: the check that the handle may be used, the gate, the
// ring, the bell. Everything that happens less often than once per lap is in src/topic.
#pragma once

#include <partywall/export.hpp>
#include <partywall/registry/participant_core.hpp>
#include <partywall/ring/gate.hpp>
#include <partywall/ring/ring_writer.hpp>
#include <partywall/topic/payload.hpp>
#include <partywall/topic/topic_errc.hpp>
#include <partywall/topic/topic_options.hpp>
#include <partywall/wait/bell.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace partywall::inline v0::detail {

/// No error. Hot paths hand errors on as bare enums.
inline constexpr send_errc send_ok{};

struct publisher_plan;

class PARTYWALL_API publisher_core {
  public:
    /// Nothing, and `why`, where it cannot be had.
    static std::unique_ptr<publisher_core> create(std::shared_ptr<participant_core> participant,
                                                  std::string_view topic, type_facts const& type,
                                                  payload_shape const& shape,
                                                  publisher_options const& options,
                                                  failure<endpoint_errc>& why) noexcept;
    ~publisher_core();
    publisher_core(publisher_core const&) = delete;
    publisher_core& operator=(publisher_core const&) = delete;

    /// Makes sure that the cell at ring.position() may be written.
    [[gnu::always_inline]] send_errc admit() noexcept {
        if (mark_.is_child() || !open_) [[unlikely]] {
            return refusal();
        }
        if (!gate_.open(ring.position())) [[unlikely]] {
            return make_room(block_ns_);
        }
        return send_ok;
    }
    send_errc admit_for(std::uint64_t wait_ns) noexcept {
        send_errc const refused = mark_.is_child() || !open_ ? refusal() : send_ok;
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
    /// Wakes sleepers if there are any. After commit().
    [[gnu::always_inline]] void announce() noexcept {
        if (rings_ && bell_.ring_if_armed()) [[unlikely]] {
            count_wake();
        }
    }

    ring_writer<> ring;

    void close() noexcept;
    void interrupt() noexcept;
    std::uint32_t subscriber_count() noexcept;
    send_errc wait_for_subscribers(std::uint32_t count, std::uint64_t wait_ns) noexcept;
    result<void, failure<registry_errc>> set_draining(bool draining);
    result<void, failure<registry_errc>> set_metadata(metadata const& meta);

    std::string const& topic() const noexcept { return entry_.name; }
    std::uint64_t incarnation() const noexcept { return entry_.incarnation; }
    std::uint64_t start_position() const noexcept { return ring.geometry().start_position; }
    /// Neither closed nor a forked child's copy.
    bool usable() const noexcept { return open_ && !mark_.is_child(); }
    /// `forked` in a forked child, else `closed`.
    send_errc refusal() const noexcept;

  private:
    publisher_core() = default;
    static result<std::unique_ptr<publisher_core>, failure<endpoint_errc>>
    make(std::shared_ptr<participant_core> participant, std::string_view topic,
         type_info const& type, payload_shape const& shape, publisher_options const& options);
    result<void, failure<endpoint_errc>> make_segments(publisher_plan& plan,
                                                       std::string_view doing);
    void use(publisher_plan const& plan, publisher_options const& options) noexcept;
    void withdraw() noexcept;
    bool counts_as_subscriber(std::uint32_t slot) noexcept;

    [[gnu::noinline, gnu::cold]] void count_wake() noexcept;
    [[gnu::noinline]] send_errc make_room(std::uint64_t wait_ns) noexcept;
    [[gnu::noinline]] bool find_room() noexcept;
    bool ask_laggards(gate<>::laggard& held_by) noexcept;
    send_errc wait_for_room(gate<>::laggard held_by, std::uint64_t until_ns) noexcept;
    bool free_laggard(gate<>::laggard const& held_by) noexcept;
    void sleep_for_room(gate<>::laggard const& held_by, std::uint64_t until_ns,
                        std::uint64_t& notice_backoff_ns) noexcept;
    bool interrupted() noexcept;
    reader_slot* slots() const noexcept;
    ring_control& control() const noexcept;

    // Read for every message.
    os::fork_mark mark_ = os::fork_mark::current();
    bool open_ = false;
    bool rings_ = true;
    gate<> gate_;
    bell_ringer<> bell_;
    // Read less often than once per lap.
    std::uint64_t block_ns_ = 0;
    overflow overflow_ = overflow::drop_oldest;
    waiting waiting_ = waiting::spin_then_park;
    std::uint64_t spin_ns_ = 0;
    std::uint32_t slot_count_ = 0;
    std::uint64_t next_question_ns_ = 0; ///< when a laggard may next be asked whether it lives
    std::shared_ptr<participant_core> participant_;
    entry_info entry_;
    mapping ring_map_;
    mapping readers_map_;
    std::atomic<std::uint32_t> interrupts_{0}; ///< also the futex that interrupt() wakes
    std::uint32_t interrupts_seen_ = 0;
};

} // namespace partywall::inline v0::detail
