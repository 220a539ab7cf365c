// SPDX-License-Identifier: BSL-1.0
#include <partywall/calls/call_error.hpp>

#include <string>

namespace partywall::inline v0 {

std::string_view to_string(call_errc e) noexcept {
    switch (e) {
    case call_errc::deadline: return "deadline";
    case call_errc::peer_died: return "server died";
    case call_errc::cancelled: return "cancelled";
    case call_errc::no_server: return "no server";
    case call_errc::overloaded: return "overloaded";
    case call_errc::circuit_open: return "circuit open";
    case call_errc::server_error: return "server error";
    case call_errc::draining: return "draining";
    case call_errc::refused: return "server refused";
    case call_errc::too_large: return "request too large";
    case call_errc::too_many_held: return "too many replies held";
    case call_errc::interrupted: return "interrupted";
    case call_errc::corrupt: return "corrupt reply";
    case call_errc::no_memory: return "no memory";
    case call_errc::end_of_stream: return "end of stream";
    case call_errc::closed: return "closed";
    case call_errc::forked: return "forked child";
    }
    return "no error";
}

std::string_view to_string(server_fault f) noexcept {
    switch (f) {
    case server_fault::none: return "none";
    case server_fault::failed: return "failed";
    case server_fault::threw: return "threw";
    case server_fault::unanswered: return "unanswered";
    case server_fault::too_large: return "reply too large";
    case server_fault::declined: return "declined";
    }
    return "unknown";
}

void throw_exception_from_error(call_error const& e, boost::source_location const& where) {
    std::string message(to_string(e.reason));
    if (e.fault != server_fault::none) {
        message +=
            " (" + std::string(to_string(e.fault)) + ", code " + std::to_string(e.code) + ")";
    }
    if (!e.text().empty()) {
        message += ": " + std::string(e.text());
    }
    message += e.executed == executed::no ? "; not executed" : "; perhaps executed";
    detail::throw_error(message, where);
}

} // namespace partywall::inline v0
