// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/calls/call_error.hpp>
#include <partywall/calls/client_core.hpp>
#include <partywall/calls/reply.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace partywall::inline v0 {

/// A call under way, or why it could not begin. Ends by itself at its deadline.
///
/// Use when   several calls are to be under way at a time, or something else is to be done meanwhile.
/// Callers    the thread that uses the client: this is a part of it. It may outlive the client's
///            handle; then the call has ended with `closed`.
/// Progress   nothing runs by itself: wait(), get(), and every call of the client deal with replies,
///            this one's and others'.
/// Destroyed  before it has its result: nobody wants it; the server may leave it out.
template <class Res>
class pending_call {
  public:
    /// Not for users.
    pending_call(detail::client_core* core, std::uint32_t slot) noexcept
        : core_(core), slot_(slot) {}
    explicit pending_call(call_error const& error) noexcept : error_(error) {}
    pending_call(pending_call&& other) noexcept
        : core_(std::exchange(other.core_, nullptr)), slot_(other.slot_), error_(other.error_) {}
    pending_call& operator=(pending_call&& other) noexcept {
        if (this != &other) {
            let_go();
            core_ = std::exchange(other.core_, nullptr);
            slot_ = other.slot_;
            error_ = other.error_;
        }
        return *this;
    }
    ~pending_call() { let_go(); }

    /// Whether the result is known, as far as the client has looked (client::poll()).
    bool ready() const noexcept { return core_ == nullptr || core_->is_done(slot_); }
    /// Waits for the result, at most so long, and never beyond the call's deadline. True: it is known.
    bool wait(std::chrono::nanoseconds timeout) noexcept {
        return core_ == nullptr ||
               core_->wait_done(slot_,
                                os::deadline_after(os::monotonic_ns(), detail::wait_ns(timeout))) ==
                   detail::call_ok;
    }
    /// Waits for the result, at most until the call's deadline, and takes it. Once. After an
    /// interrupt(): `interrupted`, and the call is cancelled.
    [[nodiscard]] call_outcome<Res> get() noexcept {
        if (core_ == nullptr) {
            return std::exchange(error_, call_error(call_errc::closed, executed::no));
        }
        error_ = call_error(call_errc::closed, executed::no);
        return detail::outcome_of<Res>(std::exchange(core_, nullptr)->fetch(slot_));
    }
    /// Ends it now. get() says `cancelled`, and whether it was executed; or the reply, if that was
    /// there before.
    void cancel() noexcept {
        if (core_ != nullptr) {
            core_->cancel(slot_);
        }
    }
    /// Hands the call over to `f(call_outcome<Res>)`, which runs inside client::poll(), or inside
    /// another pending call's wait, on that thread; also at the deadline, and when the client is
    /// closed. Must not throw. A call that could not begin: at once. False: no memory; nothing
    /// has changed.
    template <class F>
    bool then(F f) noexcept {
        static_assert(std::is_nothrow_move_constructible_v<F>);
        if (core_ == nullptr) {
            f(call_outcome<Res>(
                std::exchange(error_, call_error(call_errc::closed, executed::no))));
            return true;
        }
        std::unique_ptr<detail::completion> c(new (std::nothrow) run_then<F>(std::move(f)));
        if (c == nullptr) {
            return false;
        }
        std::exchange(core_, nullptr)->complete_with(slot_, std::move(c));
        error_ = call_error(call_errc::closed, executed::no);
        return true;
    }

  private:
    template <class F>
    struct run_then final : detail::completion {
        explicit run_then(F&& f) noexcept : f_(std::move(f)) {}
        void run(detail::call_result&& how) noexcept override {
            f_(detail::outcome_of<Res>(std::move(how)));
        }
        F f_;
    };

    void let_go() noexcept {
        if (core_ != nullptr) {
            std::exchange(core_, nullptr)->abandon(slot_);
        }
    }

    detail::client_core* core_ = nullptr; ///< nullptr: there is nothing to wait for
    std::uint32_t slot_ = 0;
    call_error error_;
};

} // namespace partywall::inline v0
