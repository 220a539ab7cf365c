// SPDX-License-Identifier: BSL-1.0
// The same in a loop of Boost.Asio, beside its timers and sockets. Built where Asio is found.
//
//     12_event_loop_asio & 12_event_loop_market
#include "trade.hpp"

#include <partywall/partywall.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdio>
#include <functional>

namespace asio = boost::asio;

/// Calls `take` whenever the handle may have something, until it returns false. The handle keeps its
/// descriptor: what Asio would close at the end is released first.
class watched {
  public:
    watched(asio::io_context& loop, int fd, std::function<bool()> take)
        : descriptor_(loop, fd), take_(std::move(take)) {
        wait();
    }
    ~watched() { descriptor_.release(); }
    watched(watched const&) = delete;
    watched& operator=(watched const&) = delete;

  private:
    void wait() {
        descriptor_.async_wait(asio::posix::stream_descriptor::wait_read,
                               [this](boost::system::error_code const& error) {
                                   if (!error && take_()) {
                                       wait();
                                   }
                               });
    }

    asio::posix::stream_descriptor descriptor_;
    std::function<bool()> take_;
};

int main() try {
    auto me = partywall::join("asio").value();
    partywall::subscriber_options all;
    all.delivery = partywall::delivery::lossless;
    auto tape = me.subscriber<trade>("tape", all).value();
    auto desk = me.receiver<order>("desk").value();

    asio::io_context loop;
    asio::steady_timer patience(loop, std::chrono::seconds(30));
    patience.async_wait([&](boost::system::error_code const& error) {
        if (!error) {
            loop.stop();
        }
    });
    std::uint64_t traded = 0;
    std::uint64_t ordered = 0;
    auto const is_over = [&] {
        bool const over = traded == trades && ordered == orders;
        if (over) {
            loop.stop();
        }
        return over;
    };
    watched const trades_come(loop, tape.fd().value(), [&] {
        while (auto t = tape.try_receive()) {
            traded += t->number == traded ? 1 : 0;
        }
        return !is_over();
    });
    watched const orders_come(loop, desk.fd().value(), [&] {
        while (auto o = desk.try_receive()) {
            ordered += o->number == ordered ? 1 : 0;
        }
        return !is_over();
    });
    loop.run();
    std::printf("%llu trades, %llu orders\n", static_cast<unsigned long long>(traded),
                static_cast<unsigned long long>(ordered));
    return traded == trades && ordered == orders ? 0 : 1;
} catch (std::exception const& e) {
    std::fprintf(stderr, "asio: %s\n", e.what());
    return 1;
}
