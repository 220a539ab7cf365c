// SPDX-License-Identifier: BSL-1.0
// How whoever answers goes through what is there: servers and respondents.
#pragma once

#include "reply_port.hpp"

#include <partywall/calls/server_core.hpp>
#include <partywall/detail/mutant.hpp>
#include <partywall/endpoint/wait_errc.hpp>
#include <partywall/os/clock.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace partywall::inline v0::detail {

/// Of an `end`: take() gives the next message, or why there is none; deal_with(message, time) does.
struct serving {
    struct polled {
        std::size_t count = 0; ///< requests
        bool alive = true;     ///< false: a handler has destroyed `end`
    };

    /// A handler that polls its own end gets nothing: one request at a time.
    template <class End>
    static polled poll(End& end, std::size_t most) noexcept {
        polled p;
        if (end.serving_) {
            return p;
        }
        while (p.count < most) {
            taken const t = end.try_for_descriptor([&end] { return end.take(); });
            switch (t.error) {
            case receive_errc::none:
                p.count += 1;
                p.alive = serve(end, t, os::monotonic_ns());
                if (!p.alive) {
                    return p;
                }
                break;
            case receive_errc::peer_died:
            case receive_errc::publisher_closed:
            case receive_errc::refused:
            case receive_errc::corrupt: break; // one has gone: source_ended() dealt with it
            default: return p;
            }
        }
        return p;
    }

    /// `closed` too for a handler that runs its own end.
    template <class End>
    static wait_errc run_until(End& end, std::uint64_t until_ns) noexcept {
        if (end.serving_) {
            return wait_errc::closed;
        }
        auto const take = [&end] { return end.take(); };
        for (;;) {
            if (end.mark_.is_child()) {
                return wait_errc::forked;
            }
            if (end.interrupted()) {
                return wait_errc::interrupted;
            }
            taken t = take();
            std::uint64_t now = 0;
            if (t.error == receive_errc::empty) {
                now = os::monotonic_ns();
                t = end.wait_on(take, now, until_ns);
                // How late it is by the look that found the request is late enough: so no clock is
                // read between a request that was waited for and its answer.
                now = end.looked_at_ns_;
            }
            switch (t.error) {
            case receive_errc::none:
                if (!serve(end, t, now != 0 ? now : os::monotonic_ns())) {
                    return wait_errc::closed;
                }
                break;
            case receive_errc::timed_out: return wait_errc::timed_out;
            case receive_errc::interrupted: return wait_errc::interrupted;
            case receive_errc::forked: return wait_errc::forked;
            case receive_errc::too_many_samples:
            case receive_errc::no_memory: return wait_errc::closed; // cannot be: nothing is held
            default: break;                                         // one has gone
            }
        }
    }

    /// Until no answer is owed any more, or the time: what is there is dealt with.
    template <class End>
    static bool drain(End& end, std::uint64_t until_ns) noexcept {
        (void)end.say_health(health::draining);
        for (;;) {
            if (!poll(end, ~std::size_t{0}).alive) {
                return true;
            }
            // acquire: pairs with the release when an answer was given.
            if (end.load_->deferred.load(std::memory_order_acquire) == 0) {
                return true;
            }
            std::uint64_t const now = os::monotonic_ns();
            if (now >= until_ns) {
                return false;
            }
            // Ends with a request, a deferred answer (it kicks), or its slice.
            std::uint64_t const slice_end = std::min(until_ns, now + slice::polling_ns);
            taken const t = end.wait_on([&end] { return end.take(); }, now, slice_end);
            if (t.error == receive_errc::none && !serve(end, t, os::monotonic_ns())) {
                return true;
            }
        }
    }

    /// Runs the handler where its answer goes, and sends what it leaves. False: nobody is there to
    /// hear it, and it was not run.
    static bool answer(request_handler& handler, exchange& x, reply_port& out) noexcept {
        x.answer = out.begin();
        if (x.answer == nullptr) [[unlikely]] {
            return false;
        }
        x.room = out.room();
        handler.handle(x);
        if (PARTYWALL_MUTANT(executed_twice)) {
            handler.handle(x);
        }
        if (x.answer_bytes > x.room) [[unlikely]] {
            x.fail(reply_status::too_large, 0, {});
        }
        out.commit(
            {x.id, x.status, x.code, {x.text.data(), x.text_bytes}, x.context->reply_header()},
            x.answer_bytes);
        return true;
    }

  private:
    /// False: a handler has closed `end`, which is no more.
    template <class End>
    static bool serve(End& end, taken const& t, std::uint64_t now_ns) noexcept {
        bool closed = false;
        end.closed_too_ = &closed;
        end.serving_ = true;
        end.deal_with(t, now_ns);
        end.serving_ = false;
        end.closed_too_ = nullptr;
        end.release(t.hold); // closed: destroys it
        return !closed;
    }
};

} // namespace partywall::inline v0::detail
