// SPDX-License-Identifier: BSL-1.0
// Reading the registry: from bytes that anybody may have written to values that can be trusted to
// be values. Shared by participants and viewers.
#pragma once

#include <partywall/registry/domain_snapshot.hpp>
#include <partywall/registry/record_info.hpp>
#include <partywall/registry/registry_layout.hpp>
#include <partywall/registry/registry_slots.hpp>

#include <cstdint>
#include <optional>
#include <span>

namespace partywall::inline v0::detail {

/// Private bytes to value, or nothing when they cannot be what a participant wrote: every number
/// is checked against our own limits, every name against the rules of names.
std::optional<entry_info> decode_entry(raw_entry const& raw, owner seen, std::uint32_t index);
std::optional<participant_info> decode_participant(participant_record const& raw, owner seen,
                                                   std::uint32_t index);

/// Value to bytes, for a spec that was checked. Bytes that are not used are zero.
raw_entry encode_entry(entry_spec const& spec, std::uint64_t incarnation,
                       std::span<std::byte const> encoded_metadata) noexcept;
metadata_area encode_area(std::span<std::byte const> encoded_metadata) noexcept;
participant_record encode_participant(std::string_view name) noexcept;

enum class reading : std::uint8_t {
    value,     ///< a ready slot, copied whole and found good
    not_ready, ///< nothing that others may use
    corrupt,   ///< ready and copied whole, but not possible
    unstable,  ///< its word changed with each of several attempts: look again later
};

template <class Info>
struct slot_reading {
    reading outcome = reading::not_ready;
    owner seen; ///< the word that the outcome belongs to
    std::optional<Info> info;
};

/// Reads the slot as it is now. Touches nothing but the owner word unless it is ready.
slot_reading<entry_info> read_entry(registry_layout const& registry, std::uint32_t index);
slot_reading<participant_info> read_participant(registry_layout const& registry,
                                                std::uint32_t index);

/// Everything that can be read, at the sequence from before. `alive` is left true.
domain_snapshot read_all(registry_layout const& registry);

/// Shared records that are in use.
std::vector<record_info> read_records(registry_layout const& registry);

/// A number that changes when anything changes that read_all() shows. Cheap: words only.
std::uint64_t digest_of(registry_layout const& registry) noexcept;

} // namespace partywall::inline v0::detail
