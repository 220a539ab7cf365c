// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/breaker/breaker_stats.hpp>
#include <partywall/calls/call_context.hpp>
#include <partywall/calls/client_core.hpp>
#include <partywall/calls/pending_call.hpp>
#include <partywall/calls/reply.hpp>
#include <partywall/calls/reply_stream.hpp>
#include <partywall/registry/wait_descriptor.hpp>
#include <partywall/segment/copy_words.hpp>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace partywall::inline v0 {

/// Calls the servers of a name, and gets replies.
///
/// Use when   a request needs an answer, or must not be lost without anybody saying so.
/// Not when   nobody needs to hear what becomes of it (sender), or all are to hear it (publisher).
/// Req, Res   trivially copyable without pointers; or `bytes` or `U[]` for variable length. The
///            server's must be the same.
/// Outcome    a reply, or a call_error: a reason, and whether the request was executed (`no` is a
///            promise). Never the reply to another request; never executed twice. docs/calls.md has
///            the table.
/// Deadline   every call has one. When it passes the call ends, whatever the server does; a server
///            that gets to the request later leaves it out.
/// Servers    of one name there may be several: calls are spread over those that are ready. One that
///            comes, goes or comes again needs nobody's help.
/// Breaker    one before each server, unless client_options say otherwise. It opens when half of the
///            calls of the last ten deadlines timed out or failed, and when the server dies; calls
///            go to other servers then, or end with `circuit_open` at once. docs/breakers.md.
/// Callers    one thread at a time; the handle may move between threads. interrupt() from any
///            thread and from signal handlers.
/// Progress   call(): waits for its reply, at most until its deadline; for room or a server only
///            where an option says so. post(), call_async(), stream(), poll(): do not wait.
/// Cost       a call whose reply comes while both sides spin: no heap, no system call, no locked
///            instruction; one look at the clock.
/// Memory     its own: servers_max lanes of 2 x calls_max replies, backed at creation; a page or two
///            for the breaker of each server, when it is found.
/// Peer dies  calls to a server that dies end with `peer_died` as soon as the kernel says so, after a
///            last look for their replies.
/// Errors     see call_errc.
///
///     auto me  = partywall::join("shop").value();
///     auto add = me.client<operands, double>("calc/add").value();
///     if (auto sum = add.call({1, 2})) { use(**sum); } else { handle(sum.error()); }
template <class Req, class Res>
class client {
    using frame = detail::request_frame<Req>;
    using element = typename frame::element;
    static constexpr bool variable_length = frame::variable_length;
    using core_handle = detail::client_core::handle;
    static constexpr std::uint64_t no_limit = ~std::uint64_t{0};

  public:
    /// A request as it is given: a message, or elements of one.
    using request_type = std::conditional_t<variable_length, std::span<element const>, element>;

    explicit client(core_handle core) noexcept : core_(std::move(core)) {}
    client(client&&) noexcept = default;
    client& operator=(client&&) noexcept = default;
    ~client() = default; // closes; never blocks

    /// Calls, and waits for the reply.
    [[nodiscard]] call_outcome<Res> call(request_type const& request,
                                         call_options const& options = {}) noexcept {
        return call_until(request, options, no_limit);
    }
    [[nodiscard]] call_outcome<Res> call(request_type const& request,
                                         std::chrono::nanoseconds deadline) noexcept {
        call_options options;
        options.deadline = deadline;
        return deadline.count() > 0 ? call_until(request, options, no_limit) : late();
    }
    /// From inside a handler: with no more time than `context` has left, and its header.
    [[nodiscard]] call_outcome<Res> call(request_type const& request, call_context const& context,
                                         call_options options = {}) noexcept {
        options.header = context.header();
        return call_until(request, options, context.deadline_ns());
    }
    [[nodiscard]] call_outcome<Res> call(std::string_view text,
                                         call_options const& options = {}) noexcept
        requires(std::is_same_v<Req, bytes>) {
        return call(std::as_bytes(std::span(text.data(), text.size())), options);
    }

    /// Begins a call whose result is asked for later.
    [[nodiscard]] pending_call<Res> call_async(request_type const& request,
                                               call_options const& options = {}) noexcept {
        return async_until(request, options, no_limit);
    }
    [[nodiscard]] pending_call<Res> call_async(request_type const& request,
                                               std::chrono::nanoseconds deadline) noexcept {
        call_options options;
        options.deadline = deadline;
        return deadline.count() > 0 ? async_until(request, options, no_limit)
                                    : pending_call<Res>(late());
    }
    [[nodiscard]] pending_call<Res> call_async(request_type const& request,
                                               call_context const& context,
                                               call_options options = {}) noexcept {
        options.header = context.header();
        return async_until(request, options, context.deadline_ns());
    }

    /// Asks for any number of replies, that are read one by one, until the deadline of the options.
    [[nodiscard]] reply_stream<Res> stream(request_type const& request,
                                           call_options const& options = {}) noexcept {
        return stream_until(request, options, no_limit);
    }
    [[nodiscard]] reply_stream<Res> stream(request_type const& request, call_context const& context,
                                           call_options options = {}) noexcept {
        options.header = context.header();
        return stream_until(request, options, context.deadline_ns());
    }
    [[nodiscard]] reply_stream<Res> stream(std::string_view text,
                                           call_options const& options = {}) noexcept
        requires(std::is_same_v<Req, bytes>) {
        return stream(std::as_bytes(std::span(text.data(), text.size())), options);
    }

    /// Sends a request that nobody answers. Success says that a server has it in its lane; it is
    /// executed once or, if that server ends or the deadline passes before, not at all.
    [[nodiscard]] result<void, call_error> post(request_type const& request,
                                                call_options const& options = {}) noexcept {
        detail::call_draft draft;
        draft.wants_reply = false;
        if (call_errc const e = send(draft, request, options, no_limit); e != detail::call_ok) {
            return not_sent(e, draft);
        }
        return {};
    }

    /// Deals with what is there: replies, ends of servers, deadlines; runs what pending_call::then()
    /// left. Returns how many calls have got their result.
    std::size_t poll() noexcept { return core_ ? core_->poll() : 0; }
    /// The same, waiting for the first one. Errors: deadline (of the wait), interrupted, closed,
    /// forked, too_many_held.
    result<std::size_t, call_errc> poll(std::chrono::nanoseconds timeout) noexcept {
        return core_ ? core_->poll_until(
                           os::deadline_after(os::monotonic_ns(), detail::wait_ns(timeout)))
                     : call_errc::closed;
    }

    /// Blocks until a server is ready. Errors: deadline, refused, interrupted, closed, forked.
    [[nodiscard]] result<void, call_errc>
    wait_for_server(std::chrono::nanoseconds timeout) noexcept {
        if (!core_) {
            return call_errc::closed;
        }
        call_errc const e = core_->wait_for_server(
            os::deadline_after(os::monotonic_ns(), detail::wait_ns(timeout)));
        return e == detail::call_ok ? result<void, call_errc>() : e;
    }
    /// Servers that calls may go to now.
    std::uint32_t servers() noexcept { return core_ ? core_->servers() : 0; }
    /// Calls whose servers have still to say something, those that were given up included.
    std::uint32_t open_calls() const noexcept { return core_ ? core_->open_calls() : 0; }
    /// Replies that came when nobody wanted them any more.
    std::uint64_t late_replies() const noexcept { return core_ ? core_->late_replies() : 0; }
    /// Longest request that the first of its servers takes; 0: there is none.
    std::uint64_t request_bytes_max() noexcept { return core_ ? core_->request_bytes_max() : 0; }
    /// Figures of the breakers before its servers, those of servers that have ended included, whose
    /// successors take them over; of scope host the one that all share. May throw std::bad_alloc.
    std::vector<breaker_stats> breakers() const {
        return core_ ? core_->breakers() : std::vector<breaker_stats>();
    }
    /// After call_errc::refused: what is wrong with the server that is there.
    std::string const& refusal() const noexcept {
        static std::string const none;
        return core_ ? core_->refusal() : none;
    }
    endpoint_errc refusal_code() const noexcept {
        return core_ ? core_->refusal_code() : endpoint_errc{};
    }
    /// Tells this client from every other, dead ones included: call_context::client().
    std::uint64_t incarnation() const noexcept { return core_ ? core_->incarnation() : 0; }
    memory_report memory() const noexcept { return core_ ? core_->memory() : memory_report(); }

    /// Ends the call that is blocked in this handle, or the next one that would block, with
    /// `interrupted`. Any thread, any signal handler.
    void interrupt() noexcept {
        if (core_) {
            core_->interrupt();
        }
    }
    /// A descriptor for event loops: readable when poll() may have something to do. As
    /// reading_handle::fd(), drained by poll(). Deadlines are found at the end of a slice (8 ms).
    [[nodiscard]] result<int, failure<descriptor_errc>> fd() noexcept {
        if (!core_) {
            return detail::no_descriptor_of_closed();
        }
        return core_->descriptor();
    }
    /// Calls under way end with `closed`, and their servers may leave them out. Also done by the
    /// destructor. Replies that are held stay valid.
    void close() noexcept { core_.reset(); }

  private:
    friend struct detail::wait_access;
    detail::waitable* to_be_waited_for() noexcept { return core_.get(); }

    static call_error late() noexcept {
        call_error e(call_errc::deadline, executed::no);
        e.refused_here = true;
        return e;
    }
    /// Nobody was asked.
    static call_error not_sent(call_errc why, detail::call_draft const& draft) noexcept {
        call_error e(why, executed::no);
        e.refused_here = why == call_errc::overloaded || why == call_errc::deadline ||
                         why == call_errc::too_many_held || why == call_errc::circuit_open;
        e.retry_after = std::chrono::nanoseconds(static_cast<std::int64_t>(draft.retry_after_ns));
        return e;
    }

    /// Up to the request's being on its way.
    [[gnu::always_inline]] call_errc send(detail::call_draft& draft, request_type const& request,
                                          call_options const& options,
                                          std::uint64_t until_ns) noexcept {
        if (!core_) [[unlikely]] {
            return call_errc::closed;
        }
        if (call_errc const e = core_->begin(draft, options, until_ns); e != detail::call_ok)
            [[unlikely]] {
            return e;
        }
        if constexpr (variable_length) {
            if (request.size_bytes() > draft.room) [[unlikely]] {
                core_->withdraw(draft);
                return call_errc::too_large; // the lane's memory is used by the next one
            }
            if (!request.empty()) {
                std::memcpy(draft.memory, request.data(), request.size_bytes());
            }
            slot_ = core_->submit(draft, options, request.size_bytes());
        } else {
            copy_words<>::store_fixed<sizeof(element)>(
                draft.memory, reinterpret_cast<std::byte const*>(&request));
            slot_ = core_->submit(draft, options, sizeof(element));
        }
        return detail::call_ok;
    }
    call_outcome<Res> call_until(request_type const& request, call_options const& options,
                                 std::uint64_t until_ns) noexcept {
        detail::call_draft draft;
        if (call_errc const e = send(draft, request, options, until_ns); e != detail::call_ok)
            [[unlikely]] {
            return not_sent(e, draft);
        }
        return detail::outcome_of<Res>(core_->await(slot_, draft.start_ns));
    }
    pending_call<Res> async_until(request_type const& request, call_options const& options,
                                  std::uint64_t until_ns) noexcept {
        detail::call_draft draft;
        if (call_errc const e = send(draft, request, options, until_ns); e != detail::call_ok)
            [[unlikely]] {
            return pending_call<Res>(not_sent(e, draft));
        }
        core_->promise(slot_);
        return pending_call<Res>(core_.get(), slot_);
    }

    reply_stream<Res> stream_until(request_type const& request, call_options const& options,
                                   std::uint64_t until_ns) noexcept {
        detail::call_draft draft;
        draft.window = core_ ? core_->window_for(options.window) : 1;
        if (call_errc const e = send(draft, request, options, until_ns); e != detail::call_ok) {
            return reply_stream<Res>(not_sent(e, draft));
        }
        core_->promise(slot_);
        return reply_stream<Res>(core_.get(), slot_);
    }

    core_handle core_;
    std::uint32_t slot_ = 0; ///< of the call that was sent last
};

} // namespace partywall::inline v0
