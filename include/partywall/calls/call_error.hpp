// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <partywall/breaker/outcome_traits.hpp>
#include <partywall/calls/call_errc.hpp>
#include <partywall/limits.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace partywall::inline v0 {

/// Why a call has no reply, and the answer to one question: was the request executed?
///
/// executed   `no` is a promise: the server never began with it, nor will. `maybe` is all that can
///            be known otherwise.
/// Memory     no heap; the text lies inside.
struct call_error {
    call_errc reason = call_errc::no_server;
    partywall::executed executed = partywall::executed::no;
    server_fault fault = server_fault::none;
    bool refused_here = false; ///< no server was asked
    std::uint8_t text_bytes = 0;
    std::int32_t code = 0; ///< the handler's own
    /// When to try again, where somebody said so; 0: nobody did.
    std::chrono::nanoseconds retry_after{};
    std::array<char, call_text_bytes_max> text_memory;

    call_error() noexcept {} // leaves the text alone
    call_error(call_errc why, partywall::executed was) noexcept : reason(why), executed(was) {}

    /// What the server says for people; empty for most reasons.
    std::string_view text() const noexcept { return {text_memory.data(), text_bytes}; }
    void set_text(std::string_view text) noexcept {
        auto const bytes = std::min(text.size(), text_memory.size());
        std::copy_n(text.data(), bytes, text_memory.data());
        text_bytes = static_cast<std::uint8_t>(bytes);
    }
    /// Programs compare reasons: `if (sum.error() == call_errc::deadline)`.
    friend bool operator==(call_error const& e, call_errc why) noexcept { return e.reason == why; }
};
static_assert(call_text_bytes_max < 256);

/// From boost::system::result::value().
[[noreturn]] PARTYWALL_API void throw_exception_from_error(call_error const& e,
                                                           boost::source_location const& where);

/// What breakers and retries make of it. A reason that lies on this side of the call says nothing
/// about the server: it is ignored.
template <>
struct error_traits<call_error> {
    static call_facts facts(call_error const& e) noexcept {
        call_facts f;
        f.executed = e.executed;
        f.what = outcome::failure;
        f.refused_here = e.refused_here;
        switch (e.reason) {
        case call_errc::deadline: f.what = outcome::timeout; break;
        case call_errc::overloaded:
        case call_errc::circuit_open:
        case call_errc::peer_died:
        case call_errc::no_server:
        case call_errc::draining:
        case call_errc::corrupt: break;
        case call_errc::server_error: // another attempt is another execution
            f.retryable = false;
            // What the handler said on purpose is an answer: the server is well.
            f.what = e.fault == server_fault::failed ? outcome::success : f.what;
            break;
        case call_errc::end_of_stream:
            f.what = outcome::success;
            f.retryable = false;
            break;
        case call_errc::cancelled: f.what = outcome::cancelled; break;
        case call_errc::refused:
        case call_errc::too_large:
        case call_errc::too_many_held:
        case call_errc::interrupted:
        case call_errc::no_memory:
        case call_errc::closed:
        case call_errc::forked:
            f.what = outcome::ignored;
            f.retryable = false;
            break;
        }
        if (e.retry_after.count() != 0) {
            f.retry_after = e.retry_after;
        }
        return f;
    }
    static call_error refused(local_refusal const& r) noexcept {
        call_error e(call_errc::overloaded, executed::no);
        switch (r.reason) {
        case refusal_reason::circuit_open: e.reason = call_errc::circuit_open; break;
        case refusal_reason::overloaded: break;
        case refusal_reason::deadline: e.reason = call_errc::deadline; break;
        }
        e.retry_after = r.retry_after;
        e.refused_here = true;
        return e;
    }
};

} // namespace partywall::inline v0
