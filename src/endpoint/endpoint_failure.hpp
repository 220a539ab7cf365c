// SPDX-License-Identifier: BSL-1.0
// Why an endpoint could not be made, in the words of its room.
#pragma once

#include <partywall/endpoint/endpoint_errc.hpp>
#include <partywall/endpoint/payload.hpp>
#include <partywall/registry/registry_errc.hpp>
#include <partywall/result.hpp>
#include <partywall/segment/segment.hpp>

#include <cerrno>
#include <new>
#include <string>
#include <string_view>
#include <utility>

namespace partywall::inline v0::detail {

/// Name, size and fingerprint, for messages.
std::string describe(type_info const& type);

using endpoint_failure = failure<endpoint_errc>;

endpoint_failure fail(endpoint_errc code, std::string message);

inline type_info type_of(type_facts const& facts) {
    return {facts.fingerprint, facts.size, facts.alignment, std::string(facts.name)};
}

/// Runs what creates an endpoint and tells result from reason. A result is no good for that: to
/// take its error out copies the sentence, which needs memory. So does the sentence itself, which
/// is left out where there was none.
template <class Handle, class Make>
Handle made_or_why(endpoint_failure& why, Make make) noexcept {
    try {
        auto made = make();
        if (made) {
            return std::move(*made);
        }
        why = made.error();
    } catch (std::bad_alloc const&) {
        why.code = endpoint_errc::no_memory;
        why.os_error = ENOMEM;
    } catch (...) {
        why.code = endpoint_errc::system;
    }
    return Handle();
}

endpoint_failure from_segment(segment_failure const& f, std::string_view doing);
endpoint_failure from_registry(failure<registry_errc> const& f, std::string_view doing);

} // namespace partywall::inline v0::detail
