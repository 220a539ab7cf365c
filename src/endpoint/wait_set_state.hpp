// SPDX-License-Identifier: BSL-1.0
// What a wait_set keeps. It is itself something that can be waited for, through one descriptor: that
// is how its members are armed for it.
//
// Invariants
//   I1  A member handle that is closed clears its place (set_place::what); the member is swept at the
//       next call. A set that goes tells its members.
//   I2  Every member is armed for this set before a sleep, and looked at after the one fence.
//   I3  There is room for one event per member: reserved when it is added.
#pragma once

#include <partywall/endpoint/wait_set.hpp>
#include <partywall/os/fork_mark.hpp>
#include <partywall/registry/participant_core.hpp>
#include <partywall/registry/wait_descriptor.hpp>

#include <atomic>
#include <vector>

namespace partywall::inline v0 {

struct wait_set::state final : detail::waitable {
    explicit state(std::shared_ptr<detail::participant_core> p)
        : participant(std::move(p)), words(std::make_unique<detail::wait_list>()) {}
    ~state();
    state(state const&) = delete;
    state& operator=(state const&) = delete;

    using what = wait_event::what;
    struct member {
        detail::set_place place; ///< handles
        wait_event event;        ///< as it is to be reported
        int fd = -1;
        std::uint64_t due_ns = never;
        std::uint64_t period_ns = 0;
        std::uint64_t ticket = 0;
        detail::participant_core::life_view life;
        bool ready = false; ///< descriptors: in the last answer; ends: for good
    };
    static constexpr std::uint64_t never = ~std::uint64_t{0};

    bool glance() noexcept override { return false; }
    bool look() noexcept override { return false; }
    detail::participant_core const& belongs_to() const noexcept override { return *participant; }
    void arm(detail::arming& a) noexcept override;
    bool arming_is_stale() const noexcept override;
    void after_sleep() noexcept override;

    result<wait_id, wait_add_errc> add(std::unique_ptr<member> made) noexcept;
    std::unique_ptr<member> make(what kind, std::uint64_t key) noexcept;
    bool remove(wait_id id) noexcept;
    void sweep() noexcept;
    failure<descriptor_errc> make_descriptor() noexcept;
    result<std::span<wait_event const>, wait_errc> wait(std::uint64_t until_ns) noexcept;

    bool collect(bool thoroughly) noexcept;
    bool is_ready(member& m, bool thoroughly, std::uint64_t now_ns) noexcept;
    bool arm_all() noexcept;
    bool arm_words() noexcept;
    void sleep(std::uint64_t until_ns) noexcept;
    bool interrupted() noexcept;
    std::uint64_t next_due() const noexcept;

    os::fork_mark mark = os::fork_mark::current();
    std::shared_ptr<detail::participant_core> participant;
    std::vector<std::unique_ptr<member>> members;
    std::vector<wait_event> events;
    wait_id last_id = 0;
    std::size_t first = 0; ///< where the next look begins
    std::uint32_t waits = 0;
    std::size_t timers = 0;
    std::size_t others = 0; ///< descriptors
    std::unique_ptr<detail::wait_list> words;
    std::unique_ptr<detail::wait_descriptor> descriptor; ///< once there, all waits go through it
    bool polled = false;                                 ///< fd() was called: the user polls it
    std::atomic<std::uint32_t> interrupts{0};
    std::uint32_t interrupts_seen = 0;
    std::atomic<detail::wait_descriptor const*> interrupted_too{nullptr};
};

} // namespace partywall::inline v0
