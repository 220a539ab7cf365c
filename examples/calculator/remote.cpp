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
        : me_(me), what_(o), name_(service_of(o)),
          client_(made(me.client<operands, outcome_message>(name_))),
          guard_(guard_around(made(me.breaker(name_, breaker_of(deadline))), deadline)) {}

    answer call(operands const& request, std::uint64_t deadline_ns) {
        meet_successor();
        outcome const got = guard_.call_until(deadline_ns, [&](partywall::attempt const& a) {
            counts.retries += a.number > 1 ? 1 : 0;
            return noted(
                client_.call(request, until(std::min(a.deadline_ns, now_ns() + patience_))));
        });
        if (!got && got.error().reason == call_errc::circuit_open) {
            counts.refused += 1;
        }
        return in_our_words(got);
    }

    std::unique_ptr<operations::pending> start(operands const& request, std::uint64_t deadline_ns) {
        meet_successor();
        auto ticket = guard_.circuit()->admit();
        if (!ticket) {
            counts.refused += 1;
            return std::make_unique<known>(failure{error::circuit_open, 0, what_});
        }
        return std::make_unique<under_way>(
            *this, std::move(*ticket),
            client_.call_async(request, until(std::min(deadline_ns, now_ns() + patience_))));
    }

    partywall::breaker_stats circuit() { return guard_.circuit()->stats(); }
    bool ready() {
        meet_successor();
        return client_.servers() != 0 &&
               guard_.circuit()->state() == partywall::breaker_state::closed;
    }

    call_counts counts;

  private:
    struct known final : operations::pending {
        explicit known(answer a) : result(std::move(a)) {}
        answer get() override { return result; }
        answer result;
    };
    struct under_way final : operations::pending {
        under_way(service& s, partywall::breaker::ticket t,
                  partywall::pending_call<outcome_message> c)
            : of(s), ticket(std::move(t)), call(std::move(c)) {}
        answer get() override {
            outcome const got = of.noted(call.get());
            ticket.record(got);
            return of.in_our_words(got);
        }
        service& of;
        partywall::breaker::ticket ticket;
        partywall::pending_call<outcome_message> call;
    };

    static partywall::breaker_options breaker_of(std::chrono::nanoseconds deadline) {
        return partywall::breaker_options::for_deadline(deadline);
    }
    static partywall::guard guard_around(partywall::breaker circuit,
                                         std::chrono::nanoseconds deadline) {
        partywall::guard_options options;
        options.deadline = deadline;
        options.retry =
            partywall::retry_options{.attempts = 3, .idempotent = true}; // pure functions
        options.budget = partywall::retry_budget_options{};
        return made(partywall::guard::around(std::move(circuit), options));
    }

    answer in_our_words(outcome const& got) const {
        return got ? as_answer(**got) : answer(calculator::in_our_words(got.error(), what_));
    }

    outcome noted(outcome got) {
        counts.calls += 1;
        if (got) {
            counts.answers += 1;
            guard_.circuit()->callee_is_new(got->server());
            callee_ = got->server();
        } else if (got.error().reason == call_errc::deadline) {
            counts.timeouts += 1;
        } else if (got.error().reason == call_errc::peer_died) {
            counts.deaths += 1;
            guard_.circuit()->callee_died(callee_); // no need to wait for more of that
        } else {
            counts.others += 1;
        }
        return got;
    }

    /// While the breaker is open: is there somebody else by now? Then he is tried at once.
    void meet_successor() {
        if (guard_.circuit()->state() != partywall::breaker_state::open ||
            now_ns() < look_again_ns_) {
            return;
        }
        look_again_ns_ = now_ns() + 5'000'000;
        for (partywall::entry_info const& e : me_.snapshot().entries) {
            if (e.kind == partywall::entry_kind::service && e.name == name_ &&
                e.state == partywall::health::ready && e.incarnation > callee_) {
                guard_.circuit()->callee_is_new(e.incarnation);
            }
        }
    }

    partywall::participant me_;
    operation what_;
    std::string name_;
    partywall::client<operands, outcome_message> client_;
    partywall::guard guard_;
    std::uint64_t callee_ = 0;
    std::uint64_t look_again_ns_ = 0;
    /// Of one attempt: so long no local service takes that is well.
    static constexpr std::uint64_t patience_ = 50'000'000;
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
