// SPDX-License-Identifier: BSL-1.0
#include <partywall/registry/join_errc.hpp>
#include <partywall/registry/registry_errc.hpp>

namespace partywall::inline v0 {

std::string_view to_string(join_errc e) noexcept {
    switch (e) {
    case join_errc::bad_name: return "bad_name";
    case join_errc::bad_domain: return "bad_domain";
    case join_errc::bad_root: return "bad_root";
    case join_errc::permission: return "permission";
    case join_errc::no_space: return "no_space";
    case join_errc::incompatible: return "incompatible";
    case join_errc::too_many_participants: return "too_many_participants";
    case join_errc::domain_gone: return "domain_gone";
    case join_errc::out_of_tickets: return "out_of_tickets";
    case join_errc::not_found: return "not_found";
    case join_errc::system: return "system";
    }
    return "unknown join_errc";
}

std::string_view to_string(registry_errc e) noexcept {
    switch (e) {
    case registry_errc::bad_name: return "bad_name";
    case registry_errc::bad_metadata: return "bad_metadata";
    case registry_errc::too_many_entries: return "too_many_entries";
    case registry_errc::not_found: return "not_found";
    case registry_errc::domain_gone: return "domain_gone";
    case registry_errc::timed_out: return "timed_out";
    case registry_errc::interrupted: return "interrupted";
    case registry_errc::forked: return "forked";
    case registry_errc::corrupt: return "corrupt";
    case registry_errc::system: return "system";
    }
    return "unknown registry_errc";
}

} // namespace partywall::inline v0
