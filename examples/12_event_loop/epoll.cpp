// SPDX-License-Identifier: BSL-1.0
// One thread, two handles, and an epoll loop of its own: fd() is readable when there may be something.
//
//     12_event_loop_epoll & 12_event_loop_market
#include "trade.hpp"

#include <partywall/partywall.hpp>

#include <cstdio>
#include <sys/epoll.h>
#include <unistd.h>

static void add(int loop, int fd, std::uint32_t number) {
    epoll_event event{};
    event.events = EPOLLIN; // level-triggered
    event.data.u32 = number;
    ::epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
}

int main() try {
    auto me = partywall::join("epoll").value();
    partywall::subscriber_options all;
    all.delivery = partywall::delivery::lossless;
    auto tape = me.subscriber<trade>("tape", all).value();
    auto desk = me.receiver<order>("desk").value();

    int const loop = ::epoll_create1(EPOLL_CLOEXEC);
    add(loop, tape.fd().value(), 1);
    add(loop, desk.fd().value(), 2);

    std::uint64_t traded = 0;
    std::uint64_t ordered = 0;
    while (traded < trades || ordered < orders) {
        epoll_event event{};
        if (::epoll_wait(loop, &event, 1, 30'000) != 1) {
            break;
        }
        // Until nothing is there: only a call that finds nothing drains the descriptor.
        if (event.data.u32 == 1) {
            while (auto t = tape.try_receive()) {
                traded += t->number == traded ? 1 : 0;
            }
        } else {
            while (auto o = desk.try_receive()) {
                ordered += o->number == ordered ? 1 : 0;
            }
        }
    }
    ::close(loop);
    std::printf("%llu trades, %llu orders\n", static_cast<unsigned long long>(traded),
                static_cast<unsigned long long>(ordered));
    return traded == trades && ordered == orders ? 0 : 1;
} catch (partywall::error const& e) {
    std::fprintf(stderr, "epoll: %s\n", e.what());
    return 1;
}
