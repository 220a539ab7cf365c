// SPDX-License-Identifier: BSL-1.0
#include <partywall/registry/death_watch.hpp>

#include <partywall/limits.hpp>
#include <partywall/os/clock.hpp>
#include <partywall/os/process.hpp>
#include <partywall/os/robust_word.hpp>

#include <algorithm>
#include <sys/epoll.h>

namespace partywall::inline v0::detail {

void death_watch::open(int epoll, std::uint64_t own) {
    all_.reserve(processes_told_max);
    epoll_ = epoll;
    own_ = own;
}

namespace {

/// What is not known is taken for much: then the slices find its death.
bool has_much_memory(int pid) noexcept {
    return os::resident_bytes(pid) > death_watch::memory_told_soon_max;
}

} // namespace

death_notice death_watch::listen_for(life_sign const& peer) noexcept {
    auto const notice_of = [](told const& one) {
        return !one.process ? death_notice::none
               : one.large  ? death_notice::late
                            : death_notice::soon;
    };
    if (peer.ticket == own_) {
        return death_notice::soon; // nobody is left then who would have to be told
    }
    for (told& one : all_) {
        if (one.ticket == peer.ticket) {
            one.wanted = true;
            return notice_of(one);
        }
    }
    if (peer.pid <= 0 || all_.size() == processes_told_max) {
        return death_notice::none;
    }
    os::unique_fd process = os::open_process(peer.pid);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = tag_bit | peer.ticket;
    // It holds its life word after the descriptor was opened: so it lived, and the pid was its own.
    if (!process || !os::robust_is_held(os::robust_value(peer.word)) ||
        ::epoll_ctl(epoll_, EPOLL_CTL_ADD, process.get(), &event) != 0) {
        process.reset();
    }
    bool const large = process && has_much_memory(peer.pid);
    all_.push_back({peer.ticket, std::move(process), peer.pid, true, large,
                    os::monotonic_ns()}); // there is room
    return notice_of(all_.back());
}

/// I3. A process grows, or gives back, while it is listened for; the next arming knows.
void death_watch::look_at_next() noexcept {
    std::uint64_t const now = os::monotonic_ns();
    if (all_.empty() || now - looked_ns_ < look_every_ns) {
        return;
    }
    looked_ns_ = now;
    next_ = next_ + 1 < all_.size() ? next_ + 1 : 0;
    told& one = all_[next_];
    if (one.large && now - one.asked_ns < shrunk_after_ns) {
        return; // that it might have become small only saves work
    }
    one.asked_ns = now;
    one.large = one.process && has_much_memory(one.pid); // gone already: it is readable
}

void death_watch::ended(std::uint64_t tag) noexcept {
    for (told& one : all_) {
        if ((tag_bit | one.ticket) == tag) {
            let_go(one); // I1
        }
    }
}

void death_watch::forget_others() noexcept {
    std::erase_if(all_, [this](told& one) {
        bool const forgotten = !one.wanted;
        one.wanted = false;
        if (forgotten) {
            let_go(one);
        }
        return forgotten;
    });
    look_at_next();
}

void death_watch::let_go(told& one) const noexcept {
    if (one.process) {
        // A forked child may have a copy, so closing ours alone would leave it in there.
        (void)::epoll_ctl(epoll_, EPOLL_CTL_DEL, one.process.get(), nullptr);
        one.process.reset();
    }
}

} // namespace partywall::inline v0::detail
