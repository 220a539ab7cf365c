// SPDX-License-Identifier: BSL-1.0
#include <partywall/endpoint/endpoint_errc.hpp>

namespace partywall::inline v0 {

std::string_view to_string(endpoint_errc e) noexcept {
    switch (e) {
    case endpoint_errc::bad_name: return "bad name";
    case endpoint_errc::bad_option: return "bad option";
    case endpoint_errc::type_mismatch: return "type mismatch";
    case endpoint_errc::option_mismatch: return "option mismatch";
    case endpoint_errc::too_many_subscribers: return "too many subscribers";
    case endpoint_errc::too_many_publishers: return "too many publishers";
    case endpoint_errc::too_many_entries: return "too many registry entries";
    case endpoint_errc::no_space: return "no space";
    case endpoint_errc::no_memory: return "no memory";
    case endpoint_errc::permission: return "permission denied";
    case endpoint_errc::incompatible: return "incompatible layout";
    case endpoint_errc::domain_gone: return "domain gone";
    case endpoint_errc::forked: return "forked child";
    case endpoint_errc::corrupt: return "corrupt segment";
    case endpoint_errc::system: return "system error";
    case endpoint_errc::name_taken: return "name taken";
    case endpoint_errc::no_receiver: return "no receiver";
    case endpoint_errc::no_lane: return "no lane";
    }
    return "unknown endpoint error";
}

std::string_view to_string(send_errc e) noexcept {
    switch (e) {
    case send_errc::full: return "full";
    case send_errc::timed_out: return "timed out";
    case send_errc::too_large: return "message too large";
    case send_errc::interrupted: return "interrupted";
    case send_errc::closed: return "closed";
    case send_errc::forked: return "forked child";
    case send_errc::peer_died: return "receiver died";
    case send_errc::no_receiver: return "no receiver";
    case send_errc::refused: return "receiver refused";
    }
    return "no error";
}

std::string_view to_string(receive_errc e) noexcept {
    switch (e) {
    case receive_errc::none: return "no error";
    case receive_errc::empty: return "empty";
    case receive_errc::timed_out: return "timed out";
    case receive_errc::peer_died: return "publisher died";
    case receive_errc::publisher_closed: return "publisher closed";
    case receive_errc::interrupted: return "interrupted";
    case receive_errc::too_many_samples: return "too many samples held";
    case receive_errc::refused: return "publisher refused";
    case receive_errc::corrupt: return "corrupt ring";
    case receive_errc::no_memory: return "no memory";
    case receive_errc::closed: return "closed";
    case receive_errc::forked: return "forked child";
    }
    return "unknown receive error";
}

} // namespace partywall::inline v0
