// SPDX-License-Identifier: BSL-1.0
// Why an endpoint could not be made, in the words of its room.
#pragma once

#include <partywall/endpoint/endpoint_errc.hpp>
#include <partywall/endpoint/endpoint_options.hpp>
#include <partywall/endpoint/payload.hpp>
#include <partywall/registry/participant_core.hpp>
#include <partywall/registry/registry_errc.hpp>
#include <partywall/result.hpp>
#include <partywall/ring/ring_geometry.hpp>
#include <partywall/ring/ring_layout.hpp>
#include <partywall/segment/segment.hpp>

#include <cerrno>
#include <chrono>
#include <cstdint>
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

/// What every endpoint begins with: not in a forked child, and with a good name.
result<void, endpoint_failure> may_make(participant_core const& participant, std::string_view doing,
                                        std::string_view name);
/// A number for a new endpoint of this participant. Errors: too_many_entries.
result<std::uint64_t, endpoint_failure> new_number(participant_core& participant,
                                                   std::string_view doing);

/// What says how much memory a ring takes.
struct ring_sizes {
    std::uint64_t depth = 0;
    std::uint64_t payload_bytes_max = 0;
    std::uint64_t inline_bytes_max = 0;
    std::uint64_t pins = 0; ///< large messages that readers may hold
};
/// The cells and chunks that a publisher's or receiver's options amount to, without the memory they
/// lie in, which stays far below 2^64 bytes. Errors: bad_option.
result<ring_geometry, endpoint_failure>
plan_cells(std::string_view doing, payload_shape const& shape, ring_sizes const& sizes);
/// What others have to know about the chunks of `g`, which begin `offset` bytes in.
pool_constants describe_pool(ring_geometry const& g, std::uint64_t offset,
                             std::uint32_t pinning_slots, std::uint32_t pins_per_slot) noexcept;
/// Adds the chunks that somebody else's constants speak of to `g`, whose cells begin `cells_offset`
/// bytes into the `bytes` at `base`, from where the pool's offset counts too. False: cells, chunks,
/// or both are impossible. `slot_count`: reader slots that there are.
bool complete(ring_geometry& g, pool_constants const& pool, std::byte* base,
              std::uint64_t cells_offset, std::uint64_t bytes, std::uint32_t slot_count) noexcept;
/// Whether cells of this geometry have messages of this shape in them.
bool has_shape(ring_geometry const& g, payload_shape const& shape) noexcept;
/// What is wrong with options that all who send, or all who receive, have; empty: nothing.
std::string check_writing(overflow policy, std::chrono::nanoseconds block_for,
                          std::chrono::nanoseconds spin_for);
std::string check_reading(std::uint32_t samples_held_max, std::chrono::nanoseconds spin_for);

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
