// SPDX-License-Identifier: BSL-1.0
#include "remote.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace calculator {
namespace {

using namespace std::chrono_literals;
using partywall::call_errc;
using partywall::call_error;
using outcome = partywall::call_outcome<outcome_message>;

std::uint64_t now_ns() noexcept { return partywall::monotonic_clock{}.now_ns(); }

/// The rest of the time that the whole has.
partywall::call_options until(std::uint64_t deadline_ns) noexcept {
    std::uint64_t const now = now_ns();
    partywall::call_options options;
    options.deadline = std::chrono::nanoseconds(deadline_ns > now ? deadline_ns - now : 1);
    return options;
}

failure in_our_words(call_error const& e, operation o) noexcept {
    switch (e.reason) {
    case call_errc::circuit_open: return {error::circuit_open, 0, o};
    case call_errc::deadline: return {error::deadline, 0, o};
    case call_errc::peer_died: return {error::service_died, 0, o};
    case call_errc::no_server: return {error::no_service, 0, o};
    default: return {error::service_failed, 0, o};
    }
}

template <class T, class E>
T made(partywall::result<T, E> what) {
    if (!what) {
        throw std::runtime_error(what.error().message);
    }
    return std::move(*what);
}

} // namespace

class remote_operations::service {
  public:
    service(partywall::participant const& me, operation o, std::chrono::nanoseconds deadline)
        : what_(o), client_(made(me.client<operands, outcome_message>(
                        service_of(o), {.deadline = deadline}))), // which has a breaker
          guard_(retries(deadline)) {}

    answer call(operands const& request, std::uint64_t deadline_ns) {
        return in_our_words(guard_.call_until(deadline_ns, [&](partywall::attempt const& a) {
            counts.retries += a.number > 1 ? 1 : 0;
            return noted(client_.call(request, until(patience(a.deadline_ns))));
        }));
    }

    std::unique_ptr<operations::pending> start(operands const& request, std::uint64_t deadline_ns) {
        return std::make_unique<under_way>(
            *this, client_.call_async(request, until(patience(deadline_ns))));
    }

    /// Of the only server: who comes after it takes its breaker over.
    partywall::breaker_stats circuit() const {
        auto const all = client_.breakers();
        return all.empty() ? partywall::breaker_stats() : all.front();
    }
    bool ready() {
        return client_.servers() != 0 && circuit().state == partywall::breaker_state::closed;
    }

    call_counts counts;

  private:
    struct under_way final : operations::pending {
        under_way(service& s, partywall::pending_call<outcome_message> c)
            : of(s), call(std::move(c)) {}
        answer get() override { return of.in_our_words(of.noted(call.get())); }
        service& of;
        partywall::pending_call<outcome_message> call;
    };

    static partywall::guard retries(std::chrono::nanoseconds deadline) {
        partywall::guard_options options;
        options.deadline = deadline;
        options.retry =
            partywall::retry_options{.attempts = 3, .idempotent = true}; // pure functions
        options.budget = partywall::retry_budget_options{};
        options.breaker = std::nullopt; // the client's
        return made(partywall::guard::make(options));
    }

    /// When an attempt ends: so long no local service takes that is well.
    static std::uint64_t patience(std::uint64_t deadline_ns) noexcept {
        return std::min(deadline_ns, now_ns() + 50'000'000);
    }

    answer in_our_words(outcome const& got) const {
        return got ? as_answer(**got) : answer(calculator::in_our_words(got.error(), what_));
    }

    outcome noted(outcome got) {
        if (!got && got.error().reason == call_errc::circuit_open) {
            counts.refused += 1; // no attempt
            return got;
        }
        counts.calls += 1;
        if (got) {
            counts.answers += 1;
        } else if (got.error().reason == call_errc::deadline) {
            counts.timeouts += 1;
        } else if (got.error().reason == call_errc::peer_died) {
            counts.deaths += 1;
        } else {
            counts.others += 1;
        }
        return got;
    }

    operation what_;
    partywall::client<operands, outcome_message> client_;
    partywall::guard guard_;
};

remote_operations::remote_operations(partywall::participant const& me,
                                     std::chrono::nanoseconds deadline) {
    for (operation const o : all_operations) {
        services_[static_cast<std::size_t>(o)] = std::make_unique<service>(me, o, deadline);
    }
}
remote_operations::~remote_operations() = default;

answer remote_operations::call(operation o, decimal a, decimal b, deadline until) {
    return of(o).call({a, b}, until.ns);
}
std::unique_ptr<operations::pending> remote_operations::start(operation o, decimal a, decimal b,
                                                              deadline until) {
    return of(o).start({a, b}, until.ns);
}
call_counts const& remote_operations::counts(operation o) const { return of(o).counts; }
partywall::breaker_stats remote_operations::circuit(operation o) const { return of(o).circuit(); }
bool remote_operations::ready() {
    return std::all_of(all_operations.begin(), all_operations.end(),
                       [this](operation o) { return of(o).ready(); });
}

} // namespace calculator
