// SPDX-License-Identifier: BSL-1.0
#include <partywall/registry/join_errc.hpp>
#include <partywall/registry/registry_errc.hpp>

namespace partywall::inline v0 {

std::string_view to_string(join_errc e) noexcept {
    switch (e) {
    case join_errc::bad_name: return "bad name";
    case join_errc::bad_domain: return "bad domain";
    case join_errc::bad_root: return "bad root";
    case join_errc::permission: return "permission denied";
    case join_errc::no_space: return "no space";
    case join_errc::incompatible: return "incompatible layout";
    case join_errc::too_many_participants: return "too many participants";
    case join_errc::domain_gone: return "domain gone";
    case join_errc::out_of_tickets: return "out of tickets";
    case join_errc::not_found: return "not found";
    case join_errc::system: return "system error";
    }
    return "unknown join error";
}

std::string_view to_string(registry_errc e) noexcept {
    switch (e) {
    case registry_errc::bad_name: return "bad name";
    case registry_errc::bad_metadata: return "bad metadata";
    case registry_errc::too_many_entries: return "too many registry entries";
    case registry_errc::not_found: return "not found";
    case registry_errc::domain_gone: return "domain gone";
    case registry_errc::timed_out: return "timed out";
    case registry_errc::interrupted: return "interrupted";
    case registry_errc::forked: return "forked child";
    case registry_errc::corrupt: return "corrupt registry";
    case registry_errc::too_many_records: return "too many shared records";
    case registry_errc::incompatible: return "incompatible layout";
    case registry_errc::system: return "system error";
    }
    return "unknown registry error";
}

} // namespace partywall::inline v0
