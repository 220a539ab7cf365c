// SPDX-License-Identifier: BSL-1.0
#include <partywall/calls/stream_writer.hpp>

#include "reply_port.hpp"
#include "stream_flow.hpp"

#include <partywall/endpoint/reading_end.hpp>
#include <partywall/os/clock.hpp>
#include <partywall/segment/atomics.hpp>

#include <algorithm>
#include <new>
#include <utility>

namespace partywall::inline v0 {

std::string_view to_string(stream_errc e) noexcept {
    switch (e) {
    case stream_errc::full: return "window full";
    case stream_errc::gone: return "nobody reads";
    case stream_errc::too_large: return "reply too large";
    }
    return "no error";
}

namespace detail {

/// The flow is apart from it: the port looks at that at any time, and may not be the last to have
/// the duty.
struct stream_body {
    stream_body(deferred_core&& owed, std::shared_ptr<stream_flow>&& with) noexcept
        : duty(std::move(owed)), flow(std::move(with)) {}
    deferred_core duty;
    std::shared_ptr<stream_flow> flow;
    std::uint64_t sent = 0;
    char const* servers_thread = &thread_mark; ///< which alone hears how far the client has read
};

stream_core::stream_core(exchange& x) noexcept {
    deferred_core duty(x);
    if (x.window == 0 && x.context->wants_reply()) {
        (void)duty.fail(reply_status::failed, 0, "the server answers with a stream");
        return;
    }
    try {
        auto flow = std::make_shared<stream_flow>(x.window);
        if (x.port != nullptr && x.context->wants_reply()) {
            (*x.port)->add_stream(x.id, flow);
        } else {
            flow->stop(); // nobody waits for an answer
        }
        body_ = std::make_shared<stream_body>(std::move(duty), std::move(flow));
    } catch (std::bad_alloc const&) {
        (void)duty.fail(reply_status::failed, 0, "the server has no memory");
    }
}

bool stream_core::wanted() const noexcept {
    return body_ != nullptr && !body_->flow->stopped() && body_->duty.wanted() &&
           os::monotonic_ns() < body_->duty.context().deadline_ns();
}

call_context const& stream_core::context() const noexcept {
    static call_context const none;
    return body_ != nullptr ? body_->duty.context() : none;
}

void stream_core::set_header(call_header const& header) noexcept {
    if (body_ != nullptr) {
        body_->duty.set_header(header);
    }
}

bool stream_core::finish() noexcept { return body_ != nullptr && body_->duty.end(); }

bool stream_core::fail(std::int32_t code, std::string_view text) noexcept {
    return body_ != nullptr && body_->duty.fail(reply_status::failed, code, text);
}

/// The handler threw, and was the last to have it: what is the last to have `body` sees all of it.
void stream_core::threw(std::string_view text) noexcept {
    if (body_ != nullptr && body_.use_count() == 1) {
        std_atomics::fence(std::memory_order_acquire); // pairs with the last decrement's release
        (void)body_->duty.fail(reply_status::threw, 0, text);
    }
}

stream_errc stream_core::send(std::byte const* message, std::uint64_t bytes,
                              std::uint64_t wait_ns) noexcept {
    if (body_ == nullptr || !body_->duty.owed()) {
        return stream_errc::gone;
    }
    stream_flow& flow = *body_->flow;
    if (!flow.stopped() && bytes > body_->duty.room()) {
        return stream_errc::too_large;
    }
    std::uint64_t until = 0; // not known yet
    for (;;) {
        std::uint32_t const seen = flow.news();
        std::uint64_t const under_way = flow.under_way(body_->sent);
        if (flow.stopped() || under_way > flow.window()) {
            return stream_errc::gone;
        }
        if (under_way < flow.window()) {
            break;
        }
        // Whoever gave up at its deadline reads no more, and could not always say so.
        std::uint64_t const now = os::monotonic_ns();
        std::uint64_t const deadline = body_->duty.context().deadline_ns();
        if (now >= deadline) {
            return stream_errc::gone;
        }
        until = until == 0 ? os::deadline_after(now, wait_ns) : until;
        if (now >= until || body_->servers_thread == &thread_mark) {
            return stream_errc::full;
        }
        flow.sleep(seen, std::min(until, deadline));
    }
    body_->sent += 1;
    return body_->duty.item(message, bytes) ? stream_errc{} : stream_errc::gone;
}

} // namespace detail
} // namespace partywall::inline v0
