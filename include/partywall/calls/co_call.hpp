// SPDX-License-Identifier: BSL-1.0
// `co_await client.call_async(request)`. Optional: nothing else includes it.
#pragma once

#include <partywall/calls/pending_call.hpp>

#include <coroutine>
#include <optional>
#include <utility>

namespace partywall::inline v0 {

namespace detail {

template <class Res>
class call_awaiter {
  public:
    explicit call_awaiter(pending_call<Res>&& call) noexcept : call_(std::move(call)) {}

    bool await_ready() const noexcept { return call_.ready(); }
    bool await_suspend(std::coroutine_handle<> whoever) noexcept {
        // The frame, and this in it, stays where it is until it is resumed.
        return call_.then([this, whoever](call_outcome<Res> how) noexcept {
            outcome_.emplace(std::move(how));
            whoever.resume();
        });
    }
    call_outcome<Res> await_resume() noexcept {
        if (outcome_) {
            return std::move(*outcome_);
        }
        return call_.get(); // it was ready, or there was no memory to wait with
    }

  private:
    pending_call<Res> call_;
    std::optional<call_outcome<Res>> outcome_;
};

} // namespace detail

/// Suspends until the call has its result. The coroutine goes on inside client::poll(), or whichever
/// call of the client deals with completions, on that thread.
///
/// Not when  the coroutine's frame may be destroyed while it waits.
/// Cost      one small piece of heap per call that is not ready at once. Without memory for it the
///           coroutine does not suspend but waits.
template <class Res>
detail::call_awaiter<Res> operator co_await(pending_call<Res>&& call) noexcept {
    return detail::call_awaiter<Res>(std::move(call));
}

} // namespace partywall::inline v0
