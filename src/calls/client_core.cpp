// SPDX-License-Identifier: BSL-1.0
// A client's calls: sending, waiting, giving up. Servers that come and go are in client_links.cpp.
#include <partywall/calls/client_core.hpp>

#include "../oneway/inbox_segment.hpp"
#include "call_parts.hpp"

#include <partywall/calls/taking.hpp>
#include <partywall/detail/mutant.hpp>
#include <partywall/os/clock.hpp>
#include <partywall/os/membarrier.hpp>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

namespace partywall::inline v0::detail {
namespace {

/// Ends a wait: what was waited for is the case.
constexpr receive_errc over_now = receive_errc::refused;
/// A registry that changes all the time is not looked at all the time.
constexpr std::uint64_t look_interval_ns = 1'000'000;

} // namespace

// ---- results --------------------------------------------------------------------------------------

call_result& call_result::operator=(call_result&& other) noexcept {
    if (this != &other) {
        std::destroy_at(this);
        std::construct_at(this, std::move(other));
    }
    return *this;
}

call_error call_result::error() const noexcept {
    call_error e(reason, executed);
    e.refused_here = refused_here;
    e.code = code;
    e.fault = fault_of(status);
    if (e.fault != server_fault::none && body != nullptr) {
        e.set_text({reinterpret_cast<char const*>(body), static_cast<std::size_t>(bytes)});
    }
    return e;
}

/// What a reply to `s` says. It is only read once: a server may write what it likes. `given_up`: what
/// it is called here that a server found the call cancelled.
call_result client_core::result_of(call_slot& s, taken const& t, call_errc given_up) noexcept {
    auto const header = header_at<reply_header>(t.data);
    std::uint64_t const room = t.bytes - reply_body_offset_;
    call_result r(call_errc::corrupt, executed::maybe);
    r.status = static_cast<reply_status>(header.status);
    r.code = header.code;
    r.server = t.publisher;
    std::copy_n(header.user, call_header_bytes, r.user.begin());
    r.body = t.data + reply_body_offset_;
    r.bytes = std::min<std::uint64_t>({header.text_bytes, call_text_bytes_max, room});
    r.core = this;
    r.hold = t.hold;
    switch (r.status) {
    case reply_status::item:
        if (s.stream == nullptr) {
            break; // one of several replies, to a call
        }
        r.reason = call_ok;
        r.bytes = reply_body_bytes_ != 0 ? reply_body_bytes_ : room;
        return r; // which does not say how the call went
    case reply_status::end:
        if (s.stream != nullptr) {
            r.reason = call_errc::end_of_stream;
        }
        break;
    case reply_status::value:
        r.reason = call_ok;
        r.bytes = reply_body_bytes_ != 0 ? reply_body_bytes_ : room;
        break;
    case reply_status::failed:
    case reply_status::threw:
    case reply_status::unanswered:
    case reply_status::declined:
    case reply_status::too_large: r.reason = call_errc::server_error; break;
    case reply_status::expired:
        r.reason = call_errc::deadline;
        r.executed = executed::no;
        break;
    case reply_status::cancelled:
        r.reason = given_up;
        r.executed = executed::no;
        break;
    case reply_status::draining:
        r.reason = call_errc::draining;
        r.executed = executed::no;
        if (link* const l = find_link(t.publisher)) {
            l->draining = true; // until the registry says otherwise
        }
        break;
    case reply_status::overloaded:
        r.reason = call_errc::overloaded;
        r.executed = executed::no;
        break;
    case reply_status::missed: break; // to a call: corrupt
    }
    record(s, r);
    return r;
}

// ---- slots ----------------------------------------------------------------------------------------

/// Which call a reply says that it answers. Once: its server may write another one in its place.
std::uint64_t client_core::id_in(taken const& t) noexcept {
    return std_atomics::load(reinterpret_cast<reply_header const*>(t.data)->id,
                             std::memory_order_relaxed); // ordered by the stamp that was looked at
}

bool client_core::is_for(taken const& t, std::uint64_t id, call_slot const& s) const noexcept {
    return (id == call_id(index_of(s), s.generation) ||
            (PARTYWALL_MUTANT(generation_ignored) && slot_of(id) == index_of(s))) &&
           s.open && t.publisher == s.server;
}

/// Whose reply it is; nullptr: nobody's any more, or nobody's ever.
client_core::call_slot* client_core::addressee(taken const& t) noexcept {
    if (t.bytes < reply_body_offset_) {
        return nullptr;
    }
    std::uint64_t const id = id_in(t);
    std::uint32_t const index = slot_of(id);
    if (index >= slots_.size() || !is_for(t, id, slots_[index])) {
        return nullptr;
    }
    return &slots_[index];
}

/// Its last reply is here: the credit comes back.
void client_core::reply_came(call_slot& s) noexcept {
    s.open = false;
    open_calls_ -= 1;
    if (link* const l = find_link(s.server)) {
        l->open -= s.credit();
    }
}

void client_core::free_if_over(call_slot& s) noexcept {
    if ((!s.open || PARTYWALL_MUTANT(slot_freed_on_a_timeout)) && !s.owned) { // I1
        s.generation += 1;
        s.done = false;
        s.stream.reset();
        free_slots_.push_back(index_of(s)); // there is room: reserved
    }
}

void client_core::finish(call_slot& s, call_result&& how) noexcept {
    record(s, how);
    s.kept = std::move(how);
    s.done = true;
    completed_ += 1;
    if (s.stream != nullptr && s.open) { // the server does not know
        owe_stop(s);
    }
    if (s.then != nullptr) {
        due_.push_back(index_of(s)); // there is room: reserved
    }
}

/// Out of the lane, which is for others: whoever wants it comes later.
void client_core::keep(call_slot& s, taken const& t) noexcept {
    finish(s, copy_of(result_of(s, t)));
}

/// Gives the reply itself back.
call_result client_core::copy_of(call_result&& r) noexcept {
    r.memory.reset(new (std::nothrow) std::byte[r.bytes + spacing_bytes]);
    if (r.memory == nullptr) {
        return {call_errc::no_memory, executed::maybe};
    }
    std::byte* const body = message_memory::aligned(r.memory.get());
    if (r.bytes != 0) {
        std::memcpy(body, r.body, r.bytes);
    }
    r.body = body;
    r.drop();
    return std::move(r);
}

/// A reply that nobody waits for this moment.
void client_core::accept(taken const& t) noexcept {
    call_slot* const s = addressee(t);
    if (s == nullptr) {
        late_ += 1;
        release(t.hold);
        return;
    }
    if (s->stream != nullptr) [[unlikely]] {
        accept_of_stream(*s, t);
        return;
    }
    reply_came(*s);
    if (s->owned && !s->done) {
        keep(*s, t); // releases
        return;
    }
    late_ += 1;
    release(t.hold);
    free_if_over(*s);
}

/// The same where completions may run: in place.
void client_core::deliver(taken const& t) noexcept {
    call_slot* const s = addressee(t);
    if (s == nullptr || s->then == nullptr || s->done || running_) {
        accept(t);
        return;
    }
    reply_came(*s);
    std::unique_ptr<completion> const then = std::move(s->then);
    s->owned = false;
    free_if_over(*s);
    completed_ += 1;
    running_ = true;
    then->run(result_of(*s, t));
    running_ = false;
}

// ---- giving up ------------------------------------------------------------------------------------

void client_core::store_cancel(call_slot& s) noexcept {
    link const* const l = find_link(s.server);
    // What was given back was taken: there is nothing to cancel.
    if (l != nullptr && !l->out->gave_back(s.position)) {
        taking<>::give_up(s.request->cancel);
    }
}

/// I3. `fenced`: the heavy half was run in between.
executed client_core::judge(sender_core const& out, std::uint64_t position, bool fenced) noexcept {
    bool const reached = taking<>::is_reached(out.taken_word(), position);
    bool const certain = fenced || out.receiver_fences() == fence_pair::publisher;
    return PARTYWALL_MUTANT(always_not_executed) || (certain && !reached) ? executed::no
                                                                          : executed::maybe;
}

executed client_core::give_up(call_slot& s) noexcept {
    store_cancel(s);
    bool const fenced = os::heavy_fence(); // pairs with the light one in server_core::deal_with()
    link const* const l = find_link(s.server);
    return l != nullptr ? judge(*l->out, s.position, fenced) : executed::maybe;
}

/// Calls that somebody will ask for, and that are too late.
void client_core::expire(std::uint64_t now_ns) noexcept {
    if (now_ns < next_expiry_ns_) {
        return;
    }
    auto const is_late = [now_ns](call_slot const& s) {
        return s.open && s.owned && !s.done && s.deadline_ns <= now_ns;
    };
    for (call_slot& s : slots_) {
        if (is_late(s)) {
            store_cancel(s);
        }
    }
    bool const fenced = os::heavy_fence(); // one for all of them
    next_expiry_ns_ = ~std::uint64_t{0};
    for (call_slot& s : slots_) {
        if (is_late(s)) {
            link const* const l = find_link(s.server);
            finish(s, call_result(call_errc::deadline, l != nullptr
                                                           ? judge(*l->out, s.position, fenced)
                                                           : executed::maybe));
        } else if (s.open && s.owned && !s.done) {
            next_expiry_ns_ = std::min(next_expiry_ns_, s.deadline_ns);
        }
    }
}

// ---- calling --------------------------------------------------------------------------------------

call_errc client_core::begin(call_draft& draft, call_options const& options,
                             std::uint64_t until_ns) noexcept {
    if (mark_.is_child() || over_) [[unlikely]] {
        return over_ ? call_errc::closed : call_errc::forked;
    }
    enter();
    if (draft.wants_reply && (free_holds_ & (free_holds_ - 1)) == 0) [[unlikely]] {
        return call_errc::too_many_held; // the last one is for looking at what comes
    }
    std::uint64_t now = os::monotonic_ns();
    seen_ns_ = now;
    std::uint64_t const wait = options.deadline.count() > 0
                                   ? static_cast<std::uint64_t>(options.deadline.count())
                                   : default_deadline_ns_;
    draft.start_ns = now;
    draft.deadline_ns = std::min(until_ns, os::deadline_after(now, wait));
    if (now >= draft.deadline_ns) [[unlikely]] {
        return call_errc::deadline; // what was inherited is used up
    }
    // acquire, before looking: whoever comes after the look has changed it.
    if (std_atomics::load(participant_->epoch_word(), std::memory_order_acquire) != epoch_seen_ &&
        (links_.empty() || now - looked_for_servers_ns_ > look_interval_ns)) [[unlikely]] {
        look_for_servers(now);
    }
    if (stops_owed_) [[unlikely]] {
        tell_stops();
    }
    if (draft.window != 0 && !make_stream(draft.window)) [[unlikely]] {
        return call_errc::no_memory;
    }
    std::uint32_t const need = draft.window + 1; // one is its last
    bool const wait_for_room =
        options.wait_for_room || options_.when_full == partywall::when_full::wait;
    for (;;) {
        link* l = choose();
        if (l == nullptr) [[unlikely]] {
            if (call_errc const e = find_server(options.wait_for_ready || options_.wait_for_ready,
                                                draft.deadline_ns, l);
                e != call_ok) {
                return e;
            }
            now = os::monotonic_ns(); // it may have waited
        }
        if (!pass(draft, l, now)) [[unlikely]] {
            return call_errc::circuit_open;
        }
        if (draft.wants_reply && (free_slots_.empty() || !has_credit(*l, need))) [[unlikely]] {
            if (call_errc const e = make_slot(l, need, wait_for_room, draft.deadline_ns);
                e != call_ok) {
                withdraw(draft);
                return e;
            }
            if (l == nullptr) { // its server ended meanwhile
                withdraw(draft);
                continue;
            }
        }
        send_errc const e = l->out->admit_attached();
        if (e != send_ok) [[unlikely]] {
            if (call_errc const why = make_room(*l, e, wait_for_room, draft.deadline_ns);
                why != call_ok) {
                withdraw(draft);
                return why;
            }
            if (!l->out->attached()) {
                withdraw(draft);
                continue;
            }
        }
        draft.link = static_cast<std::uint32_t>(l - links_.data());
        draft.frame = l->out->begin();
        draft.memory = draft.frame + body_offset_;
        draft.room = l->out->ring.geometry().message_bytes_max() - body_offset_;
        return call_ok;
    }
}

/// False: no breaker lets it through.
bool client_core::pass(call_draft& draft, link*& l, std::uint64_t now_ns) noexcept {
    draft.circuit = l->circuit;
    if (draft.circuit == nullptr) {
        return true;
    }
    draft.slip = draft.circuit->admit([now_ns] { return now_ns; });
    return draft.slip.how != admission_slip::kind::rejected || pass_elsewhere(draft, l, now_ns);
}

/// All slots are taken, or the lane for replies of `l`: what came may make room. `l` is nullptr
/// afterwards where its server ended.
call_errc client_core::make_slot(link*& l, std::uint32_t need, bool wait,
                                 std::uint64_t until_ns) noexcept {
    std::uint64_t const server = l->server;
    auto const is_room = [&] {
        l = find_link(server);
        return l == nullptr || (!free_slots_.empty() && has_credit(*l, need));
    };
    call_errc const e = drive(is_room, wait ? until_ns : 0);
    return e == call_errc::deadline ? call_errc::overloaded : e;
}

/// The server's lane has no room. ok: it has now, or its server ended.
call_errc client_core::make_room(link& l, send_errc e, bool wait, std::uint64_t until_ns) noexcept {
    if (wait && e == send_errc::timed_out) {
        std::uint64_t const now = os::monotonic_ns();
        e = l.out->admit_attached_for(until_ns > now ? until_ns - now : 0);
    }
    switch (e) {
    case send_errc::interrupted: return call_errc::interrupted;
    case send_errc::forked: return call_errc::forked;
    case send_errc::peer_died:
    case send_errc::no_receiver:
    case send_errc::closed: l.broken = true; return call_ok;
    default: return e == send_ok ? call_ok : call_errc::overloaded;
    }
}

std::uint32_t client_core::submit(call_draft& draft, call_options const& options,
                                  std::uint64_t bytes) noexcept {
    link& l = links_[draft.link];
    sender_core& out = *l.out;
    auto& header = *reinterpret_cast<request_header*>(draft.frame);
    std::uint32_t index = none;
    header.id = 0;
    header.flags = 0;
    if (draft.wants_reply) {
        index = free_slots_.back();
        free_slots_.pop_back();
        call_slot& s = slots_[index];
        s.open = true;
        s.owned = true;
        s.server = l.server;
        s.position = out.ring.position();
        s.request = &header;
        s.deadline_ns = draft.deadline_ns;
        s.start_ns = draft.start_ns;
        s.circuit = draft.circuit;
        s.slip = draft.slip;
        header.flags = request_flag::wants_reply;
        if (draft.window != 0) [[unlikely]] {
            s.stream = std::move(next_stream_);
            header.flags |= request_flag::stream | draft.window << request_flag::window_shift;
        }
        l.open += s.credit();
        open_calls_ += 1;
        header.id = call_id(index, s.generation);
    }
    if (!draft.wants_reply) {
        withdraw(draft); // nobody will say how it went
    }
    // Plain stores: nobody reads the cell before it is stamped.
    header.deadline_ns = draft.deadline_ns;
    header.cancel = 0;
    std::memcpy(header.user, options.header.data(), sizeof header.user);
    out.commit(body_offset_ + bytes);
    out.announce();
    return index;
}

call_result client_core::await(std::uint32_t index, std::uint64_t start_ns) noexcept {
    call_slot& s = slots_[index];
    auto const once = [&]() noexcept {
        for (;;) {
            taken t = take();
            switch (t.error) {
            case receive_errc::none:
                if (t.bytes >= reply_body_offset_ && is_for(t, id_in(t), s)) [[likely]] {
                    return t;
                }
                accept(t);
                break;
            case receive_errc::peer_died: // noted by source_ended()
            case receive_errc::publisher_closed:
            case receive_errc::corrupt: break;
            case receive_errc::empty:
                if (link_has_ended()) [[unlikely]] {
                    end_dead_links();
                    t = error(s.done ? over_now : receive_errc::empty);
                }
                return t;
            default: return t;
            }
        }
    };
    taken t = once();
    if (t.error == receive_errc::empty) [[likely]] {
        t = wait_on(once, start_ns, s.deadline_ns);
    }
    call_result r;
    call_errc given_up = call_errc::cancelled; // by somebody else
    if (t.error != receive_errc::none && !s.done) {
        given_up = t.error == receive_errc::interrupted ? call_errc::interrupted
                   : t.error == receive_errc::forked    ? call_errc::forked
                                                        : call_errc::deadline;
        r = call_result(given_up, executed::maybe);
        if (t.error != receive_errc::forked) {
            r.executed = give_up(s);
            t = once(); // it may have come meanwhile
        }
    }
    s.owned = false;
    if (t.error == receive_errc::none) [[likely]] {
        reply_came(s);
        free_if_over(s);
        return result_of(s, t, given_up);
    }
    if (s.done) {
        r = std::move(s.kept);
    }
    record(s, r);
    free_if_over(s);
    return r;
}

// ---- calls that nobody waits for yet --------------------------------------------------------------

void client_core::promise(std::uint32_t index) noexcept {
    next_expiry_ns_ = std::min(next_expiry_ns_, slots_[index].deadline_ns);
    keep_alive();
}

/// Deals with what comes until over(), or the time (deadline).
template <class Over>
call_errc client_core::drive(Over over, std::uint64_t until_ns) noexcept {
    auto const once = [&]() noexcept {
        for (;;) {
            taken const t = take();
            switch (t.error) {
            case receive_errc::none: accept(t); break;
            case receive_errc::peer_died: // noted by source_ended()
            case receive_errc::publisher_closed:
            case receive_errc::corrupt: break;
            case receive_errc::empty:
                if (link_has_ended()) [[unlikely]] {
                    end_dead_links();
                }
                return error(over() ? over_now : receive_errc::empty);
            default: return t;
            }
            if (over()) {
                return error(over_now);
            }
        }
    };
    if (stops_owed_) [[unlikely]] {
        tell_stops();
    }
    taken t = once();
    std::uint64_t now = os::monotonic_ns();
    if (t.error == receive_errc::empty && now >= next_expiry_ns_) { // also of who never waits
        expire(now);
        t = error(over() ? over_now : receive_errc::empty);
    }
    while (t.error == receive_errc::empty && now < until_ns) {
        t = wait_on(once, now, std::min(until_ns, next_expiry_ns_));
        now = os::monotonic_ns();
        if (t.error == receive_errc::timed_out) {
            expire(now);
            t = error(over() ? over_now : receive_errc::empty);
        }
    }
    switch (t.error) {
    case over_now: return call_ok;
    case receive_errc::interrupted: return call_errc::interrupted;
    case receive_errc::forked: return call_errc::forked;
    case receive_errc::too_many_samples: return call_errc::too_many_held;
    default: return call_errc::deadline;
    }
}

/// Until the stream has something to say.
call_errc client_core::drive_stream(call_slot& s, std::uint64_t until_ns) noexcept {
    return drive(
        [&] {
            tell_read(s);
            return has_next(index_of(s));
        },
        until_ns);
}

call_errc client_core::wait_done(std::uint32_t index, std::uint64_t until_ns) noexcept {
    if (mark_.is_child()) {
        return call_errc::forked;
    }
    call_slot& s = slots_[index];
    if (s.done) {
        return call_ok;
    }
    keep_alive();
    call_errc const e = drive([&s] { return s.done; }, until_ns);
    run_completions();
    let_die(); // whose result is waited for keeps us
    return e;
}

call_result client_core::fetch(std::uint32_t index) noexcept {
    if (mark_.is_child()) {
        return {call_errc::forked, executed::maybe};
    }
    if (slots_[index].done) {
        return take_result(index);
    }
    enter();
    seen_ns_ = os::monotonic_ns();
    call_result r = await(index, seen_ns_);
    run_completions();
    let_die();
    return r;
}

call_result client_core::take_result(std::uint32_t index) noexcept {
    call_slot& s = slots_[index];
    call_result r = std::move(s.kept);
    s.owned = false;
    free_if_over(s);
    let_die();
    return r;
}

void client_core::abandon(std::uint32_t index) noexcept {
    if (!mark_.is_child()) {
        call_slot& s = slots_[index];
        if (s.open && !s.done) {
            store_cancel(s);
            record(s, call_result(call_errc::cancelled, executed::maybe));
            if (s.stream != nullptr) {
                owe_stop(s);
            }
        }
        if (s.stream != nullptr) {
            s.stream->count = 0;
            s.stream->items.clear();
        }
        s.kept = call_result();
        s.owned = false;
        free_if_over(s);
    }
    let_die();
}

void client_core::cancel(std::uint32_t index) noexcept {
    call_slot& s = slots_[index];
    if (!mark_.is_child() && s.open && !s.done) {
        finish(s, call_result(call_errc::cancelled, give_up(s)));
    }
}

void client_core::complete_with(std::uint32_t index, std::unique_ptr<completion> then) noexcept {
    call_slot& s = slots_[index];
    if (over_) {
        then->run(take_result(index)); // nobody will poll any more
        return;
    }
    s.then = std::move(then);
    if (s.done) {
        due_.push_back(index); // there is room: reserved
    }
    let_die(); // the slot is ours again
}

void client_core::run_completions() noexcept {
    if (running_) {
        return; // one that makes calls: the others follow it
    }
    running_ = true;
    while (!due_.empty()) { // they may make more of them due
        call_slot& s = slots_[due_.front()];
        due_.erase(due_.begin());
        std::unique_ptr<completion> const then = std::move(s.then);
        call_result r = std::move(s.kept);
        s.owned = false;
        free_if_over(s);
        then->run(std::move(r));
    }
    running_ = false;
}

std::size_t client_core::poll() noexcept {
    if (mark_.is_child() || over_) {
        return 0;
    }
    enter();
    keep_alive();
    if (stops_owed_) [[unlikely]] {
        tell_stops();
    }
    std::size_t const before = completed_;
    for (;;) {
        taken const t = try_for_descriptor([this] { return take(); });
        if (t.error == receive_errc::none) {
            deliver(t);
            if (over_) {
                break; // a completion has closed us
            }
        } else if (t.error != receive_errc::peer_died &&
                   t.error != receive_errc::publisher_closed && t.error != receive_errc::corrupt) {
            break;
        }
    }
    if (!over_) {
        end_dead_links();
        if (next_expiry_ns_ != ~std::uint64_t{0}) {
            expire(os::monotonic_ns());
        }
        run_completions();
    }
    std::size_t const count = completed_ - before;
    let_die();
    return count;
}

result<std::size_t, call_errc> client_core::poll_until(std::uint64_t until_ns) noexcept {
    if (mark_.is_child() || over_) {
        return over_ ? call_errc::closed : call_errc::forked;
    }
    std::size_t count = poll();
    if (count != 0 || over_) {
        return count;
    }
    keep_alive();
    std::size_t const before = completed_;
    call_errc const e = drive([this, before] { return completed_ != before; }, until_ns);
    run_completions();
    count = completed_ - before;
    let_die();
    return e == call_ok ? result<std::size_t, call_errc>(count) : e;
}

void client_core::let_die() noexcept {
    keepers_ -= 1;
    if (keepers_ == 0 && over_ && !mark_.is_child()) {
        release(keeping_hold_); // this may be gone
    }
}

bool client_core::is_due() const noexcept {
    return !due_.empty() || link_has_ended() ||
           (next_expiry_ns_ != ~std::uint64_t{0} && os::monotonic_ns() >= next_expiry_ns_);
}

bool client_core::look() noexcept { return is_due() || receiver_core::look(); }

} // namespace partywall::inline v0::detail
