// SPDX-License-Identifier: BSL-1.0
#include <partywall/segment/segment_errc.hpp>

namespace partywall::inline v0 {

std::string_view to_string(segment_errc code) noexcept {
    switch (code) {
    case segment_errc::not_found: return "not found";
    case segment_errc::exists: return "exists";
    case segment_errc::no_space: return "no space";
    case segment_errc::no_memory: return "no memory";
    case segment_errc::permission: return "permission denied";
    case segment_errc::wrong_owner: return "wrong owner";
    case segment_errc::wrong_mode: return "wrong mode";
    case segment_errc::wrong_type: return "wrong file type";
    case segment_errc::linked: return "linked";
    case segment_errc::wrong_size: return "wrong size";
    case segment_errc::wrong_magic: return "wrong magic";
    case segment_errc::wrong_kind: return "wrong kind";
    case segment_errc::wrong_layout_version: return "wrong layout version";
    case segment_errc::wrong_layout: return "wrong layout";
    case segment_errc::wrong_identity: return "wrong identity";
    case segment_errc::too_large: return "too large";
    case segment_errc::bad_argument: return "bad argument";
    case segment_errc::system: return "system error";
    }
    return "unknown segment error";
}

} // namespace partywall::inline v0
