// SPDX-License-Identifier: BSL-1.0
#include "endpoint_failure.hpp"

#include <array>
#include <cinttypes>
#include <cstdio>
#include <utility>

namespace partywall::inline v0::detail {

endpoint_failure fail(endpoint_errc code, std::string message) {
    return {code, 0, std::move(message)};
}

endpoint_failure from_segment(segment_failure const& f, std::string_view doing) {
    endpoint_errc code = endpoint_errc::system;
    switch (f.code) {
    case segment_errc::no_space: code = endpoint_errc::no_space; break;
    case segment_errc::no_memory: code = endpoint_errc::no_memory; break;
    case segment_errc::not_found: code = endpoint_errc::domain_gone; break;
    case segment_errc::permission:
    case segment_errc::wrong_owner:
    case segment_errc::wrong_mode: code = endpoint_errc::permission; break;
    case segment_errc::wrong_layout_version:
    case segment_errc::wrong_layout: code = endpoint_errc::incompatible; break;
    case segment_errc::too_large:
    case segment_errc::bad_argument: code = endpoint_errc::bad_option; break;
    case segment_errc::wrong_type:
    case segment_errc::linked:
    case segment_errc::wrong_size:
    case segment_errc::wrong_magic:
    case segment_errc::wrong_kind:
    case segment_errc::wrong_identity: code = endpoint_errc::corrupt; break;
    case segment_errc::exists:
    case segment_errc::system: break;
    }
    return {code, f.os_error, std::string(doing) + ": " + f.message};
}

endpoint_failure from_registry(failure<registry_errc> const& f, std::string_view doing) {
    endpoint_errc code = endpoint_errc::system;
    switch (f.code) {
    case registry_errc::bad_name: code = endpoint_errc::bad_name; break;
    case registry_errc::bad_metadata: code = endpoint_errc::bad_option; break;
    case registry_errc::too_many_entries: code = endpoint_errc::too_many_entries; break;
    case registry_errc::domain_gone:
    case registry_errc::not_found: code = endpoint_errc::domain_gone; break;
    case registry_errc::forked: code = endpoint_errc::forked; break;
    case registry_errc::corrupt: code = endpoint_errc::corrupt; break;
    case registry_errc::timed_out:
    case registry_errc::interrupted:
    case registry_errc::system: break;
    }
    return {code, f.os_error, std::string(doing) + ": " + f.message};
}

std::string describe(type_info const& type) {
    std::array<char, 17> hex{}; // as the command shows it
    std::snprintf(hex.data(), hex.size(), "%016" PRIx64, type.fingerprint);
    return "'" + type.name + "' (" +
           (type.size == 0 ? std::string("variable") : std::to_string(type.size) + " bytes") +
           ", fingerprint " + hex.data() + ")";
}

} // namespace partywall::inline v0::detail
