// SPDX-License-Identifier: BSL-1.0
#include <partywall/breaker/guard_options.hpp>

#include <string>
#include <utility>

namespace partywall::inline v0 {

std::string_view to_string(guard_errc e) noexcept {
    switch (e) {
    case guard_errc::bad_deadline: return "bad deadline";
    case guard_errc::bad_retry: return "bad retries";
    case guard_errc::bad_budget: return "bad budget of retries";
    case guard_errc::bad_breaker: return "bad breaker";
    case guard_errc::bad_bulkhead: return "bad bulkhead";
    case guard_errc::no_memory: return "no memory";
    }
    return "unknown guard error";
}

namespace detail {
namespace {

using std::chrono::nanoseconds;
constexpr nanoseconds longest = std::chrono::hours(24);

failure<guard_errc> refused(guard_errc code, std::string why) {
    return {code, 0, "cannot make a guard: " + std::move(why)};
}
std::string shown(nanoseconds t) { return std::to_string(t.count()) + " ns"; }

result<void, failure<guard_errc>> check_retry(guard_options const& options) {
    if (!options.retry) {
        return options.budget ? result<void, failure<guard_errc>>(
                                    refused(guard_errc::bad_budget, "a budget without retries"))
                              : result<void, failure<guard_errc>>();
    }
    retry_options const& r = *options.retry;
    if (r.attempts == 0 || r.attempts > 1000) {
        return refused(guard_errc::bad_retry,
                       std::to_string(r.attempts) + " attempts: not between 1 and 1,000");
    }
    if (r.delay_first < nanoseconds(0) || r.delay_max < r.delay_first || r.delay_max > longest) {
        return refused(guard_errc::bad_retry, "delays from " + shown(r.delay_first) + " to " +
                                                  shown(r.delay_max) + " make no sense");
    }
    if (!(r.factor >= 1 && r.factor <= 100)) {
        return refused(guard_errc::bad_retry,
                       "factor " + std::to_string(r.factor) + " is not between 1 and 100");
    }
    if (!options.budget) {
        return {};
    }
    retry_budget_options const& b = *options.budget;
    if (!(b.tokens_max >= 1 && b.tokens_max <= 1'000'000) ||
        !(b.ratio >= 0.001 && b.ratio <= b.tokens_max)) {
        return refused(guard_errc::bad_budget, std::to_string(b.tokens_max) + " tokens, " +
                                                   std::to_string(b.ratio) +
                                                   " for a success, make no sense");
    }
    return {};
}

} // namespace

result<void, failure<guard_errc>> check_guard(guard_options const& o) {
    if (o.deadline < std::chrono::microseconds(1) || o.deadline > longest) {
        return refused(guard_errc::bad_deadline,
                       shown(o.deadline) + " is not between 1 us and 24 h");
    }
    if (o.bulkhead && (o.bulkhead->calls_max == 0 || o.bulkhead->calls_max > 65'535)) {
        return refused(guard_errc::bad_bulkhead, std::to_string(o.bulkhead->calls_max) +
                                                     " calls at a time: not between 1 and 65,535");
    }
    if (o.bulkhead && (o.bulkhead->wait_for < nanoseconds(0) || o.bulkhead->wait_for > longest)) {
        return refused(guard_errc::bad_bulkhead,
                       "a wait of " + shown(o.bulkhead->wait_for) + " for a place");
    }
    return check_retry(o);
}

} // namespace detail
} // namespace partywall::inline v0
