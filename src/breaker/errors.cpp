// SPDX-License-Identifier: BSL-1.0
#include <partywall/breaker/breaker_event.hpp>
#include <partywall/breaker/breaker_options.hpp>
#include <partywall/breaker/breaker_state.hpp>

namespace partywall::inline v0 {

std::string_view to_string(breaker_state s) noexcept {
    switch (s) {
    case breaker_state::closed: return "closed";
    case breaker_state::open: return "open";
    case breaker_state::half_open: return "half-open";
    case breaker_state::forced_open: return "forced open";
    case breaker_state::disabled: return "disabled";
    case breaker_state::metrics_only: return "metrics only";
    case breaker_state::isolated: return "isolated";
    }
    return "unknown breaker state";
}

std::string_view to_string(breaker_scope s) noexcept {
    switch (s) {
    case breaker_scope::process: return "process";
    case breaker_scope::host: return "host";
    }
    return "unknown scope";
}

std::string_view to_string(outcome o) noexcept {
    switch (o) {
    case outcome::success: return "success";
    case outcome::failure: return "failure";
    case outcome::timeout: return "timeout";
    case outcome::ignored: return "ignored";
    case outcome::cancelled: return "cancelled";
    }
    return "unknown outcome";
}

std::string_view to_string(rejection_reason r) noexcept {
    switch (r) {
    case rejection_reason::open: return "the circuit is open";
    case rejection_reason::probing: return "the circuit is half-open and its probes are under way";
    case rejection_reason::forced_open: return "the circuit is forced open";
    case rejection_reason::isolated: return "the callee is isolated";
    case rejection_reason::forked: return "the breaker belongs to the parent process";
    }
    return "unknown rejection";
}

std::string_view to_string(breaker_cause c) noexcept {
    switch (c) {
    case breaker_cause::failure_rate: return "failure rate";
    case breaker_cause::slow_call_rate: return "slow call rate";
    case breaker_cause::consecutive_failures: return "consecutive failures";
    case breaker_cause::open_time_over: return "open time over";
    case breaker_cause::probes_failed: return "probes failed";
    case breaker_cause::probes_succeeded: return "probes succeeded";
    case breaker_cause::half_open_too_long: return "half-open too long";
    case breaker_cause::operator_moved: return "moved by an operator";
    case breaker_cause::callee_died: return "callee died";
    case breaker_cause::callee_is_new: return "callee is new";
    }
    return "unknown cause";
}

std::string_view to_string(breaker_errc e) noexcept {
    switch (e) {
    case breaker_errc::bad_window: return "bad window";
    case breaker_errc::bad_threshold: return "bad threshold";
    case breaker_errc::bad_minimum: return "bad minimum of calls";
    case breaker_errc::bad_slow_call: return "bad rule for slow calls";
    case breaker_errc::bad_open: return "bad open time";
    case breaker_errc::bad_probing: return "bad rule for probes";
    case breaker_errc::no_memory: return "no memory";
    case breaker_errc::mismatch: return "the record has other rules";
    case breaker_errc::not_here: return "not possible here";
    case breaker_errc::bad_name: return "bad name";
    case breaker_errc::too_many_breakers: return "too many breakers";
    case breaker_errc::no_space: return "no space";
    case breaker_errc::permission: return "permission denied";
    case breaker_errc::incompatible: return "incompatible layout";
    case breaker_errc::domain_gone: return "domain gone";
    case breaker_errc::forked: return "forked child";
    case breaker_errc::system: return "system error";
    }
    return "unknown breaker error";
}

std::string_view to_string(move_errc e) noexcept {
    switch (e) {
    case move_errc::not_from_closed: return "a closed breaker cannot be made half-open";
    case move_errc::bad_state: return "no such state";
    case move_errc::bad_duration: return "bad duration";
    case move_errc::forked: return "forked child";
    }
    return "unknown move error";
}

} // namespace partywall::inline v0
