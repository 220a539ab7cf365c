// SPDX-License-Identifier: BSL-1.0
// The breaker that a client has between itself and a server. Internal.
//
//   scope process   one for each server that it is attached to. When the server ends, the breaker
//                   stays, and whoever takes the server's place takes it over.
//   scope host      one for all servers of the name, shared with all clients of the domain.
//
// Callers   the thread that uses the client.
// Cost      scope process: nobody else writes the record, so a call's outcome is counted by plain
//           loads and stores. scope host: as any breaker that processes share.
#pragma once

#include <partywall/breaker/breaker_body.hpp>
#include <partywall/breaker/breaker_state.hpp>
#include <partywall/segment/lone_atomics.hpp>

#include <cstdint>
#include <memory>
#include <utility>

namespace partywall::inline v0::detail {

class callee_circuit {
  public:
    callee_circuit(std::unique_ptr<breaker_body> body, bool shared)
        : body_(std::move(body)), lone_(body_->core_with<lone_atomics>()), shared_(shared) {}

    bool is_shared() const noexcept { return shared_; }
    /// No server of the client's is behind it.
    bool is_vacant() const noexcept { return servers_ == 0; }
    /// Which it heard of last.
    std::uint64_t server() const noexcept { return server_; }
    breaker_stats stats(std::uint64_t now_ns) const noexcept { return body_->core().stats(now_ns); }

    template <class Now>
    admission_slip admit(Now&& now) noexcept {
        return shared_ ? body_->core().admit(now) : lone_.admit(now);
    }
    template <class Now>
    void complete(admission_slip const& slip, outcome what, std::uint64_t began_ns,
                  Now&& now) noexcept {
        shared_ ? body_->core().complete(slip, what, began_ns, now)
                : lone_.complete(slip, what, began_ns, now);
    }
    /// Nothing is to be said about how the call went.
    void release(admission_slip const& slip) noexcept {
        shared_ ? body_->core().release(slip) : lone_.release(slip);
    }
    /// Whether a success that is no probe counts where the clock stood when its call began. A
    /// failure is rare, and has the clock read.
    bool may_round(admission_slip const& slip, outcome what) const noexcept {
        return what == outcome::success && slip.how != admission_slip::kind::probe &&
               !lone_.times_calls();
    }

    void server_came(std::uint64_t incarnation, std::uint64_t now_ns) noexcept;
    void server_left(bool died, std::uint64_t now_ns) noexcept;

  private:
    std::unique_ptr<breaker_body> body_;
    breaker_core<lone_atomics> lone_; ///< the same record, where it is not shared
    std::uint64_t server_ = 0;
    std::uint32_t servers_ = 0;
    bool shared_;
};

} // namespace partywall::inline v0::detail
