// SPDX-License-Identifier: BSL-1.0
// A server's life: its name, clients that come and go, and requests one after the other.
#include <partywall/calls/server_core.hpp>

#include "../oneway/inbox_segment.hpp"
#include "call_parts.hpp"
#include "reply_port.hpp"
#include "serving.hpp"
#include "worker_pool.hpp"

#include <partywall/calls/taking.hpp>
#include <partywall/detail/mutant.hpp>
#include <partywall/os/clock.hpp>

#include <algorithm>
#include <new>
#include <utility>

namespace partywall::inline v0::detail {
namespace {

/// For answers to requests that want none, where they are made in place.
constexpr std::uint64_t scratch_bytes = 65'536;

/// Counters that only we write.
std::uint64_t own(std::uint64_t const& word) noexcept {
    return std_atomics::load(word, std::memory_order_relaxed); // relaxed: figures
}

} // namespace

server_core::server_core(std::shared_ptr<participant_core> participant)
    : receiver_core(std::move(participant)) {}

server_core::~server_core() = default;

server_core::handle server_core::create(std::shared_ptr<participant_core> participant,
                                        std::string_view name, call_types const& types,
                                        server_options const& options,
                                        std::unique_ptr<request_handler> handler,
                                        failure<endpoint_errc>& why) noexcept {
    return made_or_why<handle>(why, [&]() -> result<handle, endpoint_failure> {
        std::string const doing = "cannot serve '" + std::string(name) + "'";
        if (auto const ok = may_make(*participant, doing, name); !ok) {
            return ok.error();
        }
        if (types.request_shape.payload.variable_length &&
            options.request_bytes_max > payload_bytes_max_limit / 2) {
            return fail(endpoint_errc::bad_option, doing + ": request_bytes_max " +
                                                       std::to_string(options.request_bytes_max) +
                                                       " is too much");
        }
        if (options.workers > workers_max || options.workers_queue == 0 ||
            options.workers_queue > workers_queue_max) {
            return fail(endpoint_errc::bad_option,
                        doing + ": workers are not in 0.." + std::to_string(workers_max) +
                            ", or their queue is not in 1.." + std::to_string(workers_queue_max));
        }
        inbox_purpose purpose;
        purpose.doing = doing;
        purpose.name = name;
        purpose.type = call_type(types, call_way::request);
        purpose.shape = types.request_shape.payload;
        purpose.kind = entry_kind::service;
        purpose.alone = false;
        receiver_options& inbox = purpose.options;
        inbox.depth = options.depth;
        inbox.payload_bytes_max =
            framed_bytes_max(types.request_shape, options.request_bytes_max, 0);
        inbox.inline_bytes_max = options.inline_bytes_max;
        inbox.senders_max = options.clients_max;
        inbox.wake = options.wake;
        inbox.waiting = options.waiting;
        inbox.spin_for = options.spin_for;
        inbox.memory = options.memory;
        inbox.start_position = options.start_position;
        inbox.metadata = options.metadata;
        handle core(new server_core(std::move(participant)));
        server_core& me = *core;
        me.types_ = types;
        me.body_offset_ = types.request_shape.body_offset;
        me.reply_body_offset_ = types.reply_shape.body_offset;
        me.reply_type_ = call_type(types, call_way::reply);
        me.deferred_max_ = options.deferred_max;
        me.load_ = std::make_shared<server_load>();
        me.scratch_bytes_ = std::max(types.reply_shape.body_bytes, scratch_bytes);
        me.scratch_ =
            std::make_unique_for_overwrite<std::byte[]>(me.scratch_bytes_ + spacing_bytes);
        me.scratch_answer_ = message_memory::aligned(me.scratch_.get());
        if (options.workers != 0 && (!handler->defers || handler->streams)) {
            handler = std::make_unique<worker_pool>(std::move(handler), options.workers,
                                                    options.workers_queue, me.scratch_bytes_);
        }
        me.handler_ = std::move(handler);
        if (auto const ok = me.open(purpose); !ok) {
            return ok.error();
        }
        me.ports_.resize(options.clients_max);
        me.headers_ = me.segment().lanes();
        me.counters_ = &me.segment().control();
        me.light_ = static_cast<fence_pair>(me.segment().constants.fences);
        if (options.starts_ready) {
            if (auto const ok = me.begin_service(doing); !ok) {
                return ok.error();
            }
            me.health_ = health::ready;
        }
        return core;
    });
}

// ---- clients --------------------------------------------------------------------------------------

/// The way back to whoever opened the lane: it made its inbox before, under the number that its
/// incarnation says.
void server_core::lane_opened(source& s) {
    entry_info target;
    target.kind = entry_kind::inbox;
    target.owner_ticket = s.ticket;
    target.number = s.incarnation & endpoints_max;
    target.incarnation = s.incarnation;
    target.name = name();
    target.type = reply_type_;
    sender_options options;
    options.overflow = overflow::reject; // I3
    endpoint_failure why;
    auto out = sender_core::attach_to(participant_, target, reply_type_, types_.reply_shape.payload,
                                      options, incarnation(), why);
    // Its numbers: what cannot hold a header and a text is no client's of ours.
    bool const fits = out != nullptr && out->ring.geometry().message_bytes_max() >=
                                            reply_body_offset_ + call_text_bytes_max;
    if (fits) {
        ports_[s.number] = std::make_shared<reply_port>(std::move(out), reply_body_offset_,
                                                        handler_->defers, &headers_[s.number]);
    } else if (out == nullptr &&
               (why.code == endpoint_errc::no_memory || why.code == endpoint_errc::system)) {
        throw std::bad_alloc(); // the next look tries again
    }
}

void server_core::source_ended(source& s) noexcept {
    receiver_core::source_ended(s);
    if (auto port = std::exchange(ports_[s.number], nullptr)) {
        port->close(); // deferred answers may still have it
    }
}

/// Answers that are given later fail in any thread; the counter is this one's.
void server_core::count_failures() noexcept {
    std::uint64_t const all = load_->failed.load(std::memory_order_relaxed); // relaxed: a figure
    if (all != failed_later_) [[unlikely]] {
        add_to_own(counters_->failed, all - failed_later_);
        failed_later_ = all;
    }
}

void server_core::after_sleep() noexcept {
    receiver_core::after_sleep();
    count_failures();
}

void server_core::let_go() noexcept {
    if (closed_too_ != nullptr) {
        *closed_too_ = true;
    }
    receiver_core::let_go();
    for (auto const& port : ports_) {
        if (port != nullptr) {
            port->close(); // wakes the client, who sees that we have closed
        }
    }
}

// ---- requests -------------------------------------------------------------------------------------

std::size_t server_core::poll(std::size_t most) noexcept {
    serving::polled const p = serving::poll(*this, most);
    if (p.alive) {
        count_failures();
    }
    return p.count;
}

wait_errc server_core::run_until(std::uint64_t until_ns) noexcept {
    return serving::run_until(*this, until_ns);
}

void server_core::deal_with(taken const& t, std::uint64_t now_ns) noexcept {
    source& s = *holds_[t.hold].from;
    lane_header& lane = headers_[s.number];
    if (!PARTYWALL_MUTANT(taken_not_said)) {
        taking<>::begin(lane.taken, t.position, light_); // I1
    }
    consider(t, s, now_ns);
    // A figure, for clients that choose. release: pairs with the acquire in under_way_of_others().
    std_atomics::store(lane.done, t.position + 1, std::memory_order_release);
}

inline void server_core::consider(taken const& t, source& s, std::uint64_t now_ns) noexcept {
    if (t.bytes < body_offset_) [[unlikely]] {
        s.corrupt = true; // no client of ours
        return;
    }
    auto const& request = *reinterpret_cast<request_header const*>(t.data);
    constexpr auto relaxed = std::memory_order_relaxed; // I1
    bool const given_up =
        taking<>::is_given_up(request.cancel) && !PARTYWALL_MUTANT(cancelled_request_executed);
    std::uint64_t const deadline_ns = std_atomics::load(request.deadline_ns, relaxed);
    std::uint32_t const flags = std_atomics::load(request.flags, relaxed);
    bool const wants_reply = (flags & request_flag::wants_reply) != 0;
    if ((flags & request_flag::note) != 0) [[unlikely]] {
        if (ports_[s.number] != nullptr) {
            ports_[s.number]->note(std_atomics::load(request.id, relaxed), deadline_ns,
                                   (flags & request_flag::stop) != 0);
        }
        return;
    }

    call_context context;
    context.cancel_ = &request.cancel;
    context.deadline_ns_ = deadline_ns;
    context.client_ = t.publisher;
    context.wants_reply_ = wants_reply;
    std::copy_n(request.user, call_header_bytes, context.header_.begin());
    context.reply_header_ = context.header_;

    exchange x;
    x.request = t.data + body_offset_;
    x.request_bytes = t.bytes - body_offset_;
    x.context = &context;
    x.id = std_atomics::load(request.id, relaxed);
    x.window = (flags & request_flag::stream) != 0 ? flags >> request_flag::window_shift : 0;
    std::shared_ptr<reply_port> const& port = ports_[s.number];
    if (wants_reply && port == nullptr) [[unlikely]] {
        add_to_own(counters_->lost, 1); // its inbox cannot be written to: as good as gone
        return;
    }
    reply_status refused{};
    if (given_up) [[unlikely]] {
        add_to_own(counters_->cancelled, 1);
        refused = reply_status::cancelled;
    } else if (now_ns >= deadline_ns && !PARTYWALL_MUTANT(late_request_executed)) [[unlikely]] {
        add_to_own(counters_->expired, 1);
        refused = reply_status::expired;
    } else if (health_ != health::ready) [[unlikely]] {
        add_to_own(counters_->refused, 1);
        refused = reply_status::draining;
    } else if (handler_->defers &&
               (load_->deferred.load(std::memory_order_relaxed) >= deferred_max_ ||
                !handler_->may_begin())) [[unlikely]] {
        add_to_own(counters_->refused, 1);
        refused = reply_status::overloaded;
    }
    if (refused != reply_status{}) [[unlikely]] {
        if (wants_reply) {
            refuse(*port, x.id, refused, context.reply_header_);
        }
    } else if (wants_reply) [[likely]] {
        execute(x, port);
    } else {
        execute_unanswered(x, port);
    }
}

void server_core::execute(exchange& x, std::shared_ptr<reply_port> const& port) noexcept {
    if (handler_->defers) {
        x.port = &port;
        x.load = &load_;
        executed_ += 1;
        handler_->handle(x);
        count_failures();
        return;
    }
    if (!serving::answer(*handler_, x, *port)) [[unlikely]] {
        add_to_own(counters_->lost, 1);
        return;
    }
    executed_ += 1;
    if (x.status != reply_status::value) [[unlikely]] {
        add_to_own(counters_->failed, 1);
    }
}

void server_core::execute_unanswered(exchange& x,
                                     std::shared_ptr<reply_port> const& port) noexcept {
    x.load = &load_;
    x.port = port != nullptr ? &port : nullptr;
    x.answer = scratch_answer_;
    x.room = scratch_bytes_;
    executed_ += 1;
    handler_->handle(x);
    if (x.status != reply_status::value) {
        add_to_own(counters_->failed, 1);
    }
}

void server_core::refuse(reply_port& port, std::uint64_t id, reply_status why,
                         call_header const& user) noexcept {
    if (!port.answer({id, why, 0, {}, user}, nullptr, 0)) {
        add_to_own(counters_->lost, 1);
    }
}

// ---- health ---------------------------------------------------------------------------------------

result<void, failure<registry_errc>> server_core::say_health(health value) noexcept {
    health_ = value;
    return set_health(value);
}

bool server_core::drain(std::uint64_t until_ns) noexcept { return serving::drain(*this, until_ns); }

std::uint64_t server_core::expired() const noexcept { return own(counters_->expired); }
std::uint64_t server_core::cancelled() const noexcept { return own(counters_->cancelled); }
std::uint64_t server_core::refused() const noexcept { return own(counters_->refused); }
std::uint64_t server_core::failed() const noexcept {
    return own(counters_->failed) + load_->failed.load(std::memory_order_relaxed) - failed_later_;
}
std::uint64_t server_core::lost() const noexcept { return own(counters_->lost); }
std::uint32_t server_core::deferred() const noexcept {
    return load_->deferred.load(std::memory_order_relaxed); // relaxed: a figure
}

} // namespace partywall::inline v0::detail
