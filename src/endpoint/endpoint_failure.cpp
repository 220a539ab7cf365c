// SPDX-License-Identifier: BSL-1.0
#include "endpoint_failure.hpp"

#include <partywall/name.hpp>
#include <partywall/ring/chunk_pool.hpp>

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
    case registry_errc::too_many_records: // endpoints have none
    case registry_errc::incompatible:
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

namespace {

/// Chunks follow each other at an odd multiple of 128 bytes: their first lines lie in different sets
/// of a cache, whatever the size of the messages.
constexpr std::uint64_t staggered(std::uint64_t bytes) noexcept {
    return (bytes + spacing_bytes - 1) / spacing_bytes * spacing_bytes | spacing_bytes;
}

} // namespace

result<ring_geometry, endpoint_failure>
plan_cells(std::string_view doing, payload_shape const& shape, ring_sizes const& sizes) {
    auto const bad = [&](std::string const& reason) {
        return fail(endpoint_errc::bad_option, std::string(doing) + ": " + reason);
    };
    if (sizes.depth == 0 || sizes.depth > cells_max) {
        return bad("depth " + std::to_string(sizes.depth) + " is not in 1.." +
                   std::to_string(cells_max));
    }
    std::uint64_t const payload_max =
        shape.payload_bytes_max != 0
            ? shape.payload_bytes_max
            : sizes.payload_bytes_max / shape.element_bytes * shape.element_bytes;
    if (payload_max == 0 || payload_max > payload_bytes_max_limit) {
        return bad("payload_bytes_max " + std::to_string(sizes.payload_bytes_max) +
                   " is not in one element.." + std::to_string(payload_bytes_max_limit));
    }
    ring_geometry g;
    g.cell_count = std::max(cells_min, std::bit_ceil(sizes.depth));
    g.payload_offset = shape.payload_offset;
    g.payload_bytes_max = payload_max;
    g.variable_length = shape.variable_length;
    if (payload_max > std::max(sizes.inline_bytes_max, always_inline_bytes)) {
        g.pool.payload_bytes_max = payload_max;
        g.pool.chunk_count = chunks_for(g.cell_count, sizes.pins);
        g.pool.chunk_bytes = staggered(payload_max);
        if (g.pool.chunk_count > chunks_max ||
            g.pool.chunk_bytes > segment_bytes_max / g.pool.chunk_count) {
            return bad(std::to_string(g.pool.chunk_count) + " messages of " +
                       std::to_string(payload_max) +
                       " bytes (one for each of depth, one for each pin, and one) are more than a "
                       "segment may have (" +
                       std::to_string(segment_bytes_max) + " bytes)");
        }
        if (shape.variable_length) {
            g.payload_bytes_max =
                sizes.inline_bytes_max / shape.element_bytes * shape.element_bytes;
        } else {
            g.payload_bytes_max = 0;
            g.payload_offset = variable_payload_offset;
            g.large_bytes = payload_max;
        }
    }
    std::uint64_t const alignment = std::bit_floor(std::uint64_t{g.payload_offset});
    g.stride =
        (stride_for(g.payload_offset, g.payload_bytes_max) + alignment - 1) / alignment * alignment;
    if (g.stride > segment_bytes_max / g.cell_count) {
        return bad(std::to_string(g.cell_count) + " messages of " + std::to_string(g.stride) +
                   " bytes are more than a segment may have (" + std::to_string(segment_bytes_max) +
                   " bytes)");
    }
    return g;
}

pool_constants describe_pool(ring_geometry const& g, std::uint64_t offset,
                             std::uint32_t pinning_slots, std::uint32_t pins_per_slot) noexcept {
    pool_constants c{};
    if (g.pool) {
        c.offset = offset;
        c.chunk_bytes = g.pool.chunk_bytes;
        c.payload_bytes_max = g.pool.payload_bytes_max;
        c.chunk_count = static_cast<std::uint32_t>(g.pool.chunk_count);
        c.pins_per_slot = pins_per_slot;
        c.pinning_slots = pinning_slots;
    }
    return c;
}

bool complete(ring_geometry& g, pool_constants const& pool, std::byte* base,
              std::uint64_t cells_offset, std::uint64_t bytes, std::uint32_t slot_count) noexcept {
    std::uint64_t cells_end = bytes;
    if (pool.chunk_count != 0) {
        if (pool.offset < cells_offset || pool.offset > bytes || pool.offset % spacing_bytes != 0 ||
            pool.pins_per_slot > pins_per_subscriber_max || pool.pinning_slots > slot_count) {
            return false;
        }
        cells_end = pool.offset;
        g.pool = {base != nullptr ? base + pool.offset : nullptr, pool.chunk_bytes,
                  pool.chunk_count, pool.payload_bytes_max};
        g.large_bytes = g.variable_length ? 0 : pool.payload_bytes_max;
        // What the writer counts on (I2 of chunk_pool.hpp).
        if (chunks_for(g.cell_count, std::uint64_t{pool.pinning_slots} * pool.pins_per_slot) >
            pool.chunk_count) {
            return false;
        }
    }
    return g.pool.valid(bytes - cells_end) && g.valid(cells_end - cells_offset);
}

bool has_shape(ring_geometry const& g, payload_shape const& shape) noexcept {
    if (g.variable_length != shape.variable_length) {
        return false;
    }
    if (shape.variable_length) {
        return g.payload_offset == shape.payload_offset;
    }
    return g.message_bytes_max() == shape.payload_bytes_max &&
           (g.pool ? g.payload_bytes_max == 0 : g.payload_offset == shape.payload_offset);
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
