// SPDX-License-Identifier: BSL-1.0
// A client's streams: replies that come one by one, and what their server is told of them. That
// travels as notes in the lane of requests; where there is no room for one it goes later.
#include <partywall/calls/client_core.hpp>

#include "call_parts.hpp"

#include <partywall/os/clock.hpp>

#include <algorithm>
#include <new>
#include <utility>

namespace partywall::inline v0::detail {

std::uint32_t client_core::window_for(std::uint32_t wanted) const noexcept {
    return std::clamp(wanted, 1U, std::min(options_.calls_max, stream_window_max));
}

bool client_core::make_stream(std::uint32_t window) noexcept {
    try {
        next_stream_ = std::make_unique<stream_state>(window);
        return true;
    } catch (std::bad_alloc const&) {
        return false;
    }
}

/// A reply to `s`: one of several, or the last one.
void client_core::accept_of_stream(call_slot& s, taken const& t) noexcept {
    stream_state& in = *s.stream;
    call_result r = result_of(s, t); // from here on: what the server writes now changes nothing
    bool const wanted = s.owned && !s.done;
    if (r.status != reply_status::item) {
        reply_came(s);
        if (wanted) {
            finish(s, copy_of(std::move(r)));
        } else {
            free_if_over(s);
        }
        return;
    }
    if (in.credit == 1) { // more than the window: no server of ours
        late_ += 1;
        if (wanted) {
            finish(s, call_result(call_errc::corrupt, executed::maybe));
        }
        return;
    }
    in.credit -= 1; // I2: it is one of those that are not given back
    if (link* const l = find_link(s.server)) {
        l->open -= 1;
    }
    if (!wanted) {
        late_ += 1;
        return;
    }
    if (in.count != 0 || index_of(s) != reading_) {
        r = copy_of(std::move(r)); // out of the lane, which is for others
    }
    if (r.reason != call_ok) {
        finish(s, std::move(r)); // no memory: what follows would be a stream with a hole
        return;
    }
    // There is a place: no more than the window is between what came and what the server was told.
    in.items[(in.first + in.count) % in.window] = std::move(r);
    in.count += 1;
    s.start_ns = ~std::uint64_t{0}; // how long it goes on does not say how slow the server is
    completed_ += 1;
}

/// False: there is no room now.
bool client_core::note(call_slot const& s, link& l, std::uint64_t read,
                       std::uint32_t flags) noexcept {
    if (!l.out->attached() || l.out->admit_attached() != send_ok) {
        return false;
    }
    auto& header = *reinterpret_cast<request_header*>(l.out->begin());
    header = {}; // plain stores: nobody reads the cell before it is stamped
    header.id = call_id(index_of(s), s.generation);
    header.deadline_ns = read;
    header.flags = request_flag::note | flags;
    l.out->commit(body_offset_);
    l.out->announce();
    return true;
}

/// So that the server goes on. Told by halves of the window: the other half is under way meanwhile.
void client_core::tell_read(call_slot& s) noexcept {
    stream_state& in = *s.stream;
    auto const more = static_cast<std::uint32_t>(in.read - in.told); // no more than the window
    if (more < (in.window + 1) / 2 || !s.open || s.done) {
        return;
    }
    link* const l = find_link(s.server);
    // I2. No room while replies are held: then at the next look.
    if (l != nullptr && has_credit(*l, more) && note(s, *l, in.read, 0)) {
        in.told = in.read;
        in.credit += more;
        l->open += more;
    }
}

/// Nobody reads on, and the server has still to say something.
void client_core::owe_stop(call_slot& s) noexcept {
    s.stream->stop_owed = true;
    tell_stops();
}

/// Those that find no room are told with the next call, or when something is waited for. A server
/// that is never told is stopped by the window, and then by the deadline.
void client_core::tell_stops() noexcept {
    stops_owed_ = false;
    for (call_slot& s : slots_) {
        if (!s.open || s.stream == nullptr || !s.stream->stop_owed) {
            continue;
        }
        link* const l = find_link(s.server);
        s.stream->stop_owed = l != nullptr && !note(s, *l, s.stream->read, request_flag::stop);
        stops_owed_ = stops_owed_ || s.stream->stop_owed;
    }
}

call_result client_core::next_of(std::uint32_t index, std::uint64_t until_ns, bool& over) noexcept {
    over = mark_.is_child();
    if (over) {
        return {call_errc::forked, executed::maybe};
    }
    call_slot& s = slots_[index];
    stream_state& in = *s.stream;
    tell_read(s); // what was read before is given back by now, or is held
    if (!has_next(index)) {
        keep_alive();
        bool const may_hold = (free_holds_ & (free_holds_ - 1)) != 0; // and look at what comes
        std::uint32_t const before = std::exchange(reading_, may_hold ? index : none);
        call_errc const e = drive_stream(s, until_ns);
        reading_ = before;
        run_completions();
        let_die(); // the stream itself keeps us
        if (!has_next(index)) {
            return {e, executed::maybe};
        }
    }
    if (in.count != 0) {
        call_result r = std::move(in.items[in.first]);
        in.first = in.first + 1 == in.window ? 0 : in.first + 1;
        in.count -= 1;
        in.read += 1;
        return r;
    }
    over = true;
    return take_result(index);
}

} // namespace partywall::inline v0::detail
