// SPDX-License-Identifier: BSL-1.0
#include "endpoint_failure.hpp"

#include <partywall/name.hpp>

#include <algorithm>
#include <array>
#include <bit>
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

result<void, endpoint_failure> may_make(participant_core const& participant, std::string_view doing,
                                        std::string_view name) {
    if (participant.forked()) {
        return fail(endpoint_errc::forked, std::string(doing) + ": this is a forked child");
    }
    if (auto const ok = check_name(name); !ok) {
        return fail(endpoint_errc::bad_name, explain(ok.error(), name_kind::endpoint, name));
    }
    return {};
}

result<std::uint64_t, endpoint_failure> new_number(participant_core& participant,
                                                   std::string_view doing) {
    std::uint64_t const number = participant.next_number();
    if (number == 0) {
        return fail(endpoint_errc::too_many_entries,
                    std::string(doing) + ": this participant has created " +
                        std::to_string(endpoints_max) + " endpoints: join again");
    }
    return number;
}

result<ring_geometry, endpoint_failure> plan_cells(std::string_view doing,
                                                   payload_shape const& shape, std::uint64_t depth,
                                                   std::uint64_t payload_bytes_max) {
    auto const bad = [&](std::string const& reason) {
        return fail(endpoint_errc::bad_option, std::string(doing) + ": " + reason);
    };
    if (depth == 0 || depth > cells_max) {
        return bad("depth " + std::to_string(depth) + " is not in 1.." + std::to_string(cells_max));
    }
    std::uint64_t const payload_max =
        shape.payload_bytes_max != 0
            ? shape.payload_bytes_max
            : payload_bytes_max / shape.element_bytes * shape.element_bytes;
    if (payload_max == 0 || payload_max > payload_bytes_max_limit) {
        return bad("payload_bytes_max " + std::to_string(payload_bytes_max) +
                   " is not in one element.." + std::to_string(payload_bytes_max_limit));
    }
    ring_geometry g;
    g.cell_count = std::max(cells_min, std::bit_ceil(depth));
    g.payload_offset = shape.payload_offset;
    g.payload_bytes_max = payload_max;
    g.variable_length = shape.variable_length;
    std::uint64_t const alignment = std::bit_floor(std::uint64_t{shape.payload_offset});
    g.stride =
        (stride_for(shape.payload_offset, payload_max) + alignment - 1) / alignment * alignment;
    return g;
}

std::string check_writing(overflow policy, std::chrono::nanoseconds block_for,
                          std::chrono::nanoseconds spin_for) {
    if (policy != overflow::drop_oldest && policy != overflow::block &&
        policy != overflow::reject) {
        return "unknown overflow policy";
    }
    if (block_for.count() < 0 || spin_for.count() < 0) {
        return std::string(block_for.count() < 0 ? "block_for" : "spin_for") + " is negative";
    }
    return {};
}

std::string check_reading(std::uint32_t samples_held_max, std::chrono::nanoseconds spin_for) {
    if (samples_held_max == 0 || samples_held_max > samples_held_limit) {
        return "samples_held_max " + std::to_string(samples_held_max) + " is not in 1.." +
               std::to_string(samples_held_limit);
    }
    return spin_for.count() < 0 ? "spin_for is negative" : "";
}

} // namespace partywall::inline v0::detail
