// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/endpoint/wait_errc.hpp>
#include <partywall/export.hpp>
#include <partywall/registry/descriptor_errc.hpp>
#include <partywall/result.hpp>
#include <partywall/wait/waitable.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace partywall::inline v0 {

namespace detail {
class participant_core;
}

/// Names a member of one wait_set; never given twice by it.
using wait_id = std::uint64_t;

/// Something that a wait found ready.
struct wait_event {
    enum class what : std::uint8_t {
        handle,     ///< a call that does not wait (try_receive, get, next) has something to say
        descriptor, ///< see `events`
        timer,      ///< see `count`
        ended,      ///< the participant died or left
    };
    std::uint64_t key = 0; ///< as given when the member was added
    wait_id id = 0;
    what kind = what::handle;
    std::uint32_t events = 0; ///< descriptors: EPOLLIN, EPOLLHUP, ...
    std::uint64_t count = 0;  ///< timers: how often it was due since it was reported last
};

/// Waits for any number of things at once and says which are ready: subscribers, receivers, latest
/// values, watches, ends of participants, other descriptors, timers. In the manner of
/// epoll, with the add and wait of a ROS wait set, and no thread of ours.
///
/// Use when   one thread serves several handles.
/// Not when   there is one handle (its receive() waits for all of its publishers), or an event loop
///            of your own is to be in charge (the handles' fd(), or that of a set).
/// Ready      level-triggered: a handle is ready while a call that does not wait would return
///            something else than `empty`, be it a message, peer_died or another error. So handle
///            each event by calling until `empty`, or some times: what is left is ready again at
///            the next wait. Ready for nothing is possible, rarely. A handle of which
///            samples_held_max samples are held is ready, and says too_many_samples.
/// Fair       every member that is ready is in the answer, at each wait beginning with another one.
///            Who takes one message per event is fair to all senders.
/// Members    one set per handle. A handle may move while it is in a set, and leaves by itself when it
///            is closed or destroyed. It goes on to serve its other calls; its own fd() is readable
///            as long as it is a member. A descriptor must be removed before it is closed.
/// Callers    one thread at a time, the set and its members together; add and remove between waits.
///            interrupt() from any thread and from signal handlers.
/// Progress   wait: at most its timeout; nanoseconds::max() is for ever.
/// Cost       a wait that finds something looks at every member: a load or two each. One that must
///            sleep arms them all, with one heavy fence, and sleeps on up to 128 words. What needs
///            more, or a member that is a descriptor, is waited for through epoll: then writers make
///            four system calls for the first message after each sleep. No heap in steady state.
/// Peer dies  reported by the handles as ever, within a slice of 40 ms at most, or 8 ms where the
///            kernel cannot tell of it, or tells late (see subscriber::fd()).
/// Fork       the child is refused (`forked`).
///
///     partywall::wait_set set = me.wait_set();
///     set.add(quotes, 1).value();
///     set.add(orders, 2).value();
///     set.add_timer(clock::now() + 1s, 1s, 3).value();
///     for (;;) {
///         for (auto const& e : set.wait(10s).value()) {
///             switch (e.key) { case 1: while (auto q = quotes.try_receive()) { ... } ... }
///         }
///     }
class PARTYWALL_API wait_set {
  public:
    explicit wait_set(std::shared_ptr<detail::participant_core> participant);
    wait_set(wait_set&&) noexcept;
    wait_set& operator=(wait_set&&) noexcept;
    ~wait_set();

    /// A subscriber, receiver, server, client, latest, registry_watch or server_watch of the
    /// participant that made this set.
    template <class Handle>
    [[nodiscard]] result<wait_id, wait_add_errc> add(Handle& handle, std::uint64_t key) noexcept {
        return add_waitable(detail::wait_access::of(handle), key);
    }
    /// A descriptor of yours; `events` as of epoll: EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP.
    [[nodiscard]] result<wait_id, wait_add_errc> add_descriptor(int fd, std::uint32_t events,
                                                                std::uint64_t key) noexcept;
    /// Due at `first` and then every `period`; 0: once, after which it stays and is never due again.
    [[nodiscard]] result<wait_id, wait_add_errc>
    add_timer(std::chrono::steady_clock::time_point first, std::chrono::nanoseconds period,
              std::uint64_t key) noexcept;
    /// The end of another participant of the domain, by death or by leaving: for
    /// entry_info::owner_ticket, participant_info::ticket. Stays ready until it is removed.
    [[nodiscard]] result<wait_id, wait_add_errc> add_end_of(std::uint64_t ticket,
                                                            std::uint64_t key) noexcept;
    /// False: there is no such member (any more).
    bool remove(wait_id id) noexcept;
    /// Members; handles that were closed meanwhile are not counted.
    std::size_t size() const noexcept;

    /// The members that are ready, waiting until one is. The answer is valid until the next call of
    /// any member function.
    [[nodiscard]] result<std::span<wait_event const>, wait_errc>
    wait(std::chrono::nanoseconds timeout) noexcept;
    [[nodiscard]] result<std::span<wait_event const>, wait_errc>
    wait_until(std::chrono::steady_clock::time_point deadline) noexcept;

    /// Ends the wait that runs now, or else the next that finds nothing ready, with `interrupted`.
    void interrupt() noexcept;

    /// A descriptor for another event loop: readable (level-triggered) when wait(0) may have
    /// something to say, from the start on; drained by the wait that finds nothing. For the rest see
    /// subscriber::fd().
    [[nodiscard]] result<int, failure<descriptor_errc>> fd() noexcept;

  private:
    result<wait_id, wait_add_errc> add_waitable(detail::waitable* what, std::uint64_t key) noexcept;
    struct state;
    std::unique_ptr<state> state_;
};

/// A text for people; a zero follows it.
[[nodiscard]] PARTYWALL_API std::string_view to_string(wait_event::what kind) noexcept;

} // namespace partywall::inline v0
