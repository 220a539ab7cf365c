// SPDX-License-Identifier: BSL-1.0
#include <partywall/registry/death_watch.hpp>

#include <partywall/limits.hpp>
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

bool death_watch::listen_for(life_sign const& peer) noexcept {
    if (peer.ticket == own_) {
        return true; // nobody is left then who would have to be told
    }
    for (told& one : all_) {
        if (one.ticket == peer.ticket) {
            one.wanted = true;
            return static_cast<bool>(one.process);
        }
    }
    if (peer.pid <= 0 || all_.size() == processes_told_max) {
        return false;
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
    bool const is_told = static_cast<bool>(process);
    all_.push_back({peer.ticket, std::move(process), true}); // there is room: reserved
    return is_told;
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
}

void death_watch::let_go(told& one) const noexcept {
    if (one.process) {
        // A forked child may have a copy, so closing ours alone would leave it in there.
        (void)::epoll_ctl(epoll_, EPOLL_CTL_DEL, one.process.get(), nullptr);
        one.process.reset();
    }
}

} // namespace partywall::inline v0::detail
