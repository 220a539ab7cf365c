// SPDX-License-Identifier: BSL-1.0
// The operations done by services, each behind a client and a guard of its own: the client has the
// breaker, since a callee that fails says nothing of the others; the guard tries again while the
// deadline lasts.
#pragma once

#include "messages.hpp"

#include <partywall/partywall.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

namespace calculator {

/// What became of the calls to one service. Labelled by service and by what happened, never by
/// request.
struct call_counts {
    std::uint64_t calls = 0;    ///< attempts that were made
    std::uint64_t answers = 0;  ///< of them
    std::uint64_t retries = 0;  ///< of them
    std::uint64_t refused = 0;  ///< by the breaker: no attempt
    std::uint64_t timeouts = 0; ///< of the attempts
    std::uint64_t deaths = 0;   ///< of the service under an attempt
    std::uint64_t others = 0;
};

class remote_operations final : public operations {
  public:
    /// Throws where the clients cannot be made.
    explicit remote_operations(partywall::participant const& me,
                               std::chrono::nanoseconds deadline = std::chrono::seconds(1));
    ~remote_operations() override;

    answer call(operation o, decimal a, decimal b, deadline until) override;
    /// One attempt: who begins several calls at once decides by itself what to begin again.
    std::unique_ptr<pending> start(operation o, decimal a, decimal b, deadline until) override;

    call_counts const& counts(operation o) const;
    partywall::breaker_stats circuit(operation o) const;
    /// Whether every service is there and may be called.
    bool ready();

  private:
    class service;
    service& of(operation o) const { return *services_[static_cast<std::size_t>(o)]; }

    std::array<std::unique_ptr<service>, all_operations.size()> services_;
};

} // namespace calculator
