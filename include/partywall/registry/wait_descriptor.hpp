// SPDX-License-Identifier: BSL-1.0
// The descriptor behind every fd() of this library, and what makes it readable.
//
//   epoll descriptor (the user's) --+-- wake pipe: writers of whatever is waited for; interrupt()
//                                   +-- timer: the slice, for what nobody tells
//                                   +-- processes of peers whose death matters, by pidfd
//                                   +-- the participant's own wake pipe: the registry has changed
//                                   +-- a wait_set's other descriptors
//
// States
//   readable   there may be something: look. So it begins, and so it is after anything that happened.
//   armed      the last look found nothing, and whoever brings something will make it readable.
//
// Invariants
//   I1  It is armed only by rearm(), which drains, says to all writers that it waits, fences, and
//       leaves the last look to its caller. If that finds something, the caller calls disturb().
//   I2  Not armed means readable.
//   I3  The participant's pipe is shared by all descriptors of the participant in this process: who
//       drains it first makes the others readable by their own pipes.
//
// Callers   kick(): any thread, any signal handler. The rest: the thread that uses the owner.
// Cost      three descriptors, and one for each process whose death matters; a page of the kernel's;
//           rearm() one to five system calls.
// Peer dies see wake_pipe, wake_word and death_watch. A death that the kernel cannot tell of, as of a
//           process in another PID namespace, or tells of late, is found by the timer's slice.
#pragma once

#include <partywall/export.hpp>
#include <partywall/os/unique_fd.hpp>
#include <partywall/registry/death_watch.hpp>
#include <partywall/registry/descriptor_errc.hpp>
#include <partywall/result.hpp>
#include <partywall/wait/waitable.hpp>
#include <partywall/wait/wake_pipe.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace partywall::inline v0::detail {

class participant_core;

/// The answer of a handle that was closed.
PARTYWALL_API failure<descriptor_errc> no_descriptor_of_closed() noexcept;
/// A word that no arming of this process had before.
PARTYWALL_API std::uint64_t new_wake_word(std::uint32_t number) noexcept;

class wait_descriptor {
  public:
    /// `registry`: changes of the registry make it readable, too.
    PARTYWALL_API static result<std::unique_ptr<wait_descriptor>, failure<descriptor_errc>>
    make(std::shared_ptr<participant_core> participant, bool registry) noexcept;
    PARTYWALL_API ~wait_descriptor();
    wait_descriptor(wait_descriptor const&) = delete;
    wait_descriptor& operator=(wait_descriptor const&) = delete;

    int fd() const noexcept { return epoll_.get(); }
    std::uint32_t number() const noexcept { return pipe_.number(); }
    bool armed() const noexcept { return armed_; }

    /// A look for something found nothing. True: it was not armed and is now, so look again.
    PARTYWALL_API bool rearm(waitable& who, wait_list& words) noexcept;
    /// There may be something after all: readable (I2).
    void disturb() noexcept {
        if (armed_) {
            armed_ = false;
            pipe_.kick();
        }
    }
    /// The same where nobody but the owner polls, who looks before he does.
    void disarm() noexcept { armed_ = false; }
    /// Readable, by another thread or from a signal handler, whatever the state.
    void kick() const noexcept { pipe_.kick(); }

    // ---- for wait_set ----

    /// Readiness of another descriptor, which counts as well.
    struct other {
        std::uint64_t tag;
        std::uint32_t events;
    };
    /// `tag` from first_tag up; `events` as of epoll. 0 or an errno value.
    static constexpr std::uint64_t first_tag = 16;
    PARTYWALL_API int watch_other(int fd, std::uint32_t events, std::uint64_t tag) noexcept;
    PARTYWALL_API void unwatch_other(int fd) noexcept;
    /// Those that are ready now.
    PARTYWALL_API std::span<other const> look_at_others() noexcept;
    /// Waits until it is readable, or the time.
    PARTYWALL_API void wait_until(std::uint64_t until_ns) noexcept;
    /// After rearm(): readable at this time, too.
    PARTYWALL_API void readable_at(std::uint64_t time_ns) noexcept;

  private:
    struct seen {
        bool pipe = false;
        bool timer = false;
        bool registry = false;
        bool death = false;
        bool any() const noexcept { return pipe || timer || registry || death; }
    };

    wait_descriptor() = default;
    int open(bool registry);
    int watch(int fd, std::uint32_t events, std::uint64_t tag) noexcept;
    seen look() noexcept;
    void drain(seen const& what) noexcept;
    void tick_every(std::uint64_t ns) noexcept;

    std::shared_ptr<participant_core> participant_;
    os::unique_fd epoll_;
    os::unique_fd timer_;
    wake_pipe pipe_;
    death_watch deaths_;
    std::uint64_t tick_ns_ = 0;
    std::vector<other> others_;     ///< as of the last look
    std::vector<std::byte> events_; ///< memory for the kernel's answer
    std::size_t watched_ = 0;       ///< other descriptors
    bool follows_registry_ = false;
    bool armed_ = false;
};

} // namespace partywall::inline v0::detail
